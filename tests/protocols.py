"""A frozen protocol as a Config, with or without a card, reading a folder."""

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
