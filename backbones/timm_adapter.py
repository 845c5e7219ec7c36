"""Any network of timm (Wightman 2019) as a backbone: `timm/NAME` in a recipe, which never has pretrained weights.

Maps are those of timm's `features_only`. Weights start from Xavier as in our ResNet (sec. 2.1), whatever the network's
authors chose. Parameter names are `net.` and timm's, but `blocks.0` is `blocks_0`. Departure: the shortcut of timm's
dilated ResNet-D averages 2x2 in place of the stride, ours does nothing (as GluonCV).
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from trick_transfer.engine.optimiser import WEIGHTED
from trick_transfer.engine.values import closest

from .base import Backbone
from .registry import MODELS

LEAST_STRIDE = 4  # finer maps belong to the stem
LOADING = {"checkpoint_path", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"}  # timm's options


def check_model(model: str) -> None:
    """Raise ValueError with the closest names for one that timm does not have."""
    import timm  # takes seconds

    if not timm.is_model(model):
        near = closest(model, timm.list_models(), 3, cutoff=0)
        raise ValueError(f"timm/{model} does not exist; did you mean {' or '.join(near)}?")


def create(model: str, **options: Any) -> Any:
    """timm's network as a feature extractor with random weights; a sequence of layers if timm supports that."""
    import timm
    from timm.models.efficientnet import EfficientNetFeatures
    from timm.models.mobilenetv3 import MobileNetV3Features

    check_model(model)
    if loading := sorted(LOADING & options.keys()):  # a pickle, of which older versions of timm run the code
        raise ValueError(f"timm/{model}: {', '.join(loading)} would load weights; tools/export.py --checkpoint does")
    net = timm.create_model(model, pretrained=False, features_only=True, **options)
    if isinstance(net, EfficientNetFeatures | MobileNetV3Features):  # not listed by default
        layers = dict(feature_cls="list", flatten_sequential=True)
        net = timm.create_model(model, pretrained=False, features_only=True, feature_cfg=layers, **options)
    return net


def taps(model: str, options: dict) -> tuple[int, ...]:
    """Indices of the maps to take: the last one of each stride from 4 on (4, 8, 16, 32 in nearly all CNNs)."""
    with torch.device("meta"):  # no memory, no arithmetic
        info = create(model, **options).feature_info
    last = {each["reduction"]: i for i, each in enumerate(info.info)}
    return tuple(i for stride, i in last.items() if stride >= LEAST_STRIDE)


def stages_of(net: Any) -> dict[str, int]:
    """Layer -> stage, that of the next map; the stem's is 0. Empty unless a network is a plain sequence of layers."""
    from timm.models import FeatureListNet

    if not isinstance(net, FeatureListNet):
        return {}
    ends = list(net.return_layers)
    stages, stage = {}, 0
    for layer in net:
        stage = max(stage, int(layer == ends[0]))
        stages[layer] = stage
        stage += stage > 0 and layer in ends
    return stages


def first_maps(model: str, options: dict) -> dict[str, int]:
    """Parameter -> stage: the first map that it acts on, by automatic differentiation. Works for any network."""
    with torch.device("meta"):
        net = create(model, **options)
        px = options.get("img_size", net.pretrained_cfg["input_size"][-1])
        maps = net.eval()(torch.zeros(1, 3, px, px))
    trained = {name: parameter for name, parameter in net.named_parameters() if parameter.requires_grad}
    stages = dict.fromkeys((name for name, _ in net.named_parameters()), len(maps))
    for stage, each in reversed(list(enumerate(maps, 1))):
        gradients = torch.autograd.grad(each.sum(), list(trained.values()), allow_unused=True, retain_graph=True)
        stages |= {name: stage for name, gradient in zip(trained, gradients, strict=True) if gradient is not None}
    return stages


@MODELS.register_module()
class Timm(Backbone):
    """timm's `model`, built with timm's own `options`, as in `options=dict(act_layer="relu")`.

    (N, 3, H, W) -> a tuple of maps, one per built stage; `stages` as in our ResNet. Raises ValueError for a name that
    timm does not have, or for what the architecture does not support: single stages, output strides, zero gamma.
    """

    def __init__(
        self,
        model: str,
        options: dict | None = None,
        stages: Sequence[int] | None = None,
        output_stride: int = 32,
        zero_gamma: bool = False,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        weights: str | None = None,
        sha256: str | None = None,
    ) -> None:
        super().__init__(frozen_stages, norm_eval)
        self.name = f"timm/{model}"
        options = dict(options or {})
        options["out_indices"] = taps(model, options)
        self.net = self.dilated(model, options, output_stride)
        self.layers = stages_of(self.net)
        self.sequential = bool(self.layers)
        self.model, self.options = model, options
        info = self.net.feature_info
        self.cut(tuple(range(1, 1 + len(info.out_indices)) if stages is None else stages), info.reduction())
        self.channels = tuple(info.channels()[stage - 1] for stage in self.stages)
        self.strides = tuple(info.reduction()[stage - 1] for stage in self.stages)
        self.reset(zero_gamma)
        if weights is not None:
            self.load(weights, sha256)
        self.freeze()

    @cached_property
    def acts_on(self) -> dict[str, int]:
        """`first_maps`, for a network whose stages are no layers of their own."""
        return first_maps(self.model, self.options)

    def dilated(self, model: str, options: dict, output_stride: int) -> Any:
        """The network, dilated so that no map is coarser than `output_stride`."""
        if output_stride == 32:
            return create(model, **options)
        try:
            net = create(model, **options, output_stride=output_stride)
        except (TypeError, AssertionError, NotImplementedError):  # timm's ways to refuse
            net = None
        if net is None or max(net.feature_info.reduction()) != output_stride:
            raise ValueError(f"{self.name} has no output_stride={output_stride}: timm cannot dilate this architecture")
        return net

    def cut(self, stages: tuple[int, ...], strides: list[int]) -> None:
        """Leave out the layers of all other stages."""
        known = range(1, 1 + len(strides))
        if not stages or stages != tuple(stage for stage in known if stages[0] <= stage <= stages[-1]):
            have = f"{len(strides)} with strides {', '.join(map(str, strides))}"
            raise ValueError(f"{self.name}: stages={stages} do not exist; it has {have}")
        if not self.layers and (self.frozen_stages == 0 or len(stages) < len(strides)):
            raise ValueError(f"{self.name} is not a plain sequence of layers: its stem and stages cannot be separated")
        self.stages = stages
        for layer in self.layers:
            if not self.builds(layer):
                del self.net[layer]

    def reset(self, zero_gamma: bool) -> None:
        """As our ResNet: Xavier uniform, biases 0, gamma 1 (sec. 2.1); `zero_gamma`: 0 at a block's end (sec. 3.1)."""
        for module in self.modules():
            if isinstance(module, WEIGHTED):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for _, norm in self.norms():
            norm.reset_parameters()
        blocks: list[Any] = [module for module in self.modules() if hasattr(module, "zero_init_last")]
        if zero_gamma and not blocks:
            raise ValueError(f"{self.name} has no residual blocks with a gamma to zero; set tricks.zero_gamma=None")
        for block in blocks if zero_gamma else ():
            block.zero_init_last()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        if getattr(self.net, "output_fmt", "NCHW") == "NCHW":
            return tuple(self.net(x))
        maps = self.net(x if 1 in self.stages else x.permute(0, 2, 3, 1))  # NHWC inside
        return tuple(each.permute(0, 3, 1, 2) for each in maps)

    def stage_of(self, name: str) -> int:
        name = name.removeprefix("net.")
        if self.layers:
            return self.layers[name.split(".")[0]]
        return self.acts_on.get(name) or self.acts_on[f"{name}.weight"]  # of a parameter or a batch norm

    def builds(self, name: str) -> bool:
        layer = name.removeprefix("net.").split(".")[0]
        return layer not in self.layers or max(1, self.layers[layer]) in self.stages  # the stem belongs to stage 1
