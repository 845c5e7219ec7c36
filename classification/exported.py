"""A trained classifier as files: the backbone's card for other tasks, and head.safetensors for a student's teacher."""

from pathlib import Path

import torch
from mmengine.config import Config
from torch import nn

from backbones.card import Card, from_timm, read_card, write_card
from backbones.registry import MODELS as BACKBONES
from engine.checkpoint import load_strictly, read_weights
from engine.files import write_tensors

from .classifier import ImageClassifier

HEAD = "head.safetensors"
# Ours is Apache-2.0; the weights inherit what their data asks, and ImageNet's images are for research use only.
LICENCES = {
    "imagenet1k": "research only (ImageNet terms of access)",
    "mini": "synthetic, see mini/LICENSES.md",
}


def build(cfg: Config, checkpoint: str | Path, timm: bool = False) -> ImageClassifier:
    """A recipe's classifier with a checkpoint's weights, `timm` if they are under timm's names.

    Raises ValueError that names what does not fit.
    """
    model = ImageClassifier(backbone=cfg.model.backbone, num_classes=cfg.model.num_classes)
    state = read_weights(checkpoint)
    load_strictly(model, from_timm(state, model.state_dict()) if timm else state, checkpoint)
    return model.eval()


def export(model: ImageClassifier, cfg: Config, folder: Path, metrics: dict[str, float], **about: object) -> Card:
    """Write card, backbone and head; `about` is name, tier and seed. The card holds the exported features' error."""
    write_tensors(folder / HEAD, model.head.state_dict())
    config = {k: v for k, v in cfg.model.backbone.to_dict().items() if k != "zero_gamma"}  # an initialisation only
    scaler = cfg.model.data_preprocessor
    data = LICENCES.get(cfg.data.name, "unknown")
    about |= {"mean": list(scaler.mean), "std": list(scaler.std)}
    about["licences"] = {"code": "Apache-2.0", "weights": data, "data": data}
    card = write_card(folder, model.backbone, config, metrics, float("nan"), **about)
    error = feature_error(model.backbone, card)
    return write_card(folder, model.backbone, config, metrics, error, **about)


@torch.no_grad()
def feature_error(trunk: nn.Module, card: Card, px: int = 64) -> float:
    """The greatest difference between the classifier's trunk and the exported backbone on one fixed random image."""
    image = torch.randn(1, 3, px, px, generator=torch.Generator().manual_seed(0))
    again = BACKBONES.build(card.slot()).eval().to(memory_format=torch.channels_last)
    trunk = trunk.cpu().eval().to(memory_format=torch.channels_last)  # another format rounds otherwise
    return max(float((a - b).abs().max()) for a, b in zip(trunk(image), again(image), strict=True))


def read_classifier(card_path: str | Path) -> ImageClassifier:
    """An exported classifier, normalised images (N, 3, H, W) -> logits (N, K). Raises as `read_card` does."""
    card = read_card(card_path)
    head = read_weights(card.folder / HEAD)
    model = ImageClassifier(backbone=card.slot(), num_classes=len(head["bias"]))
    load_strictly(model.head, head, card.folder / HEAD)
    return model
