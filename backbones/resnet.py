"""ResNet and its tweaks B, C, D (He et al. 2019, "Bag of Tricks", sec. 4; Fig. 1 and 2), with optional dilation.

`tweak` is "", "b", "bc" or "bcd". Weights start from Xavier (sec. 2.1). The paper's a = sqrt(6 / (d_in + d_out))
names channels only; like its reference [6] and MXNet's default we count the kernel's area in d, which is the same for
1x1 and fully-connected layers. Parameter names depend on `depth`, `tweak` and `biases` only: the authors' network
without tweaks has biases in its blocks' 1x1 convolutions, before a batch norm that takes them out again.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .base import Backbone
from .registry import MODELS

# depth -> blocks of each stage; 26 is timm's
BLOCKS = {
    18: (2, 2, 2, 2), 26: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)
}  # fmt: skip
BASIC = (18, 34)  # the others have bottlenecks
TWEAKS = ("", "b", "bc", "bcd")
RUNS = [tuple(range(first, last + 1)) for first in range(1, 5) for last in range(first, 5)]
# (stride, dilation of the stage, dilation before its stride), for stages 1 to 4; sec. 6.2. A removed stride dilates all
# that comes after it, also within the first block (a trous).
GEOMETRY = {
    32: ((1, 1, 1), (2, 1, 1), (2, 1, 1), (2, 1, 1)),
    16: ((1, 1, 1), (2, 1, 1), (2, 1, 1), (1, 2, 1)),
    8: ((1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 4, 2)),
}


def conv_bn(inp: int, out: int, kernel: int, stride: int = 1, dilation: int = 1, relu: bool = True) -> nn.Sequential:
    """A convolution without bias, its batch norm and, by default, a ReLU."""
    conv = nn.Conv2d(inp, out, kernel, stride, dilation * (kernel // 2), dilation, bias=False)
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv=conv, bn=nn.BatchNorm2d(out))
    if relu:
        layers["relu"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)


def shortcut(inp: int, out: int, stride: int, pool: bool) -> nn.Module:
    """The identity, projected when the shape changes. `pool` is tweak D (sec. 4.2)."""
    if stride == 1 and inp == out:
        return nn.Identity()
    if pool:  # a strided 1x1 drops 3 of 4 inputs; averaging keeps them
        average = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()
        return nn.Sequential(average, conv_bn(inp, out, 1, relu=False))  # same names without a stride (dilated)
    return conv_bn(inp, out, 1, stride, relu=False)


class Residual(nn.Module):
    """relu(path(x) + shortcut(x)), post-activation as in Fig. 1."""

    def __init__(self, path: Sequence[nn.Module], short: nn.Module) -> None:
        super().__init__()
        self.path = nn.Sequential(*path)
        self.shortcut = short
        self.relu = nn.ReLU(inplace=True)

    @property
    def last_norm(self) -> nn.Module:
        """The branch's last batch norm: with gamma and beta at 0, the block is its shortcut."""
        return self.path[-1].get_submodule("bn")

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.path(x).add_(self.shortcut(x)))  # in place: nothing needs the path's own output again


def bottleneck(inp: int, width: int, stride: int, before: int, after: int, tweak: str) -> Residual:
    """1x1, 3x3, 1x1; the paper's path A and path B. `before` and `after` the stride are the dilations."""
    out = 4 * width
    # tweak B: "switches the strides" (Fig. 2a); without it the 3x3 comes after the stride
    first, second, dilation = (1, stride, before) if "b" in tweak else (stride, 1, after)
    path = [conv_bn(inp, width, 1, first), conv_bn(width, width, 3, second, dilation)]
    return Residual([*path, conv_bn(width, out, 1, relu=False)], shortcut(inp, out, stride, "d" in tweak))


def basic(inp: int, width: int, stride: int, before: int, after: int, tweak: str) -> Residual:
    """Two 3x3, for depths 18 and 34; tweak B does not apply. `before` and `after` the stride are the dilations."""
    path = (conv_bn(inp, width, 3, stride, before), conv_bn(width, width, 3, 1, after, relu=False))
    return Residual(path, shortcut(inp, width, stride, "d" in tweak))


def stem(tweak: str) -> nn.Sequential:
    """(N, 3, H, W) -> (N, 64, H/4, W/4): a 7x7, or with tweak C three 3x3 (Fig. 2b; only the first has stride 2)."""
    convs = (conv_bn(3, 32, 3, 2), conv_bn(32, 32, 3), conv_bn(32, 64, 3)) if "c" in tweak else (conv_bn(3, 64, 7, 2),)
    return nn.Sequential(*convs, nn.MaxPool2d(3, 2, 1))


@MODELS.register_module()
class ResNet(Backbone):
    """ResNet of any depth in `BLOCKS`; `stages` is a run of 1 to 4: the C4 detector's head is (4,) alone.

    (N, 3, H, W) -> a tuple of maps, one per built stage; without stage 1 the input is the previous stage's map.
    Raises ValueError for options that do not exist, or weights that do not fit.
    """

    def __init__(
        self,
        depth: int = 50,
        tweak: str = "",
        stages: Sequence[int] = (1, 2, 3, 4),
        output_stride: int = 32,
        zero_gamma: bool = False,
        biases: bool = False,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        weights: str | None = None,
        sha256: str | None = None,
    ) -> None:
        super().__init__(frozen_stages, norm_eval)
        check_option("depth", depth, BLOCKS)
        check_option("tweak", tweak, TWEAKS)
        check_option("output_stride", output_stride, GEOMETRY)
        built = tuple(stages)
        check_option("stages", built, RUNS)
        self.stages, self.depth, self.tweak = built, depth, tweak
        self.expansion = 1 if depth in BASIC else 4
        if 1 in built:
            self.stem = stem(tweak)
        for stage in built:
            self.add_module(f"stage{stage}", self.make_stage(stage, *GEOMETRY[output_stride][stage - 1]))
        if biases:
            self.add_biases()
        self.channels = tuple(self.width(stage) for stage in built)
        self.strides = tuple(min(2 ** (stage + 1), output_stride) for stage in built)
        self.reset(zero_gamma)
        if weights is not None:
            self.load(weights, sha256)
        self.freeze()

    def width(self, stage: int) -> int:
        """Output channels of a stage; stage 0 is the stem."""
        return self.expansion * 64 * 2 ** (stage - 1) if stage else 64

    def make_stage(self, stage: int, stride: int, dilation: int, first_dilation: int) -> nn.Sequential:
        """The residual blocks of one stage; the first one downsamples."""
        block = bottleneck if self.expansion == 4 else basic
        width, out = 64 * 2 ** (stage - 1), self.width(stage)
        first = block(self.width(stage - 1), width, stride, first_dilation, dilation, self.tweak)
        rest = (block(out, width, 1, dilation, dilation, self.tweak) for _ in range(BLOCKS[self.depth][stage - 1] - 1))
        return nn.Sequential(first, *rest)

    def add_biases(self) -> None:
        """To the 1x1 convolutions of the blocks' paths; they start at 0."""
        for block in (module for module in self.modules() if isinstance(module, Residual)):
            for conv in (module for module in block.path.modules() if isinstance(module, nn.Conv2d)):
                if conv.kernel_size == (1, 1):
                    conv.bias = nn.Parameter(torch.zeros(conv.out_channels))

    def reset(self, zero_gamma: bool) -> None:
        """Xavier uniform (sec. 2.1); `zero_gamma` starts each block as the identity (sec. 3.1)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
            elif isinstance(module, Residual) and zero_gamma:
                nn.init.zeros_(module.last_norm.get_parameter("weight"))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        if 1 in self.stages:
            x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = self.get_submodule(f"stage{stage}")(x)
            maps.append(x)
        return tuple(maps)

    def stage_of(self, name: str) -> int:
        return 0 if name.startswith("stem") else int(name.removeprefix("stage").split(".")[0])

    def builds(self, name: str) -> bool:
        part = name.split(".")[0]
        return hasattr(self, part) or part not in ("stem", "stage1", "stage2", "stage3", "stage4")


def check_option(name: str, value: Any, known: Iterable) -> None:
    """Raise ValueError that lists the known values of an option, unless `value` is one."""
    if value not in known:
        raise ValueError(f"ResNet: {name}={value!r} does not exist; choose from {', '.join(map(repr, known))}")
