"""docs/paper_tier.md: its hours follow from the paper's minutes and the networks' multiply-adds."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS, init_default_scope
from torch.utils.flop_counter import FlopCounterMode

from backbones.base import gmacs
from classification.classifier import ImageClassifier
from classification.config import load
from trick_transfer.leaderboard.paper.tables import TABLES
from trick_transfer.runs import dry_run
from trick_transfer.runs.run import Run

TEXT = (Path(__file__).parents[1] / "docs" / "paper_tier.md").read_text("utf-8")
ROW = re.compile(r"^\| (\w+).*?\| (fp\d\d) \| ([\d.,]+) \| ([\d,]+) \| (\d+) \| (\d+) \| (\d+) \|$", re.M)
FORWARD_AND_BACKWARD = 3
IMAGENET, V100 = 1_281_167, 8


def rate(precision):
    """10^9 multiply-adds a second of one V100, from Table 3."""
    recipe = {"fp32": "resnet50_baseline", "fp16": "resnet50_efficient"}[precision]
    seconds = 60 * TABLES["table3"].rows[recipe]["minutes_per_epoch"]
    return IMAGENET * FORWARD_AND_BACKWARD * of_recipe("resnet50_baseline") / (seconds * V100)


def of_recipe(recipe):
    """10^9 multiply-adds of a recipe's network at 224 px."""
    cfg = load(recipe)
    return gmacs(ImageClassifier(cfg.model.backbone, cfg.model.num_classes).to("meta"), 224)


@pytest.mark.parametrize("row", ROW.findall(TEXT), ids=lambda row: "-".join(row[:2]))
def test_hours_follow_from_the_papers_minutes(row):
    _, precision, work, *others = row
    images, epochs, gpus, hours = (int(each.replace(",", "")) for each in others)
    assert hours == round(images * epochs * float(work) / (gpus * rate(precision)) / 3600)


def test_a_step_of_classification_is_three_forward_passes_and_the_teachers_one():
    work = {row[0]: float(row[2]) for row in ROW.findall(TEXT)}
    teacher = of_recipe("resnet152d_mixup")
    assert work["teacher"] == pytest.approx(FORWARD_AND_BACKWARD * teacher, abs=0.05)
    assert work["student"] == pytest.approx(FORWARD_AND_BACKWARD * of_recipe("resnet50d_best") + teacher, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["detection", "segmentation"])
def test_a_step_downstream_is_three_forward_passes_of_the_protocols_model(stage):
    with dry_run.stand_in(Run(stage, "resnet50d_best", "paper")) as there:
        cfg = there.connected().cfg
        init_default_scope(cfg.get("default_scope", "mmengine"))
        model = MODELS.build(cfg.model).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():  # counts 2 for each multiply-add
        if stage == "detection":
            model.rpn_head(model.extract_feat(torch.zeros(1, 3, 600, 1000, device="meta")))
            model.roi_head.shared_head(torch.zeros(128, 1024, 14, 14, device="meta"))
        else:
            maps = model.backbone(torch.zeros(1, 3, 480, 480, device="meta"))
            model.decode_head(maps), model.auxiliary_head(maps)
    work = {row[0]: float(row[2]) for row in ROW.findall(TEXT)}
    assert work[stage] == pytest.approx(FORWARD_AND_BACKWARD * counter.get_total_flops() / 2e9, rel=2e-3)
