"""The protocols beside fine-tuning: what is frozen stays as it came, and from scratch nothing of the card is used."""

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS
from protocols import build, load
from safetensors.torch import load_file
from toy_ade20k import make, small
from toy_voc import nested, shrink, toy_card, write_voc

from backbones.base import Backbone
from trick_transfer.engine.batch import Batch
from trick_transfer.runs.conditions import conditions
from trick_transfer.runs.run import Run
from trick_transfer.stages import STAGES

BASES = {"detection": "faster_rcnn_voc", "segmentation": "fcn_ade20k"}
STAGE_NAMES = pytest.mark.parametrize("stage", BASES)


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    return toy_card(tmp_path_factory.mktemp("card"))


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    objects = [("cat", 0, (11, 11, 60, 50)), ("bird", 0, (50, 20, 90, 60))]
    return {"detection": write_voc(folder / "voc", objects), "segmentation": make(folder / "ade")}


def tiny(stage, kind, card, roots, base=None):
    """The protocol on tiny images."""
    protocol = f"{base or BASES[stage]}_{kind}"
    return {"detection": shrink, "segmentation": small}[stage](load(card, protocol, roots[stage]))


def moved(cfg):
    """A model, and the names of what a step of training changes in it."""
    model = build(cfg, seed=1).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    batch = pseudo_collate([dataset[i, i] for i in range(4)])
    model.train_step(batch, build_optim_wrapper(model, cfg.optim_wrapper))
    return model, {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}


def backbones(model):
    return {name: module for name, module in model.named_modules() if isinstance(module, Backbone)}


@pytest.mark.parametrize(("stage", "base"), [*BASES.items(), ("detection", "faster_rcnn_fpn_voc")])
def test_a_frozen_backbone_stays_as_it_came_and_all_else_trains(card, roots, stage, base):
    model, changed = moved(tiny(stage, "frozen", card, roots, base))
    inside = tuple(f"{name}." for name in backbones(model))
    assert changed == {name for name in model.state_dict() if not name.startswith(inside)}
    arrived = load_file(card.weights)
    for backbone in backbones(model).values():
        assert all(torch.equal(tensor, arrived[name]) for name, tensor in backbone.state_dict().items())


@STAGE_NAMES
def test_from_scratch_every_layer_trains_its_batch_norms_included(card, roots, stage):
    model, changed = moved(tiny(stage, "scratch", card, roots))
    assert changed == set(model.state_dict())


@STAGE_NAMES
def test_from_scratch_the_cards_network_starts_without_its_weights(card, roots, stage):
    model, arrived = build(tiny(stage, "scratch", card, roots), seed=1), load_file(card.weights)
    names = set()
    for backbone in backbones(model).values():
        assert (backbone.depth, backbone.tweak) == (18, "bcd")
        names |= backbone.state_dict().keys()
        started = {name: tensor for name, tensor in backbone.state_dict().items() if name.endswith("conv.weight")}
        assert not any(torch.equal(tensor, arrived[name]) for name, tensor in started.items())
    assert names == arrived.keys()


@STAGE_NAMES
def test_frozen_differs_from_fine_tuning_in_what_is_frozen_alone(stage):
    paper, frozen = (load(None, name).to_dict() for name in (BASES[stage], f"{BASES[stage]}_frozen"))
    for part in (*nested(paper), *nested(frozen)):
        if "backbone" in part:
            part["backbone"] = {k: v for k, v in part["backbone"].items() if k not in ("frozen_stages", "norm_eval")}
    assert frozen == paper


@STAGE_NAMES
def test_from_scratch_trains_six_times_as_long_at_the_same_rate_whose_last_part_keeps_its_length(stage):
    paper, scratch = (load(None, name) for name in (BASES[stage], f"{BASES[stage]}_scratch"))
    assert scratch.train_cfg.max_epochs == 6 * paper.train_cfg.max_epochs  # He et al. 2019: 6x
    assert scratch.train_cfg.val_begin == scratch.train_cfg.max_epochs + 1
    assert scratch.optim_wrapper.to_dict() == paper.optim_wrapper.to_dict()
    assert scratch.train_dataloader.to_dict() == paper.train_dataloader.to_dict()
    *warm_up, last = scratch.param_scheduler
    assert warm_up == paper.param_scheduler[:-1]
    if stage == "detection":
        ends = [cfg.train_cfg.max_epochs - cfg.param_scheduler[-1].milestones[0] for cfg in (paper, scratch)]
        assert ends == [6, 6]
    else:
        assert last.end == scratch.train_cfg.max_epochs


def test_on_photos_they_read_one_year_of_voc_and_depart_from_fine_tuning_as_on_paper():
    small, frozen, scratch = (
        Run("detection", "resnet50d_best", "photos", protocol=f"faster_rcnn_voc_{kind}").draft()
        for kind in ("small", "frozen", "scratch")
    )
    assert frozen.train_dataloader == scratch.train_dataloader == small.train_dataloader
    assert frozen.optim_wrapper == scratch.optim_wrapper == small.optim_wrapper
    assert frozen.param_scheduler == small.param_scheduler and frozen.train_cfg == small.train_cfg
    # 120 and 114 times 3 / 20
    assert (scratch.train_cfg.max_epochs, scratch.param_scheduler[1].milestones) == (18, [17])


@pytest.mark.parametrize(("kind", "parts"), [("frozen", 1), ("scratch", 2)])
def test_batch_norms_that_train_see_each_devices_images_where_they_cannot_be_synchronised(card, kind, parts):
    if torch.cuda.is_available():
        pytest.skip("SyncBN needs CUDA, and has it")
    cfg, batch = load(card, f"faster_rcnn_voc_{kind}"), Batch(total=4, devices=2, per_device=2, accumulation=1)
    assert isinstance(cfg, Config) and conditions(STAGES["detection"], None, cfg, batch)["norm_parts"] == parts
