"""The interface of a backbone: maps with their channels and strides, strict loading, freezing; and a model's size.

`frozen_stages` follows mmdet (-1: none; k: the stem and stages 1 to k). `norm_eval` is the frozen BN of the authors'
code (GluonCV `use_global_stats`; the paper does not mention it): running statistics are used, and neither they nor
gamma and beta are updated.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from trick_transfer.engine.files import file_sha256
from trick_transfer.engine.weights import load_strictly, read_weights


class Backbone(nn.Module):
    """(N, 3, H, W) -> a tuple of maps (N, channels[i], ~H / strides[i], ~W / strides[i]), one per built stage."""

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    sequential = True  # every parameter acts on the last map; else a classifier leaves some without a gradient

    def __init__(self, frozen_stages: int = -1, norm_eval: bool = False) -> None:
        super().__init__()
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval

    def stage_of(self, name: str) -> int:
        """The stage that a parameter's name belongs to; the stem is stage 0."""
        raise NotImplementedError

    def load(self, weights: str | Path, sha256: str | None = None) -> None:
        """Load `backbone.safetensors`: every tensor of the built stages and no unknown one.

        Raises FileNotFoundError, or ValueError for keys that do not fit, another sha256, or a truncated file.
        """
        if not Path(weights).is_file():
            raise FileNotFoundError(f"backbone weights {weights} do not exist; make them with tools/export.py")
        if sha256 is not None and file_sha256(weights) != sha256:
            raise ValueError(f"{weights} is not the file its card describes (sha256 differs); export it again")
        state = {name: tensor for name, tensor in read_weights(weights).items() if self.builds(name)}
        load_strictly(self, state, weights)

    def builds(self, name: str) -> bool:
        """Whether the network has a parameter; False for those of stages that are not built."""
        return True

    def freeze(self) -> None:
        """Apply `frozen_stages` and `norm_eval` to the parameters; call it once all of them exist."""
        for name, parameter in self.named_parameters():
            if self.is_frozen(name):
                parameter.requires_grad = False
        for _, norm in self.norms():
            norm.requires_grad_(not self.norm_eval and norm.weight.requires_grad)

    def is_frozen(self, name: str) -> bool:
        return self.frozen_stages >= 0 and self.stage_of(name) <= self.frozen_stages

    def norms(self) -> Iterator[tuple[str, nn.modules.batchnorm._BatchNorm]]:
        """(name, layer) of every batch norm."""
        for name, module in self.named_modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                yield name, module

    def train(self, mode: bool = True) -> "Backbone":
        """As in torch, but frozen batch norms stay in evaluation mode."""
        super().train(mode)
        for name, norm in self.norms():
            if self.norm_eval or self.is_frozen(name):
                norm.eval()
        return self


def params_m(model: nn.Module) -> float:
    """Parameters in millions."""
    return sum(p.numel() for p in model.parameters()) / 1e6


@torch.no_grad()
def gmacs(model: nn.Module, px: int) -> float:
    """Multiply-adds, in 10^9, of one (1, 3, px, px) image; the paper calls them FLOPs ("4.3 G", Table 5)."""
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    with FlopCounterMode(display=False) as counter:  # counts 2 FLOPs per multiply-add
        model(torch.zeros(1, 3, px, px, device=device))
    model.train(training)
    return counter.get_total_flops() / 2e9
