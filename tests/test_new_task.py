"""A task that nobody here knew is one package and one line: it trains, and has its column on leaderboard and page."""

import csv
import sys
from dataclasses import replace

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from toy_task.stage import TOY_TASK
from toy_voc import toy_card

from trick_transfer.runs.run import Run
from trick_transfer.runs.training import train
from trick_transfer.stages import STAGES


@pytest.fixture
def run(monkeypatch, tmp_path, photos):
    """A run of the fourth task on a card of random weights."""
    monkeypatch.setitem(STAGES, TOY_TASK.name, TOY_TASK)  # the one line
    monkeypatch.chdir(tmp_path)
    made = Run(TOY_TASK.name, "resnet50d_best", "smoke", data_root=photos, tracker="tensorboard")
    toy_card(made.card.parent)
    return made


def test_a_new_task_trains_transfers_and_is_ranked_with_nothing_else_touched(run, monkeypatch, tmp_path, photos):
    result = train(run)
    files = sorted((photos / "val").rglob("*.jpg"))
    assert result.samples_scored == len(files) and result.arrived_percent == 100
    assert (result.protocol, result.protocol_version, result.licences[f"{TOY_TASK.name} data"]) == (
        "brightness", 1, "unknown"
    )  # fmt: skip
    images = [EventAccumulator(str(path)).Reload() for path in tmp_path.rglob("events.out.tfevents*")]
    assert any("predictions.png" in each.Tags()["images"] for each in images)

    from tools import leaderboard

    monkeypatch.setattr(
        sys, "argv", ["leaderboard", "--results", str(run.results_root), "--out", str(tmp_path / "out")]
    )
    assert leaderboard.main() == 0
    (row,) = (each for each in csv.DictReader((tmp_path / "out/leaderboard.csv").open()) if each["tier"] == "smoke")
    assert float(row["bright"]) == pytest.approx(result.metrics["bright"]) and row["bright_low"] and row["bright_high"]
    for name in ("LEADERBOARD.md", "leaderboard.html"):
        assert "brightness accuracy" in (tmp_path / "out" / name).read_text()
    assert train(run) == result  # done already


def test_its_settings_are_checked_and_its_card_is_asked_for_as_any_tasks(run):
    with pytest.raises(ValueError, match="max_epochs"):
        replace(run, sets={"train_cfg.max_epoch": 3}).draft()
    run.card.unlink()
    with pytest.raises(FileNotFoundError, match="tools/train.py classification resnet50d_best"):
        run.config()
