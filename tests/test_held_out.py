"""A share of the training images is held out: never trained on, scored after each epoch, and it chooses the epoch."""

import sys
from hashlib import sha256
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS
from safetensors.torch import load_file
from toy_task.parts import Photos
from toy_task.stage import TOY_TASK
from toy_voc import toy_card

from trick_transfer.engine.checkpoint import WholeCheckpoint
from trick_transfer.engine.held_out import BEST, EarlyStopping, best, trained_on
from trick_transfer.engine.seeding import SeedEachStep
from trick_transfer.runs.dry_run import dry_run
from trick_transfer.runs.result import read
from trick_transfer.runs.run import Run
from trick_transfer.runs.scoring import score
from trick_transfer.runs.training import train
from trick_transfer.stages import STAGES

EPOCHS, SHARE = 4, 0.25
SETS = {"held_out.share": SHARE, "train_cfg.max_epochs": EPOCHS}
SCORES = "held_out/bright"


@pytest.fixture
def toy(monkeypatch, photos):
    """A run of the small fourth task, with a card of random weights, in an empty folder."""
    monkeypatch.setitem(STAGES, TOY_TASK.name, TOY_TASK)

    def made(work, **sets):
        run = Run(TOY_TASK.name, "resnet50d_best", "smoke", sets=SETS | sets, work_dir=work, data_root=photos)
        toy_card(run.card.parent)
        return run

    return made


def names_by_hash(root):
    """The last two parts of the paths of the training images, in the order of their SHA-256."""
    names = ["/".join(path.parts[-2:]) for path in (root / "train").rglob("*.jpg")]
    return sorted(names, key=lambda name: sha256(name.encode()).digest())


def test_what_is_held_out_follows_from_the_images_names_alone(photos, tmp_path):
    expected = names_by_hash(photos)
    somewhere = tmp_path / "somewhere" / "else"
    somewhere.parent.mkdir()
    somewhere.symlink_to(photos)
    for root in (photos, somewhere):
        files = dict(type="toy_task.Photos", data_root=str(root), split="train")
        parts = {
            held_out: DATASETS.build(dict(type="trick_transfer.Part", dataset=files, share=SHARE, held_out=held_out))
            for held_out in (True, False)
        }
        found = {held_out: [part.name(place) for place in part.places] for held_out, part in parts.items()}
        assert set(found[True]) == set(expected[:5]) and set(found[False]) == set(expected[5:])
        assert [name for name, _ in (parts[True][i]["data_samples"] for i in range(5))] == [
            Path(name).name for name in found[True]
        ]
    assert trained_on(Config(dict(held_out=dict(share=SHARE))), 20) == 15 and trained_on(Config({}), 20) == 20


def test_the_best_epoch_is_kept_scored_and_told(toy, photos, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        Photos, "__getitem__", lambda self, i, get=Photos.__getitem__: seen.append(self.files[i]) or get(self, i)
    )
    run = toy(tmp_path / "work")
    result = train(run)
    scored = result.curves[SCORES]
    assert [epoch for epoch, _ in scored] == list(range(1, EPOCHS + 1))
    chosen = result.chosen
    assert [chosen["epoch"], chosen["score"]] == max(scored, key=lambda point: point[1])
    assert (chosen["rule"], chosen["by"], chosen["images"], chosen["of_epochs"]) == ("best", "bright", 5, EPOCHS)
    assert result.samples_scored == 11 and result.curves["bright"] == [[chosen["epoch"], result.metrics["bright"]]]
    kept, model = load_file(run.folder / BEST.format(chosen["epoch"])), run.folder / "model.safetensors"
    assert all(tensor.equal(kept[name]) for name, tensor in load_file(model).items())
    held_out = set(names_by_hash(photos)[:5])
    times = [sum("/".join(path.parts[-2:]) == name for path in seen) for name in held_out]
    assert times == [EPOCHS] * 5, "each is read to be scored after each epoch, and never to be trained on"
    assert score(run, model) == result.metrics | {"samples_scored": 11}, "tools/test.py scores what is always scored"
    assert train(run) == result  # done already
    assert read(run.results_root / result.folder / "metrics.json").chosen == chosen


def test_the_last_epoch_may_count_instead(toy, tmp_path):
    run = toy(tmp_path / "work", **{"held_out.score": "last", "optim_wrapper.optimizer.lr": 0.0})
    result = train(run)
    assert len({value for _, value in result.curves[SCORES]}) == 1  # nothing is learnt at this rate
    assert result.chosen["epoch"] == EPOCHS and [*run.folder.glob(BEST.format("*"))]


@pytest.mark.parametrize("point", ["in an epoch", "before the checkpoint"])
def test_a_stopped_training_ends_as_if_it_had_not_been(toy, tmp_path, monkeypatch, point):
    whole = toy(tmp_path / "whole")
    expected = train(whole)

    class Stop(Exception):
        pass

    def stop(self, runner, *position, **more):
        if (runner.epoch, runner.epoch * 4) == (2, runner.iter):
            raise Stop

    target = (SeedEachStep, "before_train_iter") if point == "in an epoch" else (WholeCheckpoint, "after_val_epoch")
    again = toy(tmp_path / "again")
    with monkeypatch.context() as patch, pytest.raises(Stop):
        before = getattr(*target)
        patch.setattr(*target, lambda *words, **more: stop(*words, **more) or before(*words, **more))
        train(again)
    result = train(again)
    assert (result.curves, result.chosen, result.metrics) == (expected.curves, expected.chosen, expected.metrics)
    for name in (BEST.format(result.chosen["epoch"]), "model.safetensors"):
        assert (again.folder / name).read_bytes() == (whole.folder / name).read_bytes()


def test_a_training_that_gets_no_better_ends_early_and_a_resumed_one_as_early(toy, tmp_path):
    run = toy(tmp_path / "work", **{"held_out.patience": 2, "optim_wrapper.optimizer.lr": 0.0})
    result = train(run)
    assert (result.chosen["epoch"], result.chosen["of_epochs"]) == (1, 3), "epochs 2 and 3 are no better"

    class Stopped:
        message_hub = type("Hub", (), {"runtime_info": {"curves": {SCORES: [[1, 5.0], [2, 7.0], [3, 6.0]]}}})
        train_loop = type("Loop", (), {"stop_training": False})
        logger = type("Logger", (), {"info": print})
        epoch = 3

    hook = EarlyStopping(SCORES, rule="greater", min_delta=1e-9, patience=2)
    hook.before_train(Stopped)
    assert not Stopped.train_loop.stop_training
    hook.after_val_epoch(Stopped, {SCORES: 6.5})
    assert Stopped.train_loop.stop_training


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_classifier_holds_out_too_unless_it_is_not_trained(photos, epochs):
    sets = {"data.num_train": 20, "data.num_val": 11, "model.backbone.depth": 18, "max_epochs": epochs}
    run = Run("classification", "resnet50d_cosine", "smoke", sets=sets | {"held_out.share": SHARE}, data_root=photos)
    result = train(run)
    assert result.samples_scored == 8 and (run.card.parent / "backbone.safetensors").is_file()
    assert len(result.curves.get("held_out/top1", ())) == epochs
    assert result.chosen.get("images", 0) == (5 if epochs else 0)
    assert result.protocol_hash != Run("classification", "resnet50d_cosine", "smoke", sets=sets).protocol_hash()


def test_of_equal_epochs_the_first_is_the_best_in_either_direction():
    points = [[1, 3.0], [2, 5.0], [3, 5.0], [4, 3.0]]
    assert best(points, "higher") == [2, 5.0] and best(points, "lower") == [1, 3.0]


@pytest.mark.parametrize("stage", ["classification", "detection", "segmentation"])
def test_a_run_with_held_out_images_is_another_experiment(stage):
    plain, held_out = (Run(stage, "resnet50d_best", "smoke", sets=sets) for sets in ({}, {"held_out.share": 0.1}))
    assert held_out.protocol_hash() != plain.protocol_hash()
    assert held_out.folder != plain.folder and "held_out.share-0.1" in held_out.name
    assert "held_out" not in plain.layers.cfg


def test_a_teacher_does_not_see_what_its_student_holds_out():
    student = Run("classification", "resnet50d_best", "smoke", sets={"held_out.share": 0.1, "global_batch": 4})
    assert student.upstream().sets == {"held_out.share": 0.1}


@pytest.mark.parametrize(
    ("words", "sets"),
    [
        (("--held-out", "0.2", "--patience", "3"), [{"held_out.share": 0.2, "held_out.patience": 3}] * 2),
        (("--set", "detection.held_out.share=0.2"), [{}, {"held_out.share": 0.2}]),
        ((), [{}, {}]),
    ],
)
def test_the_option_is_every_stages_and_a_setting_one_stages(monkeypatch, words, sets):
    from trick_transfer.commands import pipeline as tool

    stages = ("--stages", "classification", "detection")
    monkeypatch.setattr(sys, "argv", ["pipeline", "resnet50d_cosine", *stages, "--tier", "smoke", *words])
    args = tool.options()
    (planned,) = tool.chains(args)
    assert [run.sets for run in planned] == sets


def test_a_dry_run_says_how_many_images_are_trained_on():
    run = Run("classification", "resnet50d_cosine", "smoke", sets={"held_out.share": 0.25, "max_epochs": 1})
    assert "of 4,500 images: 2 steps" in dry_run(run, 1, 1)


@pytest.mark.parametrize(
    ("sets", "named"),
    [
        ({"held_out.share": 1.5}, ("held_out.share", "<= 0.9", "1.5")),
        ({"held_out.share": 0}, ("held_out.share", ">= 0.001")),
        ({"held_out.shar": 0.1}, ("held_out.shar", "'share'")),
        ({"held_out": 0.1}, ("held_out", "share", "0.1")),
        ({"held_out.by": "top2"}, ("held_out.by 'top2'", "did you mean 'top")),
        ({"held_out.score": "first"}, ("held_out.score", "best, last")),
        ({"held_out.patience": 1.5}, ("held_out.patience", "whole number")),
    ],
    ids=str,
)
def test_what_cannot_be_held_out_is_refused_in_one_line(sets, named):
    with pytest.raises(ValueError) as error:
        Run("classification", "resnet50d_best", "smoke", sets=sets).layers  # noqa: B018
    assert [each for each in named if each not in str(error.value)] == [] and "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["classification", "detection", "segmentation"])
def test_each_stage_trains_on_the_rest_and_scores_what_is_held_out(stage, home, monkeypatch, tmp_path):
    monkeypatch.chdir(home)
    sets = {"held_out.share": 0.01} | (
        {"max_epochs": 2, "tricks.distillation": None} if stage == "classification" else {}
    )
    run = Run(stage, "resnet50d_best", "smoke", sets=sets, work_dir=tmp_path)
    if stage != "classification":
        toy_card(run.card.parent)
    result = train(run)
    curve = result.curves[f"held_out/{result.chosen['by']}"]
    assert [epoch for epoch, _ in curve] == list(range(1, result.chosen["of_epochs"] + 1))
    assert result.samples_scored == 8 and result.chosen["by"] in ("top1", "map_voc07", "miou")
