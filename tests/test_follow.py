"""--follow: all of the paper's text, or all of its authors' code, where the two differ."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS
from timm.layers import BatchNormAct2d
from torch import nn
from toy_task.stage import TOY_TASK

from classification.augment import PixelScaler, authors_crop, center_crop
from classification.classifier import ImageClassifier
from classification.config import load
from classification.follow import AUTHORS, gaussian
from classification.norms import split_norms
from classification.tricks.schedule import schedulers
from trick_transfer.engine.values import value_at
from trick_transfer.runs.conditions import conditions
from trick_transfer.runs.identity import plain
from trick_transfer.runs.resolve import resolve
from trick_transfer.runs.run import Run
from trick_transfer.runs.tiers import load as load_tier
from trick_transfer.stages import STAGES

TEXT, CODE = ("resnet50d_best", {}), ("resnet50d_best", {"follow": "authors"})


def forms(cfg: Config):
    model, data = cfg.model, cfg.train_dataloader.dataset.dataset
    scaler = model.data_preprocessor.get("pca_clipped", False)
    return (data.crop.type, data.jitter.form, scaler, model.smoothing.form, model.teacher.form, model.get("start"))


def test_each_form_that_has_a_name_is_set_at_once():
    assert forms(load(*TEXT)) == ("random", "hsv", False, "paper", "paper", None)
    assert forms(load(*CODE)) == ("authors", "authors", True, "authors", "authors", "gaussian")


def test_what_a_recipe_leaves_out_stays_out_and_a_stated_form_stays():
    bare = load("resnet50_baseline", {"follow": "authors"})
    assert bare.model.smoothing is None and bare.model.teacher is None
    stated = load("resnet50d_best", {"follow": "authors", "tricks.distillation.form": "paper"})
    assert (stated.model.smoothing.form, stated.model.teacher.form) == ("authors", "paper")


def test_the_paper_tier_follows_the_code_and_all_others_the_text(tmp_path):
    tiers = {
        tier: Run("classification", "resnet50d_best", tier, work_dir=tmp_path) for tier in ("paper", "mini", "smoke")
    }
    assert {tier: "follow" in run.draft() for tier, run in tiers.items()} == dict(paper=True, mini=False, smoke=False)
    text = replace(tiers["paper"], sets={"follow": "text"})
    assert forms(text.draft()) == forms(load(*TEXT))
    assert text.protocol_hash() != tiers["paper"].protocol_hash(), "never in one table"
    assert text.folder != tiers["paper"].folder


def test_naming_the_default_is_no_other_experiment(tmp_path):
    for tier, default, other in (("paper", "authors", "text"), ("mini", "text", "authors")):
        plain_run = Run("classification", "resnet50d_best", tier, work_dir=tmp_path)
        assert replace(plain_run, sets={"follow": default}).folder == plain_run.folder
        assert replace(plain_run, sets={"follow": other}).name == f"resnet50d_best+follow-{other}"


@pytest.mark.parametrize(
    ("stage", "text", "authors"),
    [("detection", "faster_rcnn_voc", "faster_rcnn_voc_authors"), ("segmentation", "fcn_ade20k", "fcn_ade20k_authors")],
)
def test_downstream_whom_to_follow_is_a_protocol_and_one_that_is_named_goes_first(stage, text, authors, tmp_path):
    def run(whom, tier="mini", protocol=None):
        sets = {"follow": whom} if whom else {}
        return Run(stage, "resnet50d_best", tier, sets=sets, protocol=protocol, work_dir=tmp_path)

    for tier in ("mini", "paper"):
        assert run(None, tier).recipe_or_protocol == run("text", tier).recipe_or_protocol == text
    assert run("authors") == run(None, protocol=authors), "not a setting besides, so one folder"
    assert run("authors").folder.name == f"{stage}-{authors}"
    assert run("authors", protocol=text).recipe_or_protocol == text
    with pytest.raises(ValueError, match="--follow 'author' does not exist; did you mean 'authors'"):
        run("author")


def test_a_task_without_a_protocol_of_the_authors_has_its_own(monkeypatch):
    monkeypatch.setitem(STAGES, TOY_TASK.name, TOY_TASK)
    assert Run(TOY_TASK.name, "resnet50d_best", sets={"follow": "authors"}).recipe_or_protocol == "brightness"


def test_a_tiers_early_settings_are_whom_to_follow_alone(tmp_path):
    path = tmp_path / "mine.py"
    for text in ("classification = dict(early={'max_epochs': 3})", "detection = dict(early={'follow': 'text'})"):
        path.write_text(text)
        load_tier.cache_clear()
        with pytest.raises(ValueError, match="early holds `follow`, of classification alone"):
            load_tier(str(path))


def test_an_unknown_start_is_refused():
    with pytest.raises(ValueError, match="model.start 'normal' does not exist"):
        ImageClassifier(dict(type="backbones.ResNet", depth=18), 10, start="normal")


def test_a_student_and_its_teacher_follow_the_same(tmp_path):
    student = Run("classification", "resnet50d_best", sets={"follow": "authors"}, work_dir=tmp_path)
    assert plain(student.upstream().draft())["follow"] == "authors"
    assert student.upstream().seed == student.seed


def test_whom_else_to_follow_is_refused():
    with pytest.raises(ValueError, match="--follow 'author' does not exist; did you mean 'authors'"):
        load("resnet50d_best", {"follow": "author"})


def test_the_start_has_the_variance_of_msraprelu():
    """MXNet: magnitude 2 / (1 + 0.25^2), divided by the mean of fan-in and fan-out, which count the kernel's area."""
    torch.manual_seed(0)
    conv, linear = nn.Conv2d(64, 128, 3), nn.Linear(512, 1000)
    for layer, fan_in, fan_out in ((conv, 64 * 9, 128 * 9), (linear, 512, 1000)):
        layer.apply(gaussian)
        assert float(layer.weight.var()) == pytest.approx(2 / (1 + 0.25**2) / ((fan_in + fan_out) / 2), rel=0.02)
    net = dict(type="backbones.ResNet", depth=18, tweak="b", zero_gamma=True)
    uniform, normal = (ImageClassifier(net, 10, start=start).backbone for start in ("xavier", "gaussian"))
    for backbone, tail in ((uniform, False), (normal, True)):
        weights = backbone.stage4[0].path[0].conv.weight
        assert bool((weights.abs() > 3 * weights.std()).any()) is tail, "a uniform has no tail beyond 1.73 sd"
    assert not normal.stage1[0].last_norm.weight.any(), "zero gamma stays"


def test_noise_on_uint8_is_rounded_and_clipped():
    images = torch.randint(0, 256, (8, 5, 7, 3), dtype=torch.uint8)
    options = dict(mean=(0.0,) * 3, std=(1.0,) * 3, pca_std=1.0)  # ten times the paper's, so that much is clipped
    torch.manual_seed(0)
    free = PixelScaler(**options).normalise(images, training=True)
    torch.manual_seed(0)
    clipped = PixelScaler(**options, pca_clipped=True).normalise(images, training=True)
    assert torch.allclose(clipped, free.round().clamp(0, 255), atol=0.51) and not torch.allclose(
        clipped, free, atol=1.0
    )
    assert float(clipped.min()) >= 0 and float(clipped.max()) <= 255 and torch.equal(clipped, clipped.round())
    still = PixelScaler(**options, pca_clipped=True).normalise(images, training=False)
    assert torch.equal(still, images.permute(0, 3, 1, 2).float())


def test_the_authors_crop_swaps_sides_half_of_the_time():
    """With a fixed aspect of 4/3 the region is wide, or as often high; a picture of its own columns tells which."""
    np.random.seed(0)
    image = np.broadcast_to(np.arange(200, dtype=np.uint8)[:, None, None], (200, 200, 3)).copy()
    heights = []
    for _ in range(400):
        found = authors_crop(image, 64, (0.25, 0.25), (4 / 3, 4 / 3))
        heights.append(int(found[-1, 0, 0]) - int(found[0, 0, 0]))
    high, wide = 200 * 0.5 * (4 / 3) ** 0.5, 200 * 0.5 * (3 / 4) ** 0.5
    nearer_high = [abs(each - high) < abs(each - wide) for each in heights]
    assert 0.4 < np.mean(nearer_high) < 0.6


@pytest.mark.parametrize(("height", "width"), [(300, 900), (40, 300)])
def test_where_no_region_fits_the_authors_take_the_middle_as_it_is(height, width):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    found = authors_crop(image, 64, (1.0, 1.0), (1.0, 1.0))  # a square of the whole area fits in neither
    if height >= 64:
        top, left = (height - 64) // 2, (width - 64) // 2
        assert np.array_equal(found, image[top : top + 64, left : left + 64])
    else:
        assert np.array_equal(found, center_crop(image, 64, 64)) and found.shape == (64, 64, 3)


def test_every_key_that_is_set_exists_or_is_an_option_of_ours():
    cfg = load("resnet50_baseline")
    new = {"model.data_preprocessor.pca_clipped", "model.start", "model.norm_parts", "schedule.warmup_from", "follow"}
    assert all(value_at(cfg._cfg_dict, key) for key in AUTHORS.keys() - new)


def rates(epochs=6, updates=10, **options):
    """The rate of each update, of a peak of 1."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    plan = schedulers(updates, epochs, 1.5, "cosine", (), **options)
    made = [PARAM_SCHEDULERS.build(each, default_args=dict(optimizer=optimiser)) for each in plan]
    optimiser.step()
    found = []
    for _ in range(epochs * updates):
        found.append(optimiser.param_groups[0]["lr"])
        for each in made:
            each.step()
    return found


def test_the_authors_warm_up_and_cosine_count_batches_from_0():
    """As their logs do: 0.003133 = 0.4 x 49 / 6255 after 49 batches, then the cosine over what is left."""
    warm, total = 15, 60
    expected = [i / warm if i < warm else (1 + np.cos(np.pi * (i - warm) / (total - warm))) / 2 for i in range(total)]
    assert rates(warmup_from=0) == pytest.approx(expected, abs=1e-8)
    assert load(*CODE).schedule.warmup_from == 0 and "warmup_from" not in load(*TEXT).schedule


def test_the_authors_teachers_have_their_own_batch_rate_and_precision():
    for name, batch, rate in (("resnet152d_smooth", 512, 0.2), ("resnet152d_mixup", 256, 0.1)):
        theirs, ours = load(name, {"follow": "authors"}), load(name)
        assert (theirs.global_batch, theirs.optim_wrapper.optimizer.lr) == (batch, pytest.approx(rate))
        assert theirs.optim_wrapper.type == "OptimWrapper" and "LowPrecision" in ours.optim_wrapper.type
        assert (ours.global_batch, ours.optim_wrapper.optimizer.lr) == (1024, pytest.approx(0.4))
    mine = load("resnet152d_mixup", {"follow": "authors", "tricks.large_batch.batch": 128})
    assert mine.global_batch == 128, "what the user sets comes later"


def test_the_authors_resnet_without_tweaks_has_biases_and_the_others_none():
    """25,575,912 parameters with the biases, 25,557,032 without: GluonCV's and torchvision's counts."""
    for recipe, total in (("resnet50_baseline", 25_575_912), ("resnet50b_efficient", 25_557_032)):
        cfg = load(recipe, {"follow": "authors"})
        model = ImageClassifier(cfg.model.backbone, 1000)
        assert sum(each.numel() for each in model.parameters()) == total
    assert not load("resnet50_baseline").model.backbone.get("biases")


def test_batch_norm_sees_what_each_of_eight_gpus_saw():
    """Against eight layers, each with its part; the running statistics are the mean of theirs, as Gluon saves them."""
    torch.manual_seed(0)
    images = torch.randn(32, 3, 5, 5)
    whole = nn.Sequential(nn.BatchNorm2d(3), BatchNormAct2d(3))
    alone = [deepcopy(whole[0]) for _ in range(8)]
    split_norms(whole, 8)
    found = whole[0](images)
    expected = torch.cat([layer(part) for layer, part in zip(alone, images.chunk(8), strict=True)])
    assert torch.equal(found, expected)
    found.square().sum().backward()
    expected.square().sum().backward()
    assert torch.allclose(whole[0].weight.grad, sum(layer.weight.grad for layer in alone))
    for name in ("running_mean", "running_var"):
        mean = torch.stack([getattr(layer, name) for layer in alone]).mean(0)
        assert torch.allclose(getattr(whole[0], name), mean)
    found = found.detach()
    assert torch.equal(whole[1](found), torch.cat([BatchNormAct2d(3)(part) for part in found.chunk(8)]))
    assert whole.state_dict().keys() == nn.Sequential(nn.BatchNorm2d(3), BatchNormAct2d(3)).state_dict().keys()
    whole.eval()
    assert torch.equal(whole[0](images), nn.functional.batch_norm(images, whole[0].running_mean, whole[0].running_var))


def test_a_step_has_its_share_of_the_parts_and_uneven_ones_are_refused(tmp_path):
    run = Run("classification", "resnet50d_cosine", "paper", work_dir=tmp_path)
    for devices, accumulation, parts in ((1, 1, 8), (2, 2, 2), (8, 1, 1)):
        batch = run.batch(devices, accumulation)
        assert resolve(run, run.layers, batch).cfg.model.norm_parts == parts
        assert conditions(run.task, None, run.layers.cfg, batch)["norm_parts"] == 8
    with pytest.raises(ValueError, match="1024 images in 8 equal parts, .* choose --gpus and --accumulate"):
        resolve(run, run.layers, run.batch(16))
