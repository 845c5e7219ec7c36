"""A swept protocol: trials on held-out images choose rate and length; the test images are scored once, after that."""

import json
import sys
from dataclasses import replace

import pytest
from toy_task.parts import Photos
from toy_task.stage import TOY_TASK
from toy_voc import toy_card

from trick_transfer.leaderboard.analysis import mean_hours
from trick_transfer.runs import sweep
from trick_transfer.runs.identity import plain
from trick_transfer.runs.plan import state
from trick_transfer.runs.result import FILE_NAME, read
from trick_transfer.runs.run import Run
from trick_transfer.runs.sweep import Trial, best, is_swept, trials
from trick_transfer.runs.training import train
from trick_transfer.stages import STAGES

SWEPT = "brightness_swept"


@pytest.fixture
def run(monkeypatch, photos, tmp_path):
    """A small swept protocol's: rates x 0.01 and x 1, lengths x 0.5 and x 1 of two epochs, 5 of 20 images held out."""
    monkeypatch.setitem(STAGES, TOY_TASK.name, TOY_TASK)
    made = Run(TOY_TASK.name, "resnet50d_best", "smoke", protocol=SWEPT, work_dir=tmp_path / "work", data_root=photos)
    toy_card(made.card.parent)
    return made


def test_the_trials_choose_and_the_run_alone_scores_the_test_images(run, monkeypatch):
    seen = []
    get = Photos.__getitem__
    monkeypatch.setattr(Photos, "__getitem__", lambda self, i: seen.append(self.files[i].parts[-3]) or get(self, i))
    with pytest.raises(
        FileNotFoundError, match=f"4 of 4 trials of {SWEPT} are missing, .*; tools/pipeline.sh resnet50"
    ):
        train(run)
    assert state(run) == ("missing", "waits for 4 trials")
    for trial in trials(run)[:3]:
        train(trial)
    assert state(run) == ("missing", "waits for 1 trials") and state(trials(run)[0]) == ("done", "")
    train(trials(run)[3])
    assert {*seen} == {"train"} and not run.results_root.exists()
    assert not [path for path in run.work_dir.rglob("*.safetensors") if path.parent != run.card.parent]
    assert state(run) == ("missing", "")

    result = train(run)
    tried = [read(trial.folder / FILE_NAME) for trial in trials(run)]
    scores = [each.metrics["bright"] for each in tried]
    first = tried[scores.index(max(scores))].config
    assert all(each.samples_scored == 5 and each.chosen["rule"] == "last" for each in tried)
    for key in ("optim_wrapper", "train_cfg", "param_scheduler"):
        assert result.config[key] == first[key]
    assert [each.config["train_cfg"]["max_epochs"] for each in tried] == [1, 1, 2, 2]
    assert [each.config["optim_wrapper"]["optimizer"]["lr"] for each in tried] == pytest.approx(
        [1e-4, 0.01, 1e-4, 0.01]
    )
    assert "held_out" not in result.config and result.samples_scored == 11 and "val" in seen
    assert result.recipe == "resnet50d_best" and result.folder.name == f"toy_task-{SWEPT}"
    told = result.chosen["sweep"]
    assert [each["score"] for each in told["trials"]] == scores and told["score"] == max(scores)
    cost = sum(each.seconds * each.devices for each in tried) / 3600
    assert told["device_hours"] == pytest.approx(cost)
    assert mean_hours([result]) == pytest.approx(cost + result.seconds * result.devices / 3600)
    assert state(run) == ("done", "") and train(run) == result

    toy_card(run.card.parent, seed=1)
    with pytest.raises(FileNotFoundError, match="4 of 4 trials of .* are missing, or of another backbone"):
        train(run)


def test_a_trial_that_diverges_is_the_worst_and_ends_nothing(run, capsys):
    run = replace(run, sets={"sweep.rates": (1.0, 1e30), "sweep.lengths": (1.0,)})
    sound, torn = trials(run)
    assert train(sound).metrics and not train(torn).metrics
    assert "the training diverged" in (told := capsys.readouterr().err) and "this trial counts as the worst" in told
    assert state(torn) == ("done", "") and not [*torn.folder.glob("*.safetensors"), *torn.folder.glob("*.pth")]
    result = train(run)
    first, second = result.chosen["sweep"]["trials"]
    assert second["score"] is None and second["device_hours"] > 0
    assert result.chosen["sweep"]["rate"] == 1.0 and result.chosen["sweep"]["score"] == first["score"]
    with pytest.raises(ValueError, match="the training diverged"):  # a rate of one's own is no trial
        train(replace(run, protocol=None, sets={"optim_wrapper.optimizer.lr": 1e28}))


def test_a_sweep_whose_trials_all_diverge_says_what_to_lower(run, monkeypatch):
    torn = Trial(3.0, 1.0, None, 0.1)
    monkeypatch.setattr(sweep, "trial_of", lambda result: torn)
    monkeypatch.setattr(sweep, "read", lambda path: None)
    for trial in trials(run):
        trial.folder.mkdir(parents=True)
        (trial.folder / FILE_NAME).touch()
        (trial.folder / "config.json").write_text(json.dumps(plain(trial.config())))
    told = r"toy_task .*: all 4 trials diverged; lower their rates: --set \"toy_task\.sweep\.rates=\[\.\.\.\]\""
    with pytest.raises(ValueError, match=told):
        train(run)


def test_a_trial_that_diverged_is_not_the_best():
    assert best([Trial(3.0, 1.0, None, 0.1), low := Trial(1.0, 1.0, 0.0, 0.1)], "higher") is low


def test_a_swept_protocol_has_tables_of_its_own_whatever_is_chosen(run):
    plain, other = replace(run, protocol=None), replace(run, sets={"sweep.rates": (1.0, 2.0)})
    assert len({run.protocol_hash(), plain.protocol_hash(), other.protocol_hash()}) == 3
    assert len(trials(other)) == 4 and trials(plain) == []
    config = run.layers.cfg.to_dict()
    chosen = ("sweep.rate", "optim_wrapper.optimizer.lr", "train_cfg.max_epochs", "param_scheduler.0.milestones.0")
    assert all(is_swept(key, config) for key in chosen)
    assert not is_swept("optim_wrapper.optimizer.momentum", config) and not is_swept("train_cfg.max_epochs", {})


@pytest.mark.parametrize(
    ("stage", "protocol"), [("detection", "faster_rcnn_voc_swept"), ("segmentation", "fcn_ade20k_swept")]
)
def test_a_length_moves_all_that_is_counted_in_epochs_and_a_warm_up_in_steps_stays(stage, protocol):
    run = Run(stage, "resnet50d_best", "paper", protocol=protocol)
    own, twice = run.layers.cfg, replace(run, sets={"sweep.length": 2.0, "sweep.rate": 3.0}).layers.cfg
    assert twice.train_cfg.max_epochs == 2 * own.train_cfg.max_epochs == twice.train_cfg.val_begin - 1
    assert twice.optim_wrapper.optimizer.lr == 3 * own.optim_wrapper.optimizer.lr
    for before, after in zip(own.param_scheduler, twice.param_scheduler, strict=True):
        factor = 2 if before.by_epoch else 1
        assert after.get("milestones") == (
            before.milestones and [2 * before.milestones[0]] if "milestones" in before else None
        )
        assert after.get("end") == (factor * before.end if "end" in before else None)
    assert not twice.held_out.test and twice.held_out.share == own.sweep.share


def test_a_plan_has_the_trials_before_their_run(monkeypatch):
    from trick_transfer.commands import pipeline as tool

    words = ["resnet50d_best", "--stages", "detection", "--tier", "smoke", "--protocol", "faster_rcnn_voc_swept"]
    monkeypatch.setattr(sys, "argv", ["pipeline", *words])
    args = tool.options()
    ((*nine, last),) = tool.chains(args)
    assert nine == trials(last) and len({trial.folder for trial in nine}) == 9
    assert last.sets == {} and last.protocol == "faster_rcnn_voc_swept"


@pytest.mark.parametrize("value", [0, -1.0, "fast", True])
def test_a_factor_that_is_none_is_refused_in_one_line(run, value):
    with pytest.raises(ValueError, match="sweep.rate must be a number above 0"):
        replace(run, sets={"sweep.rate": value}).layers  # noqa: B018


def test_of_equal_trials_the_first_the_shortest_is_the_best():
    found = [Trial(0.3, 0.5, 7.0, 1), Trial(1.0, 0.5, 9.0, 1), Trial(1.0, 1.0, 9.0, 1)]
    assert best(found, "higher") is found[1] and best(found, "lower") is found[0]
