"""Convolutions of a CPU as one matrix multiplication each, where that is faster.

oneDNN convolves row by row of a map, and the last stages' rows are a few pixels: most of a tile of its multiplication
stays empty. One multiplication over all positions of all images has no such rows. It pays the more the wider a tile is;
AMX has 16 rows. Milliseconds of a convolution, forward and backward, in bf16 with a batch of 64 on two cores (torch
2.14.1), as torch does it and as done here:

| channels      | map, px        | kernel | stride | Intel Xeon, AMX | the same, no AMX allowed |
| 512 ->  512   | 2 x 2          | 3 x 3  | 1      | 60 -> 12        | 44 -> 35                 |
| 256 ->  512   | 4 x 4 -> 2 x 2 | 3 x 3  | 2      | 33 -> 6         | 29 -> 19                 |
| 256 ->  256   | 4 x 4          | 3 x 3  | 1      | 19 -> 8         | 26 -> 34                 |
| 256 ->  256   | 8 x 8          | 3 x 3  | 1      | 37 -> 51        | 98 -> 160                |
| 256 -> 1024 * | 14 x 14        | 1 x 1  | 1      | 22 -> 16        | 78 -> 123                |

(* a batch of 32.) In fp32 it is as without AMX: 58 -> 23 in the first line, 25 -> 25 in the third.
"""

from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

MOST_POSITIONS, MOST_POSITIONS_AMX = 9, 49  # of a map that is made; the table above
FEWEST_CHANNELS = 256  # that are made

Model = TypeVar("Model", bound=nn.Module)


@cache
def has_amx() -> bool:
    """Whether this processor multiplies bf16 in tiles."""
    return torch.cpu._is_amx_tile_supported()


class Columns(Function):
    """(N, C, H, W) and a convolution -> what its kernel sees from each position, (N, H', W', KH KW C)."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, conv: "Conv2d") -> Tensor:
        ctx.conv, ctx.shape, ctx.windows = conv, maps.shape, conv.windows(maps)
        above, beside = conv.pads
        padded = F.pad(maps.permute(0, 2, 3, 1), (0, 0, beside, beside, above, above))
        return torch.cat([padded[window] for window in ctx.windows], -1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (above, beside), (n, channels, height, width) = ctx.conv.pads, ctx.shape
        single = torch.promote_types(grad.dtype, torch.float32)  # a pixel's gradient is a sum over all that see it
        padded = grad.new_zeros(n, height + 2 * above, width + 2 * beside, channels, dtype=single)
        for window, part in zip(ctx.windows, grad.split(channels, -1), strict=True):
            padded[window] += part
        inner = padded[:, above : above + height, beside : beside + width]
        return inner.to(grad.dtype).permute(0, 3, 1, 2), None


class Conv2d(nn.Conv2d):
    """torch's convolution, (N, C, H, W) -> (N, C', H', W'); a matrix multiplication where the table says so."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if not self.multiplies(input):
            return super()._conv_forward(input, weight, bias)
        if self.is_pointwise:
            down, right = self.stride
            seen = input[:, :, ::down, ::right].permute(0, 2, 3, 1)
        else:
            seen = Columns.apply(input, self)
        return F.linear(seen, weight.permute(0, 2, 3, 1).flatten(1), bias).permute(0, 3, 1, 2)

    def multiplies(self, maps: Tensor) -> bool:
        """Whether these maps are multiplied here; a compiler gets torch's own operator."""
        plain = self.groups == 1 and self.dilation == (1, 1) and self.padding_mode == "zeros"
        if not plain or not maps.is_cpu or isinstance(self.padding, str) or torch.compiler.is_compiling():
            return False
        amx = has_amx() and (torch.is_autocast_enabled("cpu") or maps.dtype == torch.bfloat16)
        if amx and self.is_pointwise:
            return True
        height, width = self.made_px(maps)
        most = MOST_POSITIONS_AMX if amx else MOST_POSITIONS
        return 0 < height * width <= most and self.out_channels >= FEWEST_CHANNELS

    @property
    def is_pointwise(self) -> bool:
        return self.kernel_size == (1, 1) and self.pads == (0, 0)

    @property
    def pads(self) -> tuple[int, int]:
        """Pixels above and below, and at both sides."""
        above, beside = map(int, self.padding)
        return above, beside

    def made_px(self, maps: Tensor) -> list[int]:
        """Height and width of the map that is made."""
        of_each = zip(maps.shape[2:], self.pads, self.kernel_size, self.stride, strict=True)
        return [(px + 2 * pad - kernel) // stride + 1 for px, pad, kernel, stride in of_each]

    def windows(self, maps: Tensor) -> list[tuple[slice, ...]]:
        """For each place of the kernel, the padded map's pixels (N, H, W, C) that it meets."""
        down, right = (
            [slice(first, first + (made - 1) * stride + 1, stride) for first in range(kernel)]
            for kernel, stride, made in zip(self.kernel_size, self.stride, self.made_px(maps), strict=True)
        )
        return [(slice(None), rows, columns) for rows in down for columns in right]


def laid_out(model: Model) -> Model:
    """The model in channels_last, each of its plain convolutions one of ours; its weights and their names stay."""
    for module in model.modules():
        if type(module) is nn.Conv2d:
            module.__class__ = Conv2d
    return model.to(memory_format=torch.channels_last)
