"""Convolutions on a CPU that oneDNN (torch 2.14.1) computes slowly, computed another way.

**Small maps** are one matrix multiplication over all positions of all images: oneDNN convolves row by row, and where a
row has a few pixels, most of a tile of its multiplication stays empty (a tile of AMX has 16 rows).
**Depthwise** convolutions are fast in bf16 with a 3 x 3 kernel and stride 1 alone: others are computed in fp32. A
dilated one is one without dilation on the maps of every second (third, ...) pixel.

Milliseconds, forward and backward, in bf16 on an Intel Xeon, as torch does it and as done here:

| channels     | map, px        | kernel | stride | 64 images, two cores, AMX | without AMX |
|--------------|----------------|--------|--------|---------------------------|-------------|
| 512 ->  512  | 2 x 2          | 3 x 3  | 1      | 60 -> 12                  | 44 -> 35    |
| 256 ->  512  | 4 x 4 -> 2 x 2 | 3 x 3  | 2      | 33 -> 6                   | 29 -> 19    |
| 256 ->  256  | 4 x 4          | 3 x 3  | 1      | 19 -> 8                   | 26 -> 34    |
| 256 ->  256  | 8 x 8          | 3 x 3  | 1      | 37 -> 51                  | 98 -> 160   |
| 256 -> 1024  | 14 x 14        | 1 x 1  | 1      | 22 -> 16 (32 images)      | 78 -> 123   |

In fp32 it is as without AMX: 58 -> 23 in the first line, 25 -> 25 in the third.

| depthwise | map, px | kernel | stride | dilation | 16 images, one core |
|-----------|---------|--------|--------|----------|---------------------|
| 480       | 16 x 16 | 3 x 3  | 1      | 2        | 111 -> 11           |
| 1152      | 16 x 16 | 5 x 5  | 1      | 4        | 510 -> 124          |
| 144       | 32 x 32 | 5 x 5  | 2      | 1        | 156 -> 16           |
| 480       | 14 x 14 | 3 x 3  | 1      | 1        | 3.6, in fp32 6.1    |
"""

from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

MOST_POSITIONS, MOST_POSITIONS_AMX = 9, 49  # of a map that is made and multiplied; the first table
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
    """torch's convolution, (N, C, H, W) -> (N, C', H', W'), computed on a CPU as the tables say."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if input.is_cpu and self.pads_zeros and not torch.compiler.is_compiling():  # a compiler gets torch's operator
            if self.multiplies(input):
                return self.multiplied(input, weight, bias)
            if self.groups == self.in_channels == self.out_channels:
                return self.by_channel(input, weight, bias)
        return super()._conv_forward(input, weight, bias)

    def multiplied(self, maps: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """As a matrix multiplication."""
        if self.is_pointwise:
            down, right = self.stride
            seen = maps[:, :, ::down, ::right].permute(0, 2, 3, 1)
        else:
            seen = Columns.apply(maps, self)
        return F.linear(seen, weight.permute(0, 2, 3, 1).flatten(1), bias).permute(0, 3, 1, 2)

    def by_channel(self, maps: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """A depthwise one, in the precision that is fast; without dilation where that divides maps and padding."""
        asked = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else maps.dtype
        quick = self.kernel_size == (3, 3) and self.stride == (1, 1)
        taken = torch.float32 if asked == torch.bfloat16 and not quick else asked
        step, lengths = self.dilation[0], (*maps.shape[2:], *self.pads, *self.dilation)
        if self.stride != (1, 1) or any(each % step for each in lengths):
            step = 1
        padding, dilation = ([each // step for each in both] for both in (self.pads, self.dilation))
        maps, weight, bias = apart(maps, step).to(taken), weight.to(taken), None if bias is None else bias.to(taken)
        with torch.autocast("cpu", enabled=False):
            made = F.conv2d(maps, weight, bias, self.stride, padding, dilation, self.groups)
        return together(made.to(asked), step)

    def multiplies(self, maps: Tensor) -> bool:
        """Whether the first table says that these maps are multiplied faster."""
        if self.groups > 1 or self.dilation != (1, 1):
            return False
        amx = has_amx() and (torch.is_autocast_enabled("cpu") or maps.dtype == torch.bfloat16)
        if amx and self.is_pointwise:
            return True
        height, width = self.made_px(maps)
        most = MOST_POSITIONS_AMX if amx else MOST_POSITIONS
        return 0 < height * width <= most and self.out_channels >= FEWEST_CHANNELS

    @property
    def pads_zeros(self) -> bool:
        """Of a known number."""
        return self.padding_mode == "zeros" and not isinstance(self.padding, str)

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
        of_each = zip(maps.shape[2:], self.pads, self.kernel_size, self.dilation, self.stride, strict=True)
        return [(px + 2 * pad - step * (kernel - 1) - 1) // stride + 1 for px, pad, kernel, step, stride in of_each]

    def windows(self, maps: Tensor) -> list[tuple[slice, ...]]:
        """For each place of the kernel, the padded map's pixels (N, H, W, C) that it meets."""
        down, right = (
            [slice(first, first + (made - 1) * stride + 1, stride) for first in range(kernel)]
            for kernel, stride, made in zip(self.kernel_size, self.stride, self.made_px(maps), strict=True)
        )
        return [(slice(None), rows, columns) for rows in down for columns in right]


def apart(maps: Tensor, step: int) -> Tensor:
    """(N, C, H, W) -> the maps of every `step`-th pixel, (N step step, C, H / step, W / step)."""
    n, channels, height, width = maps.shape
    phases = maps.permute(0, 2, 3, 1).reshape(n, height // step, step, width // step, step, channels)
    return phases.permute(0, 2, 4, 5, 1, 3).flatten(0, 2).contiguous(memory_format=torch.channels_last)


def together(maps: Tensor, step: int) -> Tensor:
    """What `apart` was given."""
    n, channels, height, width = maps.shape
    images = n // step**2
    phases = maps.permute(0, 2, 3, 1).reshape(images, step, step, height, width, channels)
    whole = phases.permute(0, 3, 1, 4, 2, 5).reshape(images, height * step, width * step, channels)
    return whole.permute(0, 3, 1, 2)


def laid_out(model: Model) -> Model:
    """The model in channels_last, each of its plain convolutions one of ours; its weights and their names stay."""
    for module in model.modules():
        if type(module) is nn.Conv2d:
            module.__class__ = Conv2d
    return model.to(memory_format=torch.channels_last)
