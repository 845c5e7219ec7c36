"""Every row of every table is built and takes two steps, as it would on the paper's data, by the paper's schedule."""

import json
import re
from math import cos, pi
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import PARAM_SCHEDULERS

from backbones.resnet import ResNet
from classification.config import load, names
from trick_transfer.runs.dry_run import dry_run, rates
from trick_transfer.runs.resolve import resolve
from trick_transfer.runs.run import Run
from trick_transfer.runs.training import count_updates

TABLES_8_AND_9 = [
    "resnet50b_standard", "resnet50d_efficient", "resnet50d_cosine", "resnet50d_smooth", "resnet50d_distill",
    "resnet50d_mixup", "resnet50d_best",
]  # fmt: skip
NETWORKS = ["resnet50b_standard", "resnet50d_best"]  # of these seven rows


def rate(cfg, step, epoch_steps):
    """The learning rate of a step, from 0, by the paper's formulas (sec. 2.1, 3.1 and eq. 1)."""
    lr, schedule = cfg.optim_wrapper.optimizer.lr, cfg.schedule
    warmup = schedule.warmup_epochs * epoch_steps
    if step < warmup:
        return lr * (step + schedule.get("warmup_from", 1)) / warmup
    if schedule.decay == "cosine":
        return lr * (1 + cos(pi * (step - warmup) / (cfg.max_epochs * epoch_steps - warmup))) / 2
    return lr / 10 ** sum(step >= epoch * epoch_steps for epoch in schedule.milestones)


@pytest.mark.parametrize("stage", ["classification", "detection", "segmentation"])
def test_the_planned_rates_do_not_depend_on_how_a_batch_is_accumulated(stage):
    run = Run(stage, "resnet50d_best", sets={})
    images = 480  # whole batches of every stage
    courses = []
    for parts in (1, 2):
        batch = run.batch(1, parts)
        courses.append(rates(resolve(run, run.layers, batch).cfg, images // batch.per_device))
    assert courses[0] == courses[1] and len({*courses[0]}) > 2


def test_a_run_counts_an_epochs_updates():
    """62 parts of batches are 31 updates of two: the rate reaches 0 with the last of four epochs."""
    steps = dict(type="PolyLR", power=0.9, eta_min=0.0, begin=0, end=4, by_epoch=True, convert_to_iter_based=True)
    runner = SimpleNamespace(train_loop=SimpleNamespace(dataloader=range(62)), param_schedulers=[steps])
    count_updates(runner, 2)
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    schedule = PARAM_SCHEDULERS.build(steps, default_args=dict(optimizer=optimiser, epoch_length=62))
    optimiser.step()
    course = []
    for _ in range(4 * 31):
        course.append(optimiser.param_groups[0]["lr"])
        schedule.step()
    assert course[62] == pytest.approx((1 - 62 / 123) ** 0.9, abs=0.01) and course[-2] > course[-1] == 0


def leave_out_scoring(monkeypatch):
    """And drawing: at the paper's size an image takes many seconds."""
    monkeypatch.setattr("mmengine.runner.Runner.val", lambda runner: {})
    monkeypatch.setattr("trick_transfer.runs.predictions.ShowPredictions.after_train_epoch", lambda hook, runner: None)


def network(name):
    """What two recipes share if one training step of theirs computes the same layers."""
    cfg = load(name)
    backbone = {key: value for key, value in cfg.model.backbone.items() if key != "zero_gamma"}
    return json.dumps([backbone, cfg.train_dataloader.dataset.dataset.crop, bool(cfg.model.teacher)])


RECIPES = [name for name in names() if name != "given"]  # which needs weights
FIRST_OF_A_NETWORK = {network(name): name for name in reversed(RECIPES)}.values()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Detected call of `scheduler.step")  # where no step is taken
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_trains_at_the_papers_size_by_the_papers_schedule(name, monkeypatch):
    """One recipe per network does the arithmetic of its two steps."""
    if name not in FIRST_OF_A_NETWORK:
        monkeypatch.setattr("mmengine.model.BaseModel.train_step", lambda *_, **__: dict(loss=torch.tensor(0.0)))
        leave_out_scoring(monkeypatch)
    cfg = load(name, {"follow": "authors"})  # as the tier does
    plan = dry_run(Run("classification", name, "paper"), devices=8, accumulation=1)
    if cfg.max_epochs == 0:
        assert "nothing is trained" in plan
        return
    epoch_steps = cfg.data.num_train // 8 // (cfg.global_batch // 8)
    steps = cfg.max_epochs * epoch_steps
    assert f": global batch {cfg.global_batch} = {cfg.global_batch // 8} a device x 8 x 1 accumulated" in plan
    assert f"{cfg.max_epochs} epochs of {cfg.data.num_train:,} images: {steps:,} steps" in plan
    course = [float(word) for word in re.search(r"the last step: (.*)", plan)[1].split(", ")]
    expected = [rate(cfg, step, epoch_steps) for step in (0, steps // 2, steps - 1)]
    assert course == pytest.approx(expected, rel=0.01, abs=1e-8)
    decaying, rest = (
        float(word) for word in re.search(r"parameters: (\S+) M with weight decay, (\S+) M", plan).groups()
    )
    assert (rest > 0) == (cfg.optim_wrapper.paramwise_cfg is not None) and decaying > 1


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_backbone_of_table_8_trains_in_the_detector(name, monkeypatch):
    if name != NETWORKS[-1]:
        leave_out_scoring(monkeypatch)
    plan = dry_run(Run("detection", name, "paper"), devices=4, accumulation=1)
    assert "global batch 4 = 1 a device x 4 x 1 accumulated" in plan
    assert "20 epochs of 16,551 images: 82,760 steps" in plan  # VOC07+12 trainval: 5,011 + 11,540
    assert "the last step: 0.000333, 0.001, 0.0001" in plan  # warm-up from a third; divided by 10 at epoch 14


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_backbone_of_table_9_trains_in_the_segmenter(name, monkeypatch):
    if name != NETWORKS[-1]:
        leave_out_scoring(monkeypatch)
    plan = dry_run(Run("segmentation", name, "paper"), devices=4, accumulation=1)
    assert "global batch 16 = 4 a device x 4 x 1 accumulated" in plan
    assert "120 epochs of 20,210 images: 151,560 steps" in plan
    assert f"the last step: 0.01, {0.01 * 0.5**0.9:.3g}, " in plan  # poly


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Detected call of `scheduler.step")  # the optimiser takes no step here
@pytest.mark.parametrize(("stage", "steps"), [("detection", "82,760"), ("segmentation", "151,560")])
@pytest.mark.parametrize("name", TABLES_8_AND_9)
def test_every_row_of_tables_8_and_9_is_built_and_gets_its_images(name, stage, steps, monkeypatch):
    """All but the arithmetic of the steps and of scoring, which takes minutes a row; one does it above."""
    seen = []

    def train_step(model, data, optim_wrapper):
        tweaks = {module.tweak for module in model.modules() if isinstance(module, ResNet)}
        seen.append((tweaks, len(data["inputs"])))
        return dict(loss=torch.tensor(0.0))

    monkeypatch.setattr("mmengine.model.BaseModel.train_step", train_step)
    leave_out_scoring(monkeypatch)
    assert f": {steps} steps" in dry_run(Run(stage, name, "paper"), devices=4, accumulation=1)
    assert seen == [({"b" if name == "resnet50b_standard" else "bcd"}, 2)] * 2


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["classification", "detection", "segmentation"])
def test_the_embedded_tier_has_its_plan_too(stage):
    plan = dry_run(Run(stage, "resnet50d_best"), devices=1, accumulation=2)
    assert "x 1 x 2 accumulated" in plan and "parameters: " in plan and "memory: about" in plan


def test_any_network_of_timm_stands_in_any_recipe():
    run = Run("classification", "resnet50_efficient", "paper", sets={"model.backbone": "timm/resnet18"})
    decaying, rest = re.search(r"parameters: (\S+) M with weight decay, (\S+) M", dry_run(run, 8, 1)).groups()
    assert float(decaying) + float(rest) == pytest.approx(11.69, abs=0.01)  # torchvision's and timm's ResNet-18


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dry_run(Run("classification", "resnet50_baseline"), devices=1, accumulation=1)
    assert not list(tmp_path.iterdir())


def test_what_a_run_refuses_a_dry_run_refuses():
    with pytest.raises(ValueError, match="a global batch of 256 does not divide over 3 devices"):
        dry_run(Run("classification", "resnet50_baseline", "paper"), devices=3, accumulation=1)
    with pytest.raises(ValueError, match="recipe 'resnet50d_bst' does not exist; did you mean 'resnet50d_best'"):
        dry_run(Run("detection", "resnet50d_bst", "paper"), devices=4, accumulation=1)


def test_a_downstream_dry_run_of_what_was_set_upstream_says_what_checks_it():
    set_upstream = "resnet50_baseline+model.backbone-timm_resnet18"
    with pytest.raises(ValueError, match="tools/pipeline.py resnet50_baseline --tier paper --plan --set .* checks"):
        dry_run(Run("detection", set_upstream, "paper"), devices=4, accumulation=1)
