"""A card and a protocol -> the mmengine Config of one detection run. Fairness: only the backbone is filled in.

From the card come the backbone slots (trunk and RoI head) and the channels that leave them; from the caller, the data
root. Everything else is the protocol, whoever is measured.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config

from backbones.card import Card
from backbones.registry import check_options, check_size
from trick_transfer.engine.protocol import photo_px, read_protocol

PROTOCOLS = ("faster_rcnn_voc", "faster_rcnn_fpn_voc")
STRIDES = [4, 8, 16, 32]  # of the maps that both are written for
LAYOUT = "VOCdevkit/VOC<year>/{JPEGImages/*.jpg, Annotations/*.xml, ImageSets/Main/{trainval,test}.txt}"


def load(card: Card | None, protocol: str = "faster_rcnn_voc", data_root: str | Path = "data/voc0712") -> Config:
    """The protocol with the card's backbone in its slots; without a card it stays as written.

    Raises ValueError for a protocol that does not exist, a card whose images were normalised in another way, or a
    backbone that this detector cannot stand on, or that does not take its images.
    """
    cfg = read_protocol(Path(__file__).parent, protocol, PROTOCOLS)
    if card:
        card.check_normalisation(cfg.model.data_preprocessor)
        fill(cfg.model, card)
        divisor = cfg.model.data_preprocessor.get("pad_size_divisor", 1)
        check_size(cfg.model.backbone, *photo_px(cfg.val_dataloader.dataset.pipeline, divisor))
    for part in parts(cfg._cfg_dict):
        if "data_root" in part:
            part.data_root = str(data_root)
    return cfg


def fill(model: Any, card: Card) -> None:
    """Put the card into each backbone slot, and its channels where mmdet wants them repeated."""
    for part in list(parts(model)):
        if "backbone" in part:
            slot = dict(part.backbone)
            slot.pop("type")
            part.backbone = card.slot(**slot)
            check_slot(part.backbone, card)
    if "in_channels" in model.neck:  # FPN
        model.neck.in_channels = list(card.channels)
    else:
        trunk, head = card.channels[2:4]
        model.rpn_head.in_channels = model.roi_head.bbox_roi_extractor.out_channels = trunk
        model.roi_head.bbox_head.in_channels = head


def check_slot(slot: dict, card: Card) -> None:
    """Raise ValueError for a backbone that cannot be built as the protocol asks, or whose maps are of other sizes."""
    if card.strides != STRIDES:
        raise ValueError(f"{card.name} has maps of strides {card.strides}, the detectors want {STRIDES}")
    try:
        check_options(slot)
    except ValueError as error:
        hint = "; use --protocol faster_rcnn_fpn_voc" if len(slot["stages"]) < len(STRIDES) else ""
        raise ValueError(f"{error}{hint}") from error


def parts(node: Any) -> Iterator[Any]:
    """Every dict within a config, the outermost first."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from parts(child)


def check_data(cfg: Config) -> None:
    """Raise FileNotFoundError, before anything is trained, if a data set's list or folders are missing or empty."""
    for part in parts(cfg._cfg_dict):
        if "ann_file" in part:
            root, year = Path(part.data_root), Path(part.data_root, part.data_prefix.sub_data_root)
            missing = [p for p in (root / part.ann_file, year / "JPEGImages", year / "Annotations") if is_empty(p)]
            if missing:
                raise FileNotFoundError(f"VOC data: {missing[0]} is missing or empty; expected {root}/{LAYOUT}")


def is_empty(path: Path) -> bool:
    """Whether a folder or a list is missing, or has nothing in it."""
    if path.is_dir():
        return next(path.iterdir(), None) is None
    return not path.is_file() or not path.read_text().strip()
