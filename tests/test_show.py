"""`--show` prints every value of a run's Config with the layer that set it."""

import re
import sys

import pytest

from trick_transfer.commands import train
from trick_transfer.engine.layers import Layers, changed_keys, copied, leaves
from trick_transfer.runs.identity import fingerprint, plain, values
from trick_transfer.runs.run import Run


@pytest.fixture
def shown(monkeypatch, capsys):
    """Key -> (value as printed, source), of tools/train.py --show."""

    def show(*words):
        monkeypatch.setattr(sys, "argv", ["train", *words, "--show"])
        train.main()
        found = [re.fullmatch(r"(\S+) = (.*)  # (.*)", line) for line in capsys.readouterr().out.splitlines()]
        return {each[1]: (each[2], each[3]) for each in found}

    return show


def test_each_value_of_a_recipe_has_the_layer_that_set_it(shown, tmp_path):
    sets = ("--set", "tricks.mixup.alpha=0.4", "optim_wrapper.optimizer.momentum=0.8")
    found = shown("classification", "resnet50d_best", "--data-root", str(tmp_path), *sets)
    assert found["optim_wrapper.optimizer.weight_decay"] == ("0.0001", "baseline")
    assert found["model.backbone.tweak"] == ("'bcd'", "recipe resnet50d_best")
    assert found["model.smoothing.eps"] == ("0.1", "trick label_smoothing")
    assert found["model.mix.alpha"] == ("0.4", "trick mixup (--set)")
    assert found["model.num_classes"] == ("10", "tier mini")
    assert found["optim_wrapper.optimizer.momentum"] == ("0.8", "--set")
    assert found["val_dataloader.dataset.root"] == (repr(str(tmp_path)), "machine")
    assert found["train_dataloader.batch_size"] == ("32", "machine")


def test_the_nms_threshold_of_a_row_is_one_command_away(shown):
    found = shown("detection", "resnet50d_best")
    assert found["model.test_cfg.rcnn.nms.iou_threshold"] == ("0.3", "protocol faster_rcnn_voc")
    assert found["model.test_cfg.rpn.nms_pre"] == ("1000", "tier mini")
    assert found["optim_wrapper.type"] == ("'trick_transfer.LowPrecisionOptimWrapper'", "tier mini")


def test_on_several_devices_no_card_has_to_be_there(shown):
    found = shown("detection", "resnet50d_best", "--gpus", "2")
    assert found["train_dataloader.batch_size"][0] == "2" and found["launcher"][0] == "'pytorch'"


def test_a_value_set_above_a_key_is_the_source_of_what_lies_below():
    from mmengine.config import Config

    layers = Layers("first", Config(dict(a=dict(b=1, c=[dict(d=2)]), e=3)))
    layers.add("second", lambda cfg: cfg.a.update(b=4))
    layers.add("third", lambda cfg: cfg.merge_from_dict({"a.c": [dict(d=5, f=6)]}))
    assert dict((key, (value, source)) for key, value, source in layers.lines()) == {
        "a.b": (4, "second"), "a.c.0.d": (5, "third"), "a.c.0.f": (6, "third"), "e": (3, "first")
    }  # fmt: skip
    layers.add("fourth", lambda cfg: cfg.merge_from_dict({"a": None}))
    assert layers.source("a.b") == layers.source("a") == "fourth"


def test_differences_and_leaves_name_the_same_keys():
    one, two = {"a": {"b": (1, 2)}, "c": 1}, {"a": {"b": [1, 3]}, "c": 1.0, "d": None}
    assert changed_keys(one, two) == ["a.b.1", "c", "d"]
    assert dict(leaves(one)) == {"a.b": (1, 2), "c": 1}


def test_a_protocols_hash_covers_its_version_and_values_and_no_name_of_our_classes():
    run = Run("detection", "resnet50d_best")
    cfg = run.draft()
    assert fingerprint(values(plain(cfg)))[:12] == run.protocol_hash()
    for part in cfg.train_dataloader.dataset.dataset.datasets:
        assert part.type == "detection.VOC"
        part.type = "detection.PascalVOC"  # renamed
    assert fingerprint(values(plain(cfg)))[:12] == run.protocol_hash()
    threshold = "model.test_cfg.rcnn.nms.iou_threshold"
    for key, value in (("version", cfg.version + 1), (threshold, 0.31), ("model.type", "FastRCNN")):
        assert fingerprint(values(plain(cfg_with(cfg, key, value))))[:12] != run.protocol_hash(), key


def cfg_with(cfg, key, value):
    other = copied(cfg)
    other.merge_from_dict({key: value})
    return other
