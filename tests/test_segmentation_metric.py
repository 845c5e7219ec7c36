"""pixAcc and mIoU against mmseg's own metric, and against sets of pixels."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmseg.evaluation import IoUMetric
from sklearn.metrics import confusion_matrix

from segmentation.confusion import count
from segmentation.metric import SegmentationScores, confused, scores

CLASSES = ("a", "b", "c", "d", "e")


def sample(name: str, predicted: np.ndarray, truth: np.ndarray) -> dict:
    """What the Runner hands to a metric for one image."""
    maps = {"pred_sem_seg": predicted, "gt_sem_seg": truth}
    return {"img_path": f"/x/{name}.jpg"} | {k: {"data": torch.from_numpy(v)[None]} for k, v in maps.items()}


def made_up(images: int, classes: int = 5, seed: int = 0) -> list[dict]:
    rng = np.random.default_rng(seed)
    samples = []
    for i in range(images):
        truth = rng.integers(0, classes, (9 + i, 11))
        predicted = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, classes, truth.shape))
        truth[rng.random(truth.shape) < 0.2] = 255
        samples.append(sample(f"{i:03d}", predicted, truth))
    return samples


def run(metric: object, samples: list[dict]) -> dict:
    metric.dataset_meta = {"classes": CLASSES}
    for each in samples:
        metric.process({}, [each])
    return metric.evaluate(len(samples))


def test_scores_are_mmsegs() -> None:
    got, theirs = run(SegmentationScores(), made_up(6)), run(IoUMetric(), made_up(6))
    assert got["pix_acc"] == pytest.approx(theirs["aAcc"], abs=0.006)  # mmseg rounds to two digits
    assert got["miou"] == pytest.approx(theirs["mIoU"], abs=0.006)


def test_a_class_found_nowhere_is_left_out_of_the_mean_as_in_mmseg() -> None:
    got, theirs = run(SegmentationScores(), made_up(4, classes=3)), run(IoUMetric(), made_up(4, classes=3))
    assert got["miou"] == pytest.approx(theirs["mIoU"], abs=0.006)


def test_pixels_are_added_over_the_set_before_they_are_divided() -> None:
    truths = [np.array([[0, 0, 1, 255]]), np.array([[1, 1, 1, 1]])]
    guesses = [np.array([[0, 1, 1, 0]]), np.array([[1, 1, 1, 2]])]
    got = run(SegmentationScores(), [sample(str(i), *pair) for i, pair in enumerate(zip(guesses, truths, strict=True))])
    assert got["pix_acc"] == pytest.approx(100 * 5 / 7)
    # class 0: 1 of 2; class 1: 1 + 3 of 2 + 4; class 2: predicted once, never true
    assert got["miou"] == pytest.approx(100 * (1 / 2 + 4 / 6 + 0) / 3)


def test_outputs_hold_each_images_counts_from_which_the_scores_come_again(tmp_path: Path) -> None:
    got = run(SegmentationScores(outputs=str(tmp_path / "deep" / "outputs.npz")), made_up(5))
    with np.load(tmp_path / "deep" / "outputs.npz") as kept:
        assert kept["names"].tolist() == [f"{i:03d}" for i in range(5)]
        assert kept["classes"].tolist() == list(CLASSES)
        assert scores(kept["counts"]) | {"samples_scored": 5} == got
        first = made_up(1)[0]
        predicted, truth = (first[key]["data"][0].numpy() for key in ("pred_sem_seg", "gt_sem_seg"))
        for c in range(5):
            sets = (predicted == c) & (truth == c), (predicted == c) & (truth != 255), truth == c
            assert kept["counts"][0, :, c].tolist() == [pixels.sum() for pixels in sets]
        pixels = [np.concatenate([each[key]["data"].numpy().ravel() for each in made_up(5)])
                  for key in ("gt_sem_seg", "pred_sem_seg")]  # fmt: skip
        known = pixels[0] != 255
        found = np.zeros((5, 5), int)
        found[tuple(kept["confusion"][:, :2].T)] = kept["confusion"][:, 2]
        assert (found == confusion_matrix(pixels[0][known], pixels[1][known])).all()
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["outputs.npz"]


def test_counts_of_a_large_set_do_not_overflow() -> None:
    counts = np.full((3, 3, 2), 2**31 - 1, np.int32)
    assert scores(counts) == {"pix_acc": 100.0, "miou": 100.0}


def test_a_set_without_a_labelled_pixel_is_refused() -> None:
    nothing = count(confused(torch.zeros(2, 2, dtype=torch.long), torch.full((2, 2), 255), 5))
    with pytest.raises(ValueError, match="1 images .*labelled"):
        scores(nothing[None])


def test_an_image_scored_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 3 .*twice"):
        run(SegmentationScores(), [*made_up(2), made_up(1)[0]])


def score_share(rank: int, world: int, folder: str) -> None:
    """One of `world` processes: every world-th image, and the first again where the sampler fills up."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world)
    metric, samples = SegmentationScores(outputs=f"{folder}/outputs.npz"), made_up(5)
    metric.dataset_meta = {"classes": CLASSES}
    for each in (samples + samples)[: 2 * -(-len(samples) // world)][rank::world]:
        metric.process({}, [each])
    result = metric.evaluate(len(samples))
    Path(folder, f"rank{rank}").write_text(repr(result))
    dist.destroy_process_group()


def test_two_processes_score_each_image_once(tmp_path: Path) -> None:
    mp.spawn(score_share, (2, str(tmp_path)), nprocs=2)
    alone = run(SegmentationScores(), made_up(5))
    assert [(tmp_path / f"rank{rank}").read_text() for rank in (0, 1)] == [repr(alone)] * 2
    assert np.load(tmp_path / "outputs.npz")["counts"].shape == (5, 3, 5)
