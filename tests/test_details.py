"""By class, confusion and curves from stored outputs, against scikit-learn and mmdet; the page and tools/test.py."""

import json
import sys
from dataclasses import asdict

import numpy as np
import pytest
from mmdet.evaluation.functional import average_precision, eval_map
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, recall_score
from test_scores import DETECTED, classified, detected, logits_of, masks_of, random_seed, segmented

from detection.metric import write_outputs
from segmentation.data import IGNORED
from trick_transfer import mini
from trick_transfer.commands import test as command
from trick_transfer.engine.details import ALL_CLASSES, PIXELS, Details
from trick_transfer.engine.files import read_arrays, write_arrays
from trick_transfer.leaderboard.rendering.page import MOST_IN_MATRIX, of_run
from trick_transfer.leaderboard.scores.load import read
from trick_transfer.leaderboard.statistics.rows import by_class

NAMES = tuple("abcdefghijkl")


def classification(path, seed):
    """Details of outputs with names, logits and labels."""
    classified(path, seed)
    write_arrays(path, read_arrays(path) | {"classes": np.array(NAMES)})
    return read(path, "classification").details, *logits_of(seed)


@random_seed
def test_confused_classes_and_the_top_1_of_each_are_scikit_learns(tmp_path, seed):
    details, logits, labels = classification(tmp_path / "o.npz", seed)
    expected = confusion_matrix(labels, logits.argmax(1))
    found = np.zeros_like(expected)
    for true, predicted, images in details.confusion:
        found[NAMES.index(true), NAMES.index(predicted)] = images
    assert (found == expected).all() and [each[2] for each in details.confusion] == sorted(expected[expected > 0])[::-1]
    recall = 100 * recall_score(labels, logits.argmax(1), average=None)
    assert details.classes == pytest.approx(dict(zip(NAMES, recall, strict=True)))


@random_seed
def test_the_calibration_curve_is_scikit_learns(tmp_path, seed):
    details, logits, labels = classification(tmp_path / "o.npz", seed)
    confidence = softmax(logits.astype(float), 1).max(1)
    accuracy, mean = calibration_curve(logits.argmax(1) == labels, confidence, n_bins=15)
    (points,) = details.curves.values()
    np.testing.assert_allclose(points, np.column_stack([mean, accuracy]), rtol=1e-5)
    assert details.axes == ("confidence", "accuracy")


@random_seed
def test_the_ap_of_each_class_and_its_curve_are_those_of_mmdets_recall_and_precision(tmp_path, seed):
    images = detected(tmp_path / "o.npz", seed)
    names = [f"kind {label}" for label in range(DETECTED)]
    config = {"val_dataloader": {"dataset": {"metainfo": {"classes": names}}}}
    details = read(tmp_path / "o.npz", "detection", config).details
    truths = [
        {
            "bboxes": image["gt_boxes"][~hard], "labels": image["gt_labels"][~hard],
            "bboxes_ignore": image["gt_boxes"][hard], "labels_ignore": image["gt_labels"][hard],
        }
        for image in images
        for hard in [image["gt_difficult"]]
    ]  # fmt: skip
    boxes = [np.column_stack([image["boxes"], image["scores"]]) for image in images]
    found = [[each[image["labels"] == c] for c in range(DETECTED)] for each, image in zip(boxes, images, strict=True)]
    _, theirs = eval_map(found, truths, iou_thr=0.5, use_legacy_coordinate=True, logger="silent", nproc=1)
    theirs = {name: each for name, each in zip(names, theirs, strict=True) if each["num_gts"]}
    aps = {
        name: 100 * average_precision(each["recall"], each["precision"], "11points") for name, each in theirs.items()
    }
    assert details.classes == pytest.approx(aps, abs=1e-4)
    levels, curves = np.linspace(0, 1, 101), {}
    for name, each in theirs.items():
        reached = [each["precision"][each["recall"] >= level - 1e-9] for level in levels]
        curves[name] = [max(some, default=0) for some in reached]
        np.testing.assert_allclose(details.curves[name], np.column_stack([levels, curves[name]]), atol=1e-5)
    mean = np.mean([*curves.values()], 0)
    np.testing.assert_allclose(details.curves[ALL_CLASSES], np.column_stack([levels, mean]), atol=1e-5)
    assert next(iter(details.curves)) == ALL_CLASSES


def test_outputs_without_names_tell_numbers_and_earlier_ones_of_mini_its_kinds(tmp_path):
    classified(tmp_path / "o.npz", 0)
    assert "class 11" in read(tmp_path / "o.npz", "classification").details.classes
    found = read(tmp_path / "o.npz", "classification", {"data": {"name": "mini"}}).details.classes
    assert [*found][:10] == [*mini.CLASSES]
    with pytest.raises(ValueError, match=r"o\.npz: no outputs of classification"):
        read(tmp_path / "o.npz", "classification", {"data": 3})
    detected(tmp_path / "d.npz", 0)
    assert "class 0" in read(tmp_path / "d.npz", "detection").details.classes


def test_nothing_detected_is_a_curve_of_zeros_and_no_truth_no_curve(tmp_path):
    box = np.array([[0, 0, 9, 9]], np.float32)
    image = dict(image_ids=np.array(["a"]), boxes=box + 50, scores=np.float32([0.9]), labels=np.int16([0]))
    image |= dict(gt_boxes=box, gt_labels=np.int16([0]), gt_difficult=np.array([False]))
    write_outputs(str(tmp_path / "o.npz"), [image])
    details = read(tmp_path / "o.npz", "detection").details
    assert details.classes == {"class 0": 0} and {y for _, y in details.curves[ALL_CLASSES]} == {0}
    write_outputs(str(tmp_path / "o.npz"), [image | dict(gt_difficult=np.array([True]))])
    assert read(tmp_path / "o.npz", "detection").details.curves == {}


def test_a_row_has_the_mean_over_its_runs_of_each_class():
    some = [Details("IoU", {"a": 10.0, "b": 4.0}), Details("IoU", {"a": 20.0}), Details("AP", {"a": 1.0}), Details()]
    assert by_class(some) == {"IoU": {"a": 15.0, "b": 4.0}, "AP": {"a": 1.0}}


@random_seed
def test_confused_pixels_are_shown_as_shares_of_the_true_class(tmp_path, seed):
    segmented(tmp_path / "o.npz", seed)
    details = read(tmp_path / "o.npz", "segmentation").details
    said, truth = (np.concatenate([maps[side].numpy().ravel() for maps in masks_of(seed)]) for side in (0, 1))
    known = truth != IGNORED
    expected = 100 * confusion_matrix(truth[known], said[known], labels=range(6), normalize="true")
    shown = of_run(details)
    assert shown["unit"] == "% of the true class’s pixels" and details.counted == PIXELS
    places = [list("abcdef").index(name) for name in shown["names"]]
    np.testing.assert_allclose(shown["matrix"], expected[np.ix_(places, places)], atol=0.5)
    numbers = [number for *_, number in details.confusion]
    assert numbers == sorted(numbers, reverse=True) and sum(numbers) == known.sum()


@pytest.mark.parametrize("classes", [MOST_IN_MATRIX, MOST_IN_MATRIX + 1])
def test_the_page_has_a_matrix_of_few_classes_and_of_many_the_worst_pairs(classes):
    names = [f"kind {number}" for number in range(classes)]
    right = [(name, name, 50) for name in names]
    wrong = [(name, names[0], 30 - at) for at, name in enumerate(names[1:])]
    shown = of_run(Details("top-1", dict.fromkeys(names, 50.0), (*right, *wrong)))
    if classes == MOST_IN_MATRIX:
        assert shown["names"] == names and np.diag(shown["matrix"]).tolist() == [50] * classes
        assert shown["matrix"][1][0] == 30 and np.sum(shown["matrix"]) == 50 * classes + sum(range(2, 31))
    else:
        assert "matrix" not in shown and shown["mistakes"] == wrong[:20]


@pytest.mark.parametrize("classes", [12, 70])
def test_the_tool_prints_metrics_as_json_and_classes_beside_it_and_writes_the_details(
    tmp_path, monkeypatch, capsys, classes
):
    def score(run, checkpoint, outputs):
        labels = np.arange(classes)
        ranked = np.where(labels % 2, labels, 0)[:, None]  # the odd ones are right
        logits = np.zeros((classes, 1), np.float32)
        write_arrays(outputs, dict(labels=labels, ranked=ranked, logits=logits, log_sum_exp=logits[:, 0] + 1))
        return {"top1": 50.0}

    monkeypatch.setattr(command, "score", score)
    words = ["classification", "resnet50_baseline", "--tier", "paper", "--details", str(tmp_path / "d.json")]
    monkeypatch.setattr(sys, "argv", ["test", *words, "--work-dir", str(tmp_path)])
    assert command.main() == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"top1": 50.0} and said.err.startswith("top-1 of each class, %")
    assert "class 2" in said.err and ("the lowest 60 of 70" in said.err) == (classes == 70)
    written = json.loads((tmp_path / "d.json").read_text())
    assert written["metrics"] == {"top1": 50.0} and written.keys() - {"metrics"} == asdict(Details()).keys()
    assert (written["classes"]["class 3"], written["classes"]["class 4"]) == (100, 0)


def test_details_of_a_stage_that_has_none_are_refused_before_it_is_scored(tmp_path, monkeypatch):
    words = ["probing", "resnet50_baseline", "--details", str(tmp_path / "d.json"), "--work-dir", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["test", *words])
    with pytest.raises(ValueError, match="^probing has no scores by class, .*; leave --details out$"):
        command.main()
    assert not (tmp_path / "d.json").exists()
