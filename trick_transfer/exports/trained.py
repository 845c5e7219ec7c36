"""What is exported: a card's network with its head; and the comparison with what came out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from backbones.card import TOLERANCE, Card, read_card
from backbones.resnet import ResNet
from backbones.timm_adapter import Timm
from classification.classifier import HEAD, ImageClassifier, read_classifier
from trick_transfer.runs.run import Run

VARIANTS = {"": "", "b": "", "bc": "c", "bcd": "d"}  # tweaks -> what timm's names end in


@dataclass(frozen=True)
class Trained:
    """A card, its network, and the run whose recipe, tier and data these are."""

    run: Run
    card: Card
    model: ImageClassifier  # without a head its logits are the last map's means
    classes: int  # 0: without a head
    size_px: int  # of validation: the shorter edge to `shorter_px`, then the middle
    shorter_px: int
    others: bool = False  # the weights are not the run's: no row of the leaderboard tells of them

    @property
    def carried(self) -> bool:
        """Whether the weights came from elsewhere as they are."""
        return self.others or self.run.carries_weights

    def images(self, height_px: int = 0, width_px: int = 0, count: int = 2) -> Tensor:
        """The fixed input (count, 3, H, W), normalised images; by default of the size of validation."""
        size = height_px or self.size_px, width_px or self.size_px
        return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(0))

    @torch.no_grad()
    def check(self, what: str, found: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
        """Raise ValueError unless outputs are the expected ones to `TOLERANCE` of the largest."""
        for one, own in zip(found, expected, strict=True):
            error = float((one - own).abs().max() / own.abs().max()) if one.shape == own.shape else float("inf")
            if not error <= TOLERANCE:
                raise ValueError(
                    f"{what} computes something else than {self.card.name}: off by {error:.0e}; not exported"
                )


def trained(run: Run, card_path: Path, head: bool = True, others: bool = False) -> Trained:
    """A card's network in evaluation mode, with its head if there is one. Raises as `read_card` does."""
    card = read_card(card_path)
    if head and (card.folder / HEAD).is_file():
        model = read_classifier(card_path)
        classes = model.num_classes
    else:
        model, classes = ImageClassifier(card.slot(), 1), 0
        model.head = nn.Identity()  # type: ignore[assignment]
    crop = run.layers.cfg.val_dataloader.dataset.crop
    return Trained(run, card, model.eval(), classes, crop.size_px, crop.shorter_px, others)


def architecture(backbone: nn.Module) -> tuple[str, dict]:
    """timm's name of a network, and its options there. Raises ValueError for one that is not known to have a name."""
    if isinstance(backbone, ResNet):
        return f"resnet{backbone.depth}{VARIANTS[backbone.tweak]}", {}
    if isinstance(backbone, Timm):
        return backbone.model, {key: value for key, value in backbone.options.items() if key != "out_indices"}
    raise ValueError(f"{type(backbone).__name__} is neither our ResNet nor a network of timm's; use --to card or onnx")


def check_rgb(card: Card, library: str) -> None:
    """Raise ValueError for a network that takes its channels in another order than a library feeds them."""
    if card.channel_order != "rgb":
        raise ValueError(
            f"{card.name} takes {card.channel_order.upper()}, {library} feeds RGB; use --to card, mm or onnx"
        )
