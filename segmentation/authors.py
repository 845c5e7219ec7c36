"""FCN as in the authors' GluonCV (model_zoo/{fcn,segbase}.py at b30cdf3a), where that differs from mmseg.

`test_cfg` has `scales`, `long_px`, the view's long side at scale 1, and `crop_px`. All views are mirrored, too.
"""

from itertools import product
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn

from .fcn import FCN
from .registry import MODELS


@MODELS.register_module()
class AuthorsFCN(FCN):
    """Its heads drop single values, not whole channels, and it is scored on crops that slide (MultiEvalModel)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for head in (self.decode_head, self.auxiliary_head):
            head.dropout = nn.Dropout(head.dropout_ratio)

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """(N, 3, H, W) -> (N, classes, H, W): scores, no probabilities, summed over the scales."""
        total = inputs.new_zeros(len(inputs), self.num_classes, *inputs.shape[2:])
        for scale in self.test_cfg["scales"]:
            view = self.resized(inputs, self.view_size(inputs, scale))
            total += self.resized(self.slid(view), inputs.shape[2:])
        return total

    def view_size(self, inputs: Tensor, scale: float) -> list[int]:
        """Height and width in pixels; a half is rounded up."""
        sides, long_px = inputs.shape[2:], ceil(self.test_cfg["long_px"] * scale)
        return [int(side * long_px / max(sides) + 0.5) for side in sides]

    def slid(self, view: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, classes, H, W): the mean score over the crops that cover a pixel, black beyond it."""
        crop_px, (height, width) = self.test_cfg["crop_px"], view.shape[2:]
        tops, lefts = (starts(side, crop_px) for side in (height, width))
        black = -self.data_preprocessor.mean / self.data_preprocessor.std
        padded = black.repeat(len(view), 1, tops[-1] + crop_px, lefts[-1] + crop_px)
        padded[..., :height, :width] = view
        total = padded.new_zeros(len(view), self.num_classes, *padded.shape[2:])
        crops = torch.zeros_like(padded[:1, :1])
        for top, left in product(tops, lefts):
            here = ..., slice(top, top + crop_px), slice(left, left + crop_px)
            total[here] += self.both(padded[here])
            crops[here] += 1
        return (total / crops)[..., :height, :width]

    def both(self, crop: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, classes, H, W): exp of the logits' sum over a crop and its mirror image."""
        logits = self.resized(self._forward(torch.cat([crop, crop.flip(3)])), crop.shape[2:])
        plain, mirrored = logits.chunk(2)
        return (plain + mirrored.flip(3)).exp()


def starts(side_px: int, crop_px: int) -> list[int]:
    """Where crops begin that cover a side, two thirds of a crop apart; the last one may reach beyond it."""
    step = crop_px * 2 // 3
    return [step * i for i in range(1 + ceil(max(0, side_px - crop_px) / step))]
