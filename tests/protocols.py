"""A frozen protocol as a Config, with or without a card, reading a folder."""

import torch
from mmengine.registry import MODELS, init_default_scope

from trick_transfer.stages import STAGES

DETECTION, SEGMENTATION = (STAGES[name].protocols for name in ("detection", "segmentation"))


def load(card=None, protocol="faster_rcnn_voc", data_root=None):
    """What a downstream stage trains on the paper tier."""
    stage = STAGES["segmentation" if protocol.startswith("fcn") else "detection"]
    cfg = stage.draft(protocol, {}).cfg
    if data_root:
        stage.place(cfg, data_root)
    if card:
        stage.connect(cfg, card)
    return cfg


def build(cfg, seed=0):
    """The model of a protocol's Config, its weights as at the start of training."""
    init_default_scope(cfg.default_scope)
    torch.manual_seed(seed)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model
