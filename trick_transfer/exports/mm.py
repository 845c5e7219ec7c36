"""--to mm: weights for mmdet's and mmseg's own ResNets, and a whole config for each, without a part of ours."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import load_checkpoint

from backbones import openmmlab
from backbones.naming import to_mm
from backbones.registry import MODELS as BACKBONES
from backbones.resnet import BASIC
from trick_transfer.engine.stage import Stage
from trick_transfer.runs.run import Run
from trick_transfer.stages import STAGES

from .trained import Trained

UNDILATED = "# mmseg dilates a basic block's first convolution only, ours both, so this network is not dilated\n"
HEAD = """\
# {library} runs this file alone: python tools/train.py {file}
# The protocol {protocol} of trick-transfer as far as {library} has its parts; its batch is that of one device.
"""
USE = """\
# in mmdetection and mmsegmentation: python tools/train.py FOLDER/FILE.py, or in a config of your own
{slot}
"""


@torch.no_grad()
def write(trained: Trained, folder: Path) -> str:
    """backbone.pth and LIBRARY_PROTOCOL.py. Raises ValueError for a network that they do not have."""
    weights = folder.absolute() / "backbone.pth"
    slot = openmmlab.resnet(trained.card.slot(), weights)
    torch.save(to_mm(trained.model.backbone), weights)
    for stage in STAGES.values():
        if stage.plain_protocol:
            write_config(trained, stage, weights)
    return USE.format(slot=Config(dict(backbone=slot)).pretty_text.strip())


def write_config(trained: Trained, stage: Stage, weights: Path) -> None:
    """One library's config, whose backbone is built, read and compared."""
    run, protocol = trained.run, str(stage.plain_protocol)
    cfg = Run(stage.name, run.name, run.tier, run.seed, {}, protocol, run.work_dir).connected(trained.card).cfg
    ours = cfg.model.backbone
    dilates = ours.get("output_stride", 32) < 32 and trained.model.backbone.depth in BASIC
    if dilates:
        ours.output_stride = 32
    own = BACKBONES.build(ours).eval()
    plain = stage.plain(cfg, weights)
    library = plain.default_scope
    with DefaultScope.overwrite_default_scope(library):
        theirs = MODELS.build(plain.model.backbone)
    load_checkpoint(theirs, plain.model.backbone.init_cfg.checkpoint, "cpu", strict=True, logger="silent")
    theirs.eval()  # mmseg's returns nothing
    images = trained.images()
    trained.check(f"{library}'s {plain.model.backbone.type}", theirs(images), own(images))
    file = weights.with_name(f"{library}_{protocol}.py")
    head = HEAD.format(library=library, file=file, protocol=protocol) + UNDILATED * dilates
    file.write_text(f"{head}{plain.pretty_text}")
