"""The bag of tricks: disjoint slots, and what each trick does to the Config and to a real optimiser."""

import ast
import math
import random
from itertools import combinations
from pathlib import Path

import pytest
import timm
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from timm.optim import param_groups_weight_decay
from torch import nn
from torch.utils.data import DataLoader

import classification
from classification.classifier import ImageClassifier
from classification.config import finish, load, names
from classification.tricks import BAG, check_tricks, switch
from classification.tricks.schedule import schedulers
from trick_transfer.engine.batch import solve
from trick_transfer.engine.seeding import DrawSampler

FOLDER = Path(classification.__file__).parent
OPTIONS = {name: {} for name in BAG} | {"distillation": dict(teacher="resnet152d_mixup")}


def after(*tricks):
    """The baseline's Config with these tricks applied in this order."""
    cfg = Config.fromfile(FOLDER / "baseline.py")
    for name in tricks:
        switch(cfg, name, OPTIONS[name])
    return cfg.to_dict()


def flat(node, path=""):
    """Dotted keys -> values."""
    if not isinstance(node, dict):
        return {path: node}
    return {key: value for name, child in node.items() for key, value in flat(child, f"{path}.{name}").items()}


def slots(name):
    """The keys of the baseline that a trick changes; what it adds below a key counts as that key."""
    before, now = flat(after()), flat(after(name))
    return {key for key, value in before.items() if now.get(key, key) != value}


def test_each_trick_owns_its_slots_alone():
    for one, other in combinations(BAG, 2):
        assert not slots(one) & slots(other), f"{one} and {other}"
    assert slots("mixup") == {".model.mix"} and slots("distillation") == {".model.teacher"}
    assert slots("large_batch") == {".global_batch", ".optim_wrapper.optimizer.lr"}


def test_tricks_commute():
    whole = after(*BAG)
    for one, other in combinations(BAG, 2):
        assert after(one, other) == after(other, one)
    for seed in range(5):
        assert after(*random.Random(seed).sample(list(BAG), len(BAG))) == whole


@pytest.mark.parametrize("batch", [256, 512, 1024, 2048])
def test_the_rate_grows_in_proportion_to_the_batch(batch):
    cfg = load("resnet50_efficient", {"tricks.large_batch.batch": batch})
    assert cfg.global_batch == batch
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(0.1 * batch / 256)  # sec. 3.1


def rates(steps_per_epoch, epochs, eta=0.4, **schedule):
    """The rate at each batch of a real optimiser stepped as mmengine's hook does: after each update."""
    weight = nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=eta)
    plan = [
        PARAM_SCHEDULERS.build(each, default_args=dict(optimizer=optimiser))
        for each in schedulers(steps_per_epoch, epochs, **schedule)
    ]
    found = []
    for _ in range(steps_per_epoch * epochs):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        for each in plan:
            each.step()
    return found


@pytest.mark.parametrize(("steps_per_epoch", "epochs", "warmup_epochs"), [(10, 20, 5), (7, 3, 0.5), (4, 3, 0)])
def test_the_rate_warms_up_linearly_then_follows_equation_1(steps_per_epoch, epochs, warmup_epochs):
    found = rates(steps_per_epoch, epochs, warmup_epochs=warmup_epochs, decay="cosine", milestones=())
    m = round(warmup_epochs * steps_per_epoch)
    big_t = steps_per_epoch * epochs - m
    warm = [i * 0.4 / m for i in range(1, m + 1)]  # sec. 3.1: "at batch i, 1 <= i <= m"
    cosine = [0.5 * (1 + math.cos(t * math.pi / big_t)) * 0.4 for t in range(big_t)]  # eq. 1
    assert found == pytest.approx(warm + cosine, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("warmup_epochs", [0, 5])
def test_steps_are_at_absolute_epochs_with_the_warm_up_counted(warmup_epochs):
    found = rates(4, 120, warmup_epochs=warmup_epochs, decay="step", milestones=(30, 60, 90))
    expected = [0.4 * 0.1 ** ((batch // 4 >= 30) + (batch // 4 >= 60) + (batch // 4 >= 90)) for batch in range(480)]
    m = 4 * warmup_epochs
    assert found == pytest.approx([(i + 1) * 0.4 / m for i in range(m)] + expected[m:], rel=1e-6)


@pytest.mark.parametrize(("images", "devices", "batch"), [(1281167, 8, 1024), (15, 2, 8), (20, 2, 4), (9, 1, 4)])
def test_the_schedule_is_as_long_as_the_training(monkeypatch, images, devices, batch):
    """Each process's loader has as many steps as the schedule counts: whole global batches, on any devices."""
    monkeypatch.setattr("mmengine.dataset.sampler.get_dist_info", lambda: (0, devices))
    cfg = load("resnet50d_cosine", {"data.num_train": images})
    finish(cfg, solve(batch, devices))
    sampler = DrawSampler(range(images), seed=0, images=cfg.train_dataloader.sampler.images)
    steps = len(DataLoader(range(images), batch // devices, sampler=sampler, drop_last=True))
    assert cfg.param_scheduler[-1]["end"] == 120 * steps and steps == images // batch
    assert len({index for index, _ in sampler}) == steps * batch // devices, "no image twice"


def test_too_few_images_for_one_step_are_refused():
    with pytest.raises(ValueError, match="^20 .* 256 "):
        finish(load("resnet50_baseline", {"data.num_train": 20}), solve(256))


def small(cfg):
    return ImageClassifier(backbone=dict(cfg.model.backbone, depth=18), num_classes=5)


def decayed(cfg):
    """Names of the parameters that the recipe's optimiser decays."""
    model = small(cfg)
    found = decay_of(model, cfg)
    return {name for name, p in model.named_parameters() if found[id(p)]}, model


def decay_of(model, cfg):
    """The decay of each parameter's id, in the optimiser of a training (`runs.resolve` names the constructor)."""
    wrapper = build_optim_wrapper(model, dict(cfg.optim_wrapper, constructor="trick_transfer.MergedGroups"))
    found = {id(p): g["weight_decay"] for g in wrapper.optimizer.param_groups for p in g["params"]}
    assert set(found.values()) <= {0.0, 1e-4} and len(found) == len(list(model.parameters()))
    return found


def test_no_bias_decay_decays_exactly_the_weights_of_convolutions_and_the_output_layer():
    names, model = decayed(load("resnet50_baseline", {"tricks.no_bias_decay": {}}))
    layers = {f"{n}.weight" for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    assert names == layers and "head.weight" in names


@pytest.mark.parametrize("name", ["convnext_atto", "convnextv2_atto", "mobilenetv1_100", "vit_tiny_patch16_224",
                                  "swin_tiny_patch4_window7_224"])  # fmt: skip
def test_of_any_network_no_bias_decay_spares_what_timm_spares(name):
    """timm's own rule: decay only what has two dimensions or more, and is not on the network's own list."""
    cfg = load("resnet50_baseline", {"tricks.no_bias_decay": {}, "model.backbone": f"timm/{name}"})
    model = ImageClassifier(backbone=cfg.model.backbone, num_classes=5)
    ours = {each for each, decay in decay_of(model, cfg).items() if decay}
    listed = {each.rsplit(".")[-1] for each in getattr(timm.create_model(name), "no_weight_decay", set)()}
    spared = [each for each, _ in model.named_parameters() if each.rsplit(".")[-1] in listed]
    groups = param_groups_weight_decay(model, 1e-4, no_weight_decay_list=spared)
    assert ours == {id(p) for group in groups if group["weight_decay"] for p in group["params"]}


def test_the_baseline_decays_everything():
    names, model = decayed(load("resnet50_baseline"))
    assert names == {name for name, _ in model.named_parameters()}


def test_zero_gamma_is_the_backbones_own_and_amp_its_wrapper():
    norms = {n: p for n, p in small(load("resnet50_efficient")).named_parameters() if ".path.1.bn.weight" in n}
    assert norms and all(not p.any() for p in norms.values())
    assert load("resnet50_efficient").optim_wrapper.type == "trick_transfer.LowPrecisionOptimWrapper"


def test_the_baseline_is_that_of_section_2_1():
    cfg = load("resnet50_baseline")
    sgd = dict(cfg.optim_wrapper.optimizer)
    assert sgd == dict(type="SGD", lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4)
    assert (cfg.global_batch, cfg.max_epochs, list(cfg.schedule.milestones)) == (256, 120, [30, 60, 90])
    assert (cfg.schedule.warmup_epochs, cfg.schedule.decay) == (0, "step")
    assert not (cfg.model.smoothing or cfg.model.mix or cfg.model.teacher or cfg.model.backbone.zero_gamma)


@pytest.mark.parametrize("recipe", names())
def test_every_recipe_loads_and_cites_the_paper(recipe):
    cfg = load(recipe)
    assert "tricks" not in cfg and cfg.model.num_classes == (365 if recipe.endswith("_places365") else 1000)
    text = ast.get_docstring(ast.parse((FOLDER / "recipes" / f"{recipe}.py").read_text()))
    assert "Table" in text or "sec. " in text or "not a row of the paper" in text.lower()


def test_a_trick_is_left_out_by_none():
    assert load("resnet50d_best").model.mix == dict(alpha=0.2)
    assert load("resnet50d_best", {"tricks.mixup": None}).model.mix is None


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({"tricks.mixpu": {}}, "'mixpu' .*'mixup'"),
        ({"tricks.mixup.alhpa": 0.4}, "mixup 'alhpa' .*'alpha'"),
        ({"tricks.amp.x": 1}, "amp 'x'"),
        ({"tricks.mixup": 0.4}, "mixup .*None.* 0.4"),
        ({"tricks.mixup.alpha": 0}, "mixup: alpha .* 0$"),
        ({"tricks.label_smoothing.eps": 1}, r"label_smoothing: eps .*\[0, 1\).* 1$"),
        ({"tricks.label_smoothing.form": "torch"}, "form 'torch' .*authors, paper"),
        ({"tricks.distillation.temperature": 0}, "distillation: temperature .* 0$"),
        ({"tricks.schedule.decay": "cosin"}, "decay 'cosin' .*'cosine'"),
        ({"model.backbone": None}, "backbone 'None' .*timm/NAME"),
        ({"max_epoch": 3}, "'max_epoch' .*'max_epochs'"),
        ({"optim_wrapper.optimizer.momemtum": 0}, "optimizer.momemtum' .*'momentum'"),
        ({"model.backbone.dept": 18}, "'model.backbone.dept' .*'depth'"),
        ({"model.backbone.type": "backbones.ResNest"}, "'backbones.ResNest' .*'backbones.ResNet'"),
    ],
)
def test_an_unknown_name_or_value_is_refused_with_a_known_one(sets, message):
    with pytest.raises(ValueError, match=message):
        check_tricks(load("resnet50d_best", sets))


def test_an_unknown_recipe_is_refused_with_the_closest_names():
    with pytest.raises(ValueError, match="'resnet50d_bset' .*'resnet50d_best'"):
        load("resnet50d_bset")
    with pytest.raises(ValueError, match=r"'zzz' .* \w+, \w+, \w+$"):
        load("zzz")
