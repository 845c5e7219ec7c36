"""A trained classifier as files: the backbone's card for other tasks, and head.safetensors to make it a teacher."""

from pathlib import Path
from typing import Any

from mmengine.config import Config

from backbones.card import Card, from_timm, write_card
from backbones.registry import sketch
from trick_transfer.engine.checkpoint import load_strictly, read_weights
from trick_transfer.engine.files import write_tensors

from .classifier import HEAD, ImageClassifier


def build(cfg: Config, checkpoint: str | Path, timm: bool = False) -> ImageClassifier:
    """A recipe's classifier with a checkpoint's weights; `timm`: they are under timm's names.

    Raises ValueError that lists the names that do not fit.
    """
    model = ImageClassifier(backbone=cfg.model.backbone, num_classes=cfg.model.num_classes)
    state = read_weights(checkpoint)
    load_strictly(model, from_timm(state, model.state_dict()) if timm else state, checkpoint)
    return model.eval()


def export(model: ImageClassifier, cfg: Config, folder: Path, metrics: dict[str, float], **about: Any) -> Card:
    """Write card, backbone and head; `about` is name, tier, seed and the data's licence. The card is written last."""
    write_tensors(folder / HEAD, model.head.state_dict())
    config = {k: v for k, v in cfg.model.backbone.to_dict().items() if k != "zero_gamma"}  # an initialisation only
    scaler = cfg.model.data_preprocessor
    licence = about.pop("licence", "unknown")
    about |= {"mean": list(scaler.mean), "std": list(scaler.std)}
    about["licences"] = {"code": "Apache-2.0", "weights": licence, "data": licence}
    px = cfg.val_dataloader.dataset.crop.size_px  # some networks accept no other
    return write_card(folder, model.backbone, config, metrics, px, **about)


def untrained_card(cfg: Config, name: str) -> Card:
    """The card of a recipe's backbone before training, without weights. Takes no memory and no arithmetic."""
    backbone = sketch(cfg.model.backbone)
    about: dict[str, Any] = {key: list(cfg.model.data_preprocessor[key]) for key in ("mean", "std")}
    about |= dict(
        channels=list(backbone.channels), strides=list(backbone.strides), backbone=cfg.model.backbone.to_dict()
    )
    about |= dict(tier="", seed=0, sha256="", metrics={}, feature_error=0.0, commit="", versions={}, licences={})
    return Card(name=name, **about)
