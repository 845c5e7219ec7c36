"""A card and a protocol -> the mmengine Config of one segmentation run. Fairness: only the backbone is filled in.

From the card comes the backbone's slot; from the caller, the data root. Everything else is the protocol, whoever is
measured (the heads ask the backbone for its channels, see `fcn`).
"""

from pathlib import Path

from mmengine.config import Config

from backbones.card import Card
from backbones.registry import check_size
from trick_transfer.engine.protocol import photo_px, read_protocol

PROTOCOLS = ("fcn_ade20k", "fcn_ade20k_msflip")


def load(card: Card | None, protocol: str = "fcn_ade20k", data_root: str | Path = "data/ade20k") -> Config:
    """The protocol with the card's backbone in its slot; without a card, it stays as written.

    Raises ValueError for a protocol that does not exist, a card whose images were normalised in another way, or a
    backbone that cannot be dilated, or does not take the protocol's images.
    """
    cfg = read_protocol(Path(__file__).parent, protocol, PROTOCOLS)
    if card:
        card.check_normalisation(cfg.model.data_preprocessor)
        options = {key: value for key, value in cfg.model.backbone.items() if key != "type"}
        cfg.model.backbone = card.slot(**options)
        check_size(cfg.model.backbone, *photo_px(cfg.val_dataloader.dataset.pipeline))
    for dataset in datasets(cfg):
        dataset.data_root = str(data_root)
    return cfg


def datasets(cfg: Config) -> tuple:
    """The configs of the training and of the validation set."""
    return cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset


def check_data(cfg: Config) -> None:
    """Raise FileNotFoundError or ValueError unless every image has its mask, and data and model have equal classes."""
    from .data import ADE20K, pairs  # mmseg takes seconds to import

    for dataset in datasets(cfg):
        pairs(*(Path(dataset.data_root, dataset.data_prefix[key]) for key in ("img_path", "seg_map_path")))
        names = dataset.get("metainfo", ADE20K.METAINFO)["classes"]
        if len(names) != cfg.model.decode_head.num_classes:
            raise ValueError(f"the data has {len(names)} classes, the model {cfg.model.decode_head.num_classes}")
