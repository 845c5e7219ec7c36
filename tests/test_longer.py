"""A finished run that is trained longer: from its end where that gives the same weights, else told why not."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from toy_voc import toy_card, write_voc

from trick_transfer.engine.checkpoint import LATEST
from trick_transfer.runs.longer import STATE
from trick_transfer.runs.places import MODEL
from trick_transfer.runs.run import Run
from trick_transfer.runs.training import train

SETS = {"model.backbone.depth": 18, "data.num_train": 20, "data.num_val": 11}
NO_WORKERS = {"train_dataloader.num_workers": 0, "val_dataloader.num_workers": 0}


def classifier(photos, recipe, epochs, **about):
    return Run(
        "classification", recipe, "smoke", sets=SETS | NO_WORKERS | {"max_epochs": epochs}, data_root=photos, **about
    )


def same(one, other):
    """Whether two runs ended alike, bit for bit."""
    results = [json.loads((run.folder / "metrics.json").read_text()) for run in (one, other)]
    ends = [(each["metrics"], each["steps"], each["curves"]["loss"], each["curves"]["lr"]) for each in results]
    weights = [(run.folder / MODEL).read_bytes() for run in (one, other)]
    return weights[0] == weights[1] and ends[0] == ends[1]


@pytest.mark.slow
def test_it_goes_on_from_the_end_and_ends_as_if_it_had_been_trained_so_long_from_the_start(photos, capsys):
    short = classifier(photos, "resnet50_baseline", 1, keep_state=True)
    train(short)
    assert (short.folder / STATE).is_file() and not (short.folder / LATEST).exists()
    long = classifier(photos, "resnet50_baseline", 2)
    capsys.readouterr()
    train(long)
    assert f"goes on from the end of {short.folder}, epoch 1" in capsys.readouterr().err
    anew = replace(long, work_dir=Path("anew"))
    train(anew)
    assert "goes on" not in capsys.readouterr().err
    assert same(long, anew) and not same(short, long)
    assert not (long.folder / STATE).exists() and not (long.folder / LATEST).exists()


@pytest.mark.slow
def test_a_detector_goes_on_too(tmp_path, capsys):
    root = write_voc(tmp_path / "voc")
    sets = NO_WORKERS | {"train_cfg.max_epochs": 1}
    short = Run("detection", "resnet50d_best", "smoke", sets=sets, data_root=root, keep_state=True)
    long = replace(short, sets=sets | {"train_cfg.max_epochs": 2, "train_cfg.val_begin": 3})
    anew = replace(long, work_dir=Path("anew"))
    for run in (short, long, anew):
        toy_card(run.card.parent)
        train(run)
    assert capsys.readouterr().err.count("goes on from") == 1 and same(long, anew)


@pytest.mark.slow
def test_where_it_cannot_go_on_it_says_why_and_starts_from_the_beginning(photos, tmp_path, capsys):
    cosine = classifier(photos, "resnet50d_cosine", 1, keep_state=True)
    train(cosine)
    train(replace(cosine, sets=cosine.sets | {"max_epochs": 2}))
    assert "the rate of every step depends on the number of epochs (CosineAnnealingLR)" in capsys.readouterr().err
    steps = classifier(photos, "resnet50_baseline", 1)
    train(steps)
    longer = replace(steps, sets=steps.sets | {"max_epochs": 2})
    train(longer)
    assert (
        f"{steps.folder} is this run with 1 epochs, but its state was not kept (--keep-state" in capsys.readouterr().err
    )
    shutil.rmtree(longer.folder)
    (steps.folder / STATE).touch()
    receipt = steps.folder / "config.json"
    held = json.loads(receipt.read_text())
    held["machine"]["data_manifest"] = "other"
    receipt.write_text(json.dumps(held))
    train(longer)
    assert "it had another data_manifest" in capsys.readouterr().err
