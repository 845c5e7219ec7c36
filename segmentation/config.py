"""A card becomes a complete Config: only the backbone slot of a frozen protocol, and the data root, are filled."""

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.config import Config

if TYPE_CHECKING:
    from backbones.card import Card

PROTOCOLS = ("fcn_ade20k", "fcn_ade20k_msflip")
LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


def load(card: "Card", protocol: str = "fcn_ade20k", data_root: str | Path = "data/ade20k") -> Config:
    """The Config of a protocol with the card's backbone in its slot.

    Raises ValueError for an unknown protocol, or a card whose images were normalised in another way.
    """
    if protocol not in PROTOCOLS:
        near = get_close_matches(protocol, PROTOCOLS, cutoff=0) or PROTOCOLS
        raise ValueError(f"no segmentation protocol {protocol!r}; did you mean {' or '.join(near)}?")
    cfg = Config.fromfile(Path(__file__).with_name(f"{protocol}.py"))
    check_normalisation(card, cfg.model.data_preprocessor)
    cfg.model.backbone = card.slot(**cfg.model.backbone)
    for loader in LOADERS:
        cfg[loader].dataset.data_root = str(data_root)
    return cfg


def check_normalisation(card: "Card", preprocessor: dict) -> None:
    """Raise ValueError unless the card's mean and std are the protocol's, to within one grey level."""
    for key in ("mean", "std"):
        own, ours = getattr(card, key), preprocessor[key]
        if any(abs(a - b) > 1 for a, b in zip(own, ours, strict=True)):
            raise ValueError(f"card {card.name} was trained with {key} {tuple(own)}, the protocol feeds {tuple(ours)}")


def check_data(cfg: Config) -> None:
    """Raise FileNotFoundError or ValueError unless all images and masks are there, and the classes agree."""
    from .data import ADE20K, pairs

    for loader in LOADERS:
        dataset = cfg[loader].dataset
        dataset = dataset.get("dataset", dataset)  # within `engine.Seeded`
        pairs(*(Path(dataset.data_root, dataset.data_prefix[key]) for key in ("img_path", "seg_map_path")))
        names = dataset.get("metainfo", ADE20K.METAINFO)["classes"]
        if len(names) != cfg.model.decode_head.num_classes:
            raise ValueError(f"{loader} has {len(names)} classes, the model {cfg.model.decode_head.num_classes}")
