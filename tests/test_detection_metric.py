"""11-point and area AP against the VOC devkit's formula, written out here, and against mmdet's own metric."""

import numpy as np
import pytest
import torch
from mmdet.evaluation.metrics import VOCMetric

from detection.metric import VOCMeanAP, mean_ap
from detection.stage import DETECTION

CLASSES = ("bird", "cat", "cow")


def devkit_ap(found, truths, mode):
    """VOCevaldet.m for one class: found = (image, score, box), truths = {image: [(box, difficult), ...]}."""
    easy = sum(not hard for boxes in truths.values() for _, hard in boxes)
    taken, hits = set(), []
    for image, _, box in sorted(found, key=lambda f: -f[1]):
        overlaps = [iou(box, truth) for truth, _ in truths.get(image, [])]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if best < 0 or overlaps[best] < 0.5:
            hits.append(0)
        elif not truths[image][best][1]:  # a difficult truth is neither hit nor miss
            hits.append(int((image, best) not in taken))
            taken.add((image, best))
    hits = np.array(hits, dtype=float)
    recall, precision = np.cumsum(hits) / easy, np.cumsum(hits) / np.arange(1, len(hits) + 1)
    if mode == "map_voc07":
        return np.mean([max(precision[recall >= t], default=0.0) for t in np.arange(0, 1.01, 0.1)])
    best_after = [precision[i:].max() for i in range(len(hits))]
    return float(np.sum(np.diff(recall, prepend=0.0) * best_after))


def iou(a, b):
    """With the devkit's widths: x2 - x1 + 1."""
    sides = [min(a[2 + i], b[2 + i]) - max(a[i], b[i]) + 1 for i in range(2)]
    area = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)]
    overlap = max(sides[0], 0) * max(sides[1], 0)
    return overlap / (sum(area) - overlap)


def samples(seed=0, images=30):
    """Random truths, and detections that hit some of them, as mmdet hands them to a metric."""
    rng = np.random.default_rng(seed)
    for number in range(images):
        size = int(rng.integers(1, 5))
        corners = rng.integers(0, 60, (size, 2))
        boxes = np.concatenate([corners, corners + rng.integers(10, 40, (size, 2))], axis=1).astype(np.float32)
        labels, hard = rng.integers(0, 2, size), rng.random(size) < 0.2  # no truth of class 2: left out of the mean
        found = np.repeat(boxes, 2, axis=0) + rng.normal(0, 4, (2 * size, 4)).astype(np.float32)
        yield {
            "img_id": f"{number:06d}",
            "pred_instances": tensors(found, rng.integers(0, 3, 2 * size), rng.random(2 * size)),
            "gt_instances": tensors(boxes[~hard], labels[~hard]),
            "ignored_instances": tensors(boxes[hard], labels[hard]),
        }


def tensors(boxes, labels, scores=None):
    made = {"bboxes": torch.tensor(boxes), "labels": torch.tensor(labels)}
    return made if scores is None else made | {"scores": torch.tensor(scores, dtype=torch.float32)}


@pytest.fixture
def metric(tmp_path):
    metric = VOCMeanAP(outputs=str(tmp_path / "outputs.npz"))
    metric.dataset_meta = {"classes": CLASSES}
    metric.process(None, list(samples()))
    return metric


@pytest.mark.parametrize("mode", ["map_voc07", "map_area"])
def test_both_modes_follow_the_devkit_formula(metric, mode):
    found: list = [[], [], []]
    truths: list = [{}, {}, {}]
    for sample in samples():
        detections = sample["pred_instances"]
        for box, label, score in zip(*(detections[k].tolist() for k in ("bboxes", "labels", "scores")), strict=True):
            found[label].append((sample["img_id"], score, box))
        for part, hard in (("gt_instances", False), ("ignored_instances", True)):
            for box, label in zip(sample[part]["bboxes"].tolist(), sample[part]["labels"].tolist(), strict=True):
                truths[label].setdefault(sample["img_id"], []).append((box, hard))
    expected = 100 * np.mean([devkit_ap(found[k], truths[k], mode) for k in range(2)])
    scores = metric.evaluate(30)
    assert scores[mode] == pytest.approx(expected, abs=1e-3) and 5 < expected < 95
    assert scores["samples_scored"] == 30


@pytest.mark.parametrize(("ours", "theirs"), [("map_voc07", "11points"), ("map_area", "area")])
def test_both_modes_equal_the_metric_of_mmdet(metric, ours, theirs):
    other = VOCMetric(eval_mode=theirs)
    other.dataset_meta = {"classes": CLASSES}
    other.process({}, list(samples()))
    assert metric.evaluate(30)[ours] == pytest.approx(100 * other.evaluate(30)["pascal_voc/mAP"], abs=1e-4)


def test_eleven_points_and_area_differ_as_in_a_hand_made_case():
    boxes = np.array([[0, 0, 9, 9], [20, 20, 29, 29]], np.float32)
    image = dict(boxes=boxes[:1], scores=np.array([0.9]), labels=np.array([0]), gt_boxes=boxes)
    image |= dict(gt_labels=np.array([0, 0]), gt_difficult=np.array([False, False]))
    scores = mean_ap([image], classes=1)  # one of two found: precision 1 up to recall 0.5
    assert scores["map_voc07"] == pytest.approx(100 * 6 / 11) and scores["map_area"] == pytest.approx(50)


def test_a_found_difficult_object_changes_nothing():
    boxes = np.array([[0, 0, 9, 9], [20, 20, 29, 29]], np.float32)
    image = dict(boxes=boxes, scores=np.array([0.5, 0.9]), labels=np.array([0, 0]), gt_boxes=boxes)
    image |= dict(gt_labels=np.array([0, 0]), gt_difficult=np.array([False, True]))
    assert mean_ap([image], classes=1) == pytest.approx({"map_voc07": 100, "map_area": 100})


def stored(path):
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_the_outputs_file_gives_the_same_scores_again(metric, tmp_path):
    scores = metric.evaluate(30)
    outputs = DETECTION.outputs(stored(tmp_path / "outputs.npz"))
    assert outputs.images[:2].tolist() == ["000000", "000001"]
    found = outputs.metrics
    assert {k: found[k] for k in ("map_voc07", "map_area")} == pytest.approx(
        {k: scores[k] for k in found if k in scores}
    )
    assert [path.name for path in tmp_path.iterdir()] == ["outputs.npz"]


def test_the_outputs_file_keeps_the_best_boxes_and_all_truths_of_six_images_spread_evenly(metric, tmp_path):
    metric.evaluate(30)
    arrays, given = stored(tmp_path / "outputs.npz"), list(samples())
    assert arrays["shown_ids"].tolist() == ["000000", "000006", "000012", "000017", "000023", "000029"]
    found, truths = (
        np.split(arrays[f"{kind}boxes"], np.cumsum(arrays[f"{kind}counts"])[:-1]) for kind in ("shown_", "shown_gt_")
    )
    for name, boxes, truth in zip(arrays["shown_ids"], found, truths, strict=True):
        sample = given[int(name)]
        pairs = zip(*(sample["pred_instances"][key].tolist() for key in ("scores", "bboxes")), strict=True)
        assert boxes.tolist() == [box for score, box in sorted(pairs) if score >= 0.3][-10:]
        assert sorted(truth.tolist()) == sorted(
            sample["gt_instances"]["bboxes"].tolist() + sample["ignored_instances"]["bboxes"].tolist()
        )


def test_no_detection_at_all_scores_zero(tmp_path):
    metric = VOCMeanAP(outputs=str(tmp_path / "outputs.npz"))
    metric.dataset_meta = {"classes": CLASSES}
    nothing = tensors(np.zeros((0, 4), np.float32), np.zeros(0, int), np.zeros(0))
    metric.process(None, [sample | {"pred_instances": nothing} for sample in samples(images=2)])
    assert metric.evaluate(2)["map_voc07"] == 0
    assert set(DETECTION.outputs(stored(tmp_path / "outputs.npz")).metrics.values()) == {0}


def test_a_ranking_of_images_that_are_not_there_is_refused(metric, tmp_path):
    metric.evaluate(30)
    arrays = stored(tmp_path / "outputs.npz")
    for first in (200, -1):
        ranked = arrays["ranked_images"].astype(int)
        ranked[0] = first
        with pytest.raises(ValueError, match="is ranked, of 30"):
            DETECTION.outputs(arrays | {"ranked_images": ranked})
