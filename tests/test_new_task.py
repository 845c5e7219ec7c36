"""A new task is one package and one line, a new metric one line, a new data set one entry: nothing else is touched."""

import argparse
import csv
import shutil
import sys
from dataclasses import replace

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from toy_task.stage import TOY_TASK
from toy_voc import toy_card

from classification.data import Folder
from trick_transfer.commands import data, leaderboard
from trick_transfer.data_sets.sources import DATA_SETS, DataSet, Part
from trick_transfer.engine.stage import Metric
from trick_transfer.runs import tiers
from trick_transfer.runs.plan import add_options
from trick_transfer.runs.run import Run
from trick_transfer.runs.training import train
from trick_transfer.stages import STAGES


@pytest.fixture
def run(monkeypatch, tmp_path, photos):
    """A run of the fourth task on a card of random weights."""
    monkeypatch.setitem(STAGES, TOY_TASK.name, TOY_TASK)  # the one line
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # what a test changes in memory is no other code
    monkeypatch.chdir(tmp_path)
    made = Run(TOY_TASK.name, "resnet50d_best", "smoke", data_root=photos, tracker="tensorboard")
    toy_card(made.card.parent)
    return made


def ranked(monkeypatch, run, tmp_path):
    """The run's row of leaderboard.csv."""
    words = ["--results", str(run.results_root), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["leaderboard", *words])
    assert leaderboard.main() == 0
    (row,) = (each for each in csv.DictReader((tmp_path / "out/leaderboard.csv").open()) if each["tier"] == "smoke")
    return row


def test_a_new_task_trains_transfers_and_is_ranked_with_nothing_else_touched(run, monkeypatch, tmp_path, photos):
    result = train(run)
    files = sorted((photos / "val").rglob("*.jpg"))
    assert result.samples_scored == len(files) and result.arrived_percent == 100
    assert (result.protocol, result.protocol_version, result.licences[f"{TOY_TASK.name} data"]) == (
        "brightness", 1, "unknown"
    )  # fmt: skip
    images = [EventAccumulator(str(path)).Reload() for path in tmp_path.rglob("events.out.tfevents*")]
    assert any("predictions.png" in each.Tags()["images"] for each in images)

    row = ranked(monkeypatch, run, tmp_path)
    assert float(row["bright"]) == pytest.approx(result.metrics["bright"])
    assert not row["bright_low"], "where no row was repeated, nobody knows the noise between seeds"
    for name in ("LEADERBOARD.md", "leaderboard.html"):
        assert "brightness accuracy" in (tmp_path / "out" / name).read_text()
    assert train(run) == result  # done already


def test_its_settings_are_checked_and_its_card_is_asked_for_as_any_tasks(run):
    with pytest.raises(ValueError, match="max_epochs"):
        replace(run, sets={"train_cfg.max_epoch": 3}).draft()
    run.card.unlink()
    with pytest.raises(FileNotFoundError, match="tools/train.py classification resnet50d_best"):
        run.config()


def test_a_new_metric_is_a_line_of_its_stage_computed_from_what_is_stored(run, monkeypatch, tmp_path):
    train(run)
    outputs = TOY_TASK.outputs

    def with_misses(arrays):
        made = outputs(arrays)
        return replace(
            made, score=lambda weights: {"missed": 100 - made.score(weights)["bright"], **made.score(weights)}
        )

    monkeypatch.setattr(TOY_TASK, "metrics", (*TOY_TASK.metrics, Metric("missed", "missed", "lower")), raising=False)
    monkeypatch.setattr(TOY_TASK, "outputs", with_misses, raising=False)
    row = ranked(monkeypatch, run, tmp_path)
    assert float(row["missed"]) == pytest.approx(100 - float(row["bright"]))
    assert "missed" in (tmp_path / "out/LEADERBOARD.md").read_text()


def test_a_new_data_set_is_one_entry_checked_found_and_licensed(monkeypatch, tmp_path, photos, capsys):
    facts = DataSet((Part((Folder("train", 20, 10), Folder("val", 11, 10))),), licence="CC0", option="mine")
    monkeypatch.setitem(DATA_SETS, "mine", facts)  # the one entry
    monkeypatch.chdir(tmp_path)
    root = shutil.copytree(photos, tmp_path / "data" / "mine", ignore=shutil.ignore_patterns("manifest*"))
    monkeypatch.setattr(sys, "argv", ["data", "check", "mine"])
    assert data.main() == 0 and "20 of 20 images" in capsys.readouterr().out and (root / "manifest.sha256").is_file()
    sets = {"data.name": "mine", "data.num_train": 20, "data.num_val": 11, "model.backbone.depth": 18, "max_epochs": 0}
    tier = tmp_path / "mine_tier.py"
    tier.write_text('_base_ = "%s"\nclassification = dict(data="mine")\n' % (tiers.FOLDER / "smoke.py"))
    result = train(Run("classification", "resnet50d_mixup", str(tier), sets=sets))
    assert result.licences["classification data"] == "CC0" and result.protocol == "mine" and result.tier == "mine_tier"
    parser = argparse.ArgumentParser()
    add_options(parser)
    assert parser.parse_args(["--mine-root", str(root)]).mine_root == root
