"""Metrics from stored outputs against full logits, mmdet, pycocotools and mmseg, and the audit of results with them."""

import io
import json
import re
import sys
from dataclasses import replace
from functools import partial
from hashlib import sha256

import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy.special import softmax
from test_results import a_detection, a_result

from classification.metric import TopK
from detection.metric import mean_ap, write_outputs
from segmentation.data import IGNORED
from segmentation.metric import SegmentationScores
from trick_transfer.commands import leaderboard
from trick_transfer.engine.files import read_arrays as read
from trick_transfer.leaderboard.analysis import analyse
from trick_transfer.leaderboard.rendering.exports import as_json
from trick_transfer.leaderboard.scores import load as scores
from trick_transfer.runs import result as results
from trick_transfer.runs.store import read_stored

STAGES = ("classification", "detection", "segmentation")
NEVER_FOUND, WITHOUT_TRUTH, DETECTED = 4, 5, 6  # of the classes detected
random_seed = pytest.mark.parametrize("seed", range(4))


def logits_of(seed, images=301, classes=12):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, images)
    logits = rng.normal(0, 2, (images, classes)) + 2.5 * np.eye(classes)[labels]
    return logits.astype(np.float32), labels


def classified(path, seed):
    logits, labels = logits_of(seed)
    metric = TopK(outputs=str(path))
    metric.process(None, [dict(logits=torch.tensor(z), label=y) for z, y in zip(logits, labels, strict=True)])
    metric.evaluate(len(labels))


def detections(seed, images=60, digits=7):
    """Crowded images: up to five detections a truth, more where there is none; few digits tie the scores."""
    rng = np.random.default_rng(seed)
    for number in range(images):
        size = rng.integers(0, 7)
        corners = rng.integers(0, 90, (size, 2))
        truths = np.column_stack([corners, corners + rng.integers(9, 50, (size, 2))]).astype(np.float32)
        gt_labels = rng.integers(0, WITHOUT_TRUTH, size)
        boxes = np.repeat(truths, 5, 0) + rng.uniform(-4, 4, (5 * size, 4))  # no side turns negative
        stray = rng.integers(0, 90, (6, 2))
        boxes = np.concatenate([boxes, np.column_stack([stray, stray + 30])]).astype(np.float32)
        labels = np.concatenate([np.repeat(gt_labels, 5), rng.integers(0, DETECTED, 6)])
        labels = np.where(rng.random(len(labels)) < 0.2, rng.integers(0, DETECTED, len(labels)), labels)
        labels[labels == NEVER_FOUND] = 0
        image = dict(image_ids=np.array([f"{number:06d}"]), boxes=boxes, labels=labels.astype(np.int16))
        image["scores"] = np.round(rng.random(len(boxes)), digits).astype(np.float32)
        hard = np.arange(size) >= size - (size > 2) * rng.integers(0, 3)  # last, as the metric stores them
        yield image | dict(gt_boxes=truths, gt_labels=gt_labels.astype(np.int16), gt_difficult=hard)


def detected(path, seed, **options):
    images = list(detections(seed, **options))
    write_outputs(str(path), images)
    return images


def detector_like(images, classes, px, seed=0):
    """As a detector leaves them: a hundred boxes an image, most of them false and scored low, some around a truth."""
    rng = np.random.default_rng(seed)
    for number in range(images):
        size = rng.integers(1, 5)  # VOC07 test has 2.4 truths an image that are not difficult
        boxes = boxes_within(rng, 100, px)
        truths, gt_labels, labels = boxes[:size].copy(), rng.integers(0, classes, size), rng.integers(0, classes, 100)
        around = np.repeat(np.arange(size), 5)
        boxes[: len(around)] = truths[around] + rng.normal(0, 0.03 * px, (len(around), 4))
        labels[: len(around)] = np.where(rng.random(len(around)) < 0.7, gt_labels[around], labels[: len(around)])
        scores = 10.0 ** rng.normal(-2.5, 0.8, 100)
        scores[: len(around)] *= 10.0 ** rng.uniform(0, 2, len(around))
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
        image = dict(image_ids=np.array([f"{number:06d}"]), boxes=boxes, scores=scores / (1 + scores))
        image |= dict(gt_boxes=truths, gt_difficult=rng.random(size) < 0.2)
        image = {name: value.astype(np.float32) if value.dtype == float else value for name, value in image.items()}
        yield image | dict(labels=labels.astype(np.int16), gt_labels=gt_labels.astype(np.int16))


def boxes_within(rng, number, px):
    corners = rng.uniform(0, 0.7 * px, (number, 2))
    return np.column_stack([corners, corners + rng.uniform(0.05 * px, 0.5 * px, (number, 2))])


def masks_of(seed, images=14, classes=6):
    """Predictions right on most pixels; some pixels are not labelled, and the last class occurs nowhere."""
    rng = np.random.default_rng(seed)
    for _ in range(images):
        truth = rng.integers(0, classes - 1, (18, 25))
        wrong, hidden = (rng.random(truth.shape) < share for share in (0.3, 0.1))
        predicted = np.where(wrong, rng.integers(0, classes - 1, truth.shape), truth)
        yield torch.tensor(predicted), torch.tensor(np.where(hidden, IGNORED, truth))


def segmented(path, seed):
    metric = SegmentationScores(outputs=str(path))
    metric.dataset_meta = {"classes": tuple("abcdef")}
    for number, maps in enumerate(masks_of(seed)):
        data = zip(("pred_sem_seg", "gt_sem_seg"), ({"data": each[None]} for each in maps), strict=True)
        metric.process({}, [dict(data, img_path=f"{number}.jpg")])
    metric.evaluate(number + 1)


@random_seed
def test_accuracies_and_calibration_error_are_those_of_the_full_logits(tmp_path, seed):
    classified(tmp_path / "o.npz", seed)
    logits, labels = logits_of(seed)
    of_label = logits[np.arange(len(labels)), labels][:, None]
    sure, right = softmax(logits.astype(float), 1).max(1), logits.argmax(1) == labels
    ece = 0
    for k in range(15):  # Guo et al. 2017, eq. 3
        own = (sure > k / 15) & (sure <= (k + 1) / 15)
        if own.any():
            ece += own.mean() * abs(right[own].mean() - sure[own].mean())
    expected = {f"top{k}": 100 * ((logits > of_label).sum(1) < k).mean() for k in (1, 5)} | {"ece": 100 * ece}
    assert scores.read(tmp_path / "o.npz", STAGES[0]).metrics == pytest.approx(expected, abs=1e-4)


@random_seed
@pytest.mark.parametrize("digits", [7, 1])
def test_voc_precisions_are_those_of_mmdet_also_with_tied_scores(tmp_path, monkeypatch, seed, digits):
    expected = voc_ap(detected(tmp_path / "o.npz", seed, digits=digits), monkeypatch)
    found = scores.read(tmp_path / "o.npz", "detection").metrics
    assert 5 < expected["map_voc07"] < 95
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=scores.TOLERANCE_PERCENT)


def voc_ap(images, monkeypatch, classes=DETECTED):
    """mmdet's figures; it leaves the order of ties to the sort, so that has to keep them."""
    with monkeypatch.context() as patch:
        patch.setattr(np, "argsort", partial(np.argsort, kind="stable"))
        return mean_ap(images, classes)


def coco_ap(images, classes=DETECTED):
    """COCOeval's AP in percent, difficult truths as crowds, with the scores as float32 holds them."""
    truths, found = [], []
    for at, image in enumerate(images):
        for kind, rows in (("gt_", truths), ("", found)):
            for row, (x, y, right, low) in enumerate(image[kind + "boxes"].astype(float).tolist()):
                box = dict(image_id=at, category_id=int(image[kind + "labels"][row]), bbox=[x, y, right - x, low - y])
                if kind:
                    box |= dict(id=len(rows) + 1, area=(right - x) * (low - y))
                    rows.append(box | dict(iscrowd=int(image["gt_difficult"][row])))
                else:
                    rows.append(box | dict(score=float(image["scores"][row])))
    coco = COCO()
    of_set = dict(images=[{"id": at} for at in range(len(images))], categories=[{"id": c} for c in range(classes)])
    coco.dataset = dict(info={}, annotations=truths, **of_set)
    coco.createIndex()
    judge = COCOeval(coco, coco.loadRes(found), "bbox")
    for step in (judge.evaluate, judge.accumulate, judge.summarize):
        step()
    return 100 * judge.stats[0]


@random_seed
@pytest.mark.parametrize("digits", [7, 1])
def test_coco_precision_is_that_of_pycocotools(tmp_path, seed, digits):
    expected = coco_ap(detected(tmp_path / "o.npz", seed, digits=digits))
    found = scores.read(tmp_path / "o.npz", "detection").metrics["map_coco"]
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("images", "classes", "px", "most_bytes"), [(240, 10, 176, 60e3), (495, 20, 500, 2e5)])
def test_the_outputs_of_a_mini_run_and_of_a_tenth_of_voc07_are_small(tmp_path, images, classes, px, most_bytes):
    write_outputs(str(tmp_path / "o.npz"), list(detector_like(images, classes, px)))
    assert (tmp_path / "o.npz").stat().st_size < most_bytes


def test_the_ranking_scores_what_all_boxes_do_also_of_images_drawn_at_random(tmp_path, monkeypatch):
    images = list(detector_like(images=120, classes=10, px=176))
    write_outputs(str(tmp_path / "o.npz"), images)
    drawn = [np.arange(120), *np.random.default_rng(1).integers(0, 120, (2, 120))]
    weights = np.column_stack([np.bincount(each, minlength=120) for each in drawn])
    found = scores.read(tmp_path / "o.npz", "detection").score(weights)
    for at, places in enumerate(drawn):
        some = [images[place] for place in places]
        expected = voc_ap(some, monkeypatch, classes=10) | {"map_coco": coco_ap(some, classes=10)}
        assert min(expected.values()) > 5
        assert {name: values[at] for name, values in found.items()} == pytest.approx(expected, abs=1e-3)


def test_of_two_truths_overlapped_alike_the_same_is_taken_as_in_pycocotools(tmp_path):
    """The first detection overlaps both truths by 0.6; only the left one is overlapped by the second."""
    boxes, truths = [[4, 0, 12, 8], [0, 0, 8, 8]], [[2, 0, 10, 8], [6, 0, 14, 8]]
    arrays = dict(boxes=boxes, gt_boxes=truths, scores=[0.9, 0.8])
    image = {name: np.array(values, np.float32) for name, values in arrays.items()}
    image |= dict(image_ids=np.array(["a"]), gt_difficult=np.zeros(2, bool))
    image |= {name: np.zeros(2, np.int16) for name in ("labels", "gt_labels")}
    write_outputs(str(tmp_path / "o.npz"), [image])
    assert scores.read(tmp_path / "o.npz", "detection").metrics["map_coco"] == pytest.approx(coco_ap([image]))


@random_seed
def test_segmentation_scores_are_those_of_mmseg(tmp_path, seed):
    segmented(tmp_path / "o.npz", seed)
    areas = [IoUMetric.intersect_and_union(*maps, 6, IGNORED) for maps in masks_of(seed)]
    theirs = IoUMetric.total_area_to_metrics(*(sum(parts).double() for parts in zip(*areas, strict=True)))
    outputs = scores.read(tmp_path / "o.npz", "segmentation")
    expected = {"pix_acc": 100 * theirs["aAcc"], "miou": 100 * np.nanmean(theirs["IoU"])}
    assert outputs.metrics == pytest.approx(expected)
    assert outputs.details.classes == pytest.approx(dict(zip("abcde", 100 * theirs["IoU"], strict=False)))


@pytest.mark.parametrize(("stage", "make"), [*zip(STAGES, (classified, detected, segmented), strict=True)])
def test_a_bootstrap_round_scores_what_the_images_drawn_score(tmp_path, stage, make):
    images = make(tmp_path / "o.npz", 5)
    outputs, rng = scores.read(tmp_path / "o.npz", stage), np.random.default_rng(6)
    size = len(outputs.images)
    rounds = [np.sort(rng.integers(0, size, size)) for _ in range(5)]
    found = outputs.score(np.column_stack([np.bincount(drawn, minlength=size) for drawn in rounds]))
    for at, drawn in enumerate(rounds):
        if stage == "detection":
            write_outputs(str(tmp_path / "drawn.npz"), [images[i] for i in drawn])
        else:
            with np.load(tmp_path / "o.npz") as stored:
                rows = {name: v[drawn] if len(v) == size else v for name, v in stored.items() if name != "confusion"}
            np.savez(tmp_path / "drawn.npz", **rows)
        expected = scores.read(tmp_path / "drawn.npz", stage).metrics
        assert {name: values[at] for name, values in found.items()} == pytest.approx(expected)


def signed(folder, **changes):
    """The outputs as they are now become the result's own."""
    own = sha256((folder / "outputs.npz").read_bytes()).hexdigest()
    result = replace(results.read(folder / "metrics.json"), outputs_sha256=own, **changes)
    results.write(result, folder / "metrics.json")


def spoil(folder, fault):
    path = folder / "outputs.npz"
    whole = path.read_bytes()
    other = (folder.parent / "detection" / path.name).read_bytes()
    array = io.BytesIO()
    np.save(array, np.ones(3))
    contents = {"truncated": whole[:999], "damaged": whole[:60] + b"\xff" * 20 + whole[80:], "empty": b""}
    contents |= {"another stage's": other, "one array": array.getvalue()}
    if fault == "missing":
        path.unlink()
    elif fault == "another sha256":
        path.write_bytes(whole + b"\0")
    elif fault == "a changed number":
        signed(folder, metrics=results.read(folder / "metrics.json").metrics | {"miou": 50.0})
    else:
        path.write_bytes(contents[fault])
        signed(folder)


@pytest.fixture
def folder(tmp_path):
    """A result of segmentation with its outputs; beside it those of the other stages."""
    for stage, make in zip(STAGES, (classified, detected, segmented), strict=True):
        path = tmp_path / f"mini/resnet50d_best/seed0/{stage}/outputs.npz"
        path.parent.mkdir(parents=True)
        make(path, 0)
        outputs = scores.read(path, stage)
        found = dict(metrics=outputs.metrics, samples_scored=len(outputs.images))
        if stage == "classification":
            found["metrics"] |= {"follows_shape": 5.0, "follows_coat": 60.0}  # of images whose outputs are not kept
        kind = dict(protocol="fcn_ade20k") if stage == "segmentation" else {}
        result = a_result(**found) if stage == "classification" else a_detection(stage=stage, **kind, **found)
        results.write(result, path.with_name("metrics.json"))
        signed(path.parent)
    return path.parent


FAULTS = {"missing": "is missing$", "another sha256": "its sha256 is", "a changed number": "miou is .* 50.0"}
FAULTS |= {"another stage's": "no outputs of segmentation: KeyError: 'counts'"}
FAULTS |= dict.fromkeys(("truncated", "damaged", "empty", "one array"), "outputs.npz is no sound .npz")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_outputs_is_named_in_one_line(folder, fault):
    spoil(folder, fault)
    outputs, lines = scores.audit(results.read(folder / "metrics.json"), folder / "outputs.npz")
    assert outputs is None
    assert len(lines) == 1 and "\n" not in lines[0]
    assert re.search(FAULTS[fault], lines[0])


COUNTS = np.ones((2, 3, 2), np.int32)
ODD = {  # arrays in place of the result's own: what is said
    "not numbers": (dict(counts=np.array([["a"]])), "no outputs of segmentation: "),
    "no dimension": (dict(counts=np.float64(1)), "no outputs of segmentation: "),
    "infinite": (dict(counts=COUNTS * np.inf), "pix_acc is nan, the result has 100"),
    "impossible": (dict(counts=COUNTS * [[1], [0], [1]]), "'b' is inf, no percentage"),
    "more than memory holds": (dict(names=np.broadcast_to("", 1 << 50)), "no outputs of segmentation: .*MemoryError"),
    "confused otherwise": (dict(confusion=np.array([[0, 1, 5]])), "confused pixels are not those of the counts"),
    "confused nowhere": (dict(confusion=np.array([[0, 0, 5], [0, 1, 0]])), "confused pixels are not those"),
    "no text": (dict(names=np.array(["\udcff", "b"])), "no outputs of segmentation: .*surrogates"),
}


@pytest.mark.parametrize("kind", ODD)
def test_arrays_that_a_stage_cannot_score_cost_one_row_and_are_named(folder, monkeypatch, kind):
    arrays, said = ODD[kind]
    whole = dict(names=np.array(["a", "b"]), counts=COUNTS, classes=np.array(["a", "b"]))
    signed(folder, samples_scored=2, metrics={"pix_acc": 100.0, "miou": 100.0})
    monkeypatch.setattr(scores, "read_arrays", lambda path: whole | arrays if path.parent == folder else read(path))
    with np.errstate(all="ignore"):
        runs, problems = scores.load_all(read_stored(folder.parents[3])[0])
    assert [run.result.stage for run in runs] == ["classification", "detection"]
    assert all(line.startswith(f"left out: {folder}/outputs.npz: ") and "\n" not in line for line in problems)
    assert any(re.search(said, line) for line in problems), problems


def test_a_round_without_a_labelled_pixel_leaves_that_metric_without_interval(folder):
    counts = np.array([[[5, 0], [5, 0], [5, 0]], np.zeros((3, 2))])
    np.savez(folder / "outputs.npz", names=["a", "b"], counts=counts, classes=["x", "y"])
    signed(folder, samples_scored=2, metrics={"pix_acc": 100.0, "miou": 100.0})
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning, match="empty slice"):
        runs, problems = scores.load_all(read_stored(folder.parents[3])[0])
    assert problems == [] and runs[-1].points["pix_acc"] == 100 and runs[-1].rounds == {}
    json.loads(as_json(analyse(runs)))


@pytest.mark.parametrize("fault", ["missing", "another sha256", "a changed number"])
def test_a_result_that_its_outputs_contradict_has_no_row_and_one_without_outputs_no_interval(folder, fault):
    root, left_out = folder.parents[3], fault != "missing"
    spoil(folder, fault)
    analysis = analyse(*scores.load_all(read_stored(root)[0]))
    (line,) = analysis.problems
    assert line.startswith("left out: ") == left_out and str(folder) in line
    assert (str(folder.relative_to(root)) in analysis.runs) != left_out
    cell = analysis.tables[0].rows[0].cells.get("miou")
    assert cell is None if left_out else (cell.level, cell.low) == ("none", None)


def test_verify_passes_a_sound_row_and_fails_a_changed_one_with_its_fault(folder, tmp_path, monkeypatch, capsys):
    row = str(folder.parent.relative_to(tmp_path))
    monkeypatch.setattr(sys, "argv", ["leaderboard", "verify", row, "--results", str(tmp_path)])
    assert leaderboard.main() == 0
    printed, faults = capsys.readouterr()
    lines = printed.splitlines()
    assert faults == "" and [line.split(": ")[0] for line in lines] == [str(folder.with_name(each)) for each in STAGES]
    assert ["follows_coat, follows_shape" in line for line in lines] == [True, False, False]
    spoil(folder, "a changed number")
    assert leaderboard.main() == 1
    assert re.fullmatch(f"{folder}/outputs.npz: miou is .* 50.0+\n", capsys.readouterr().err)
