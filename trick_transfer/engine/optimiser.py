"""The optimiser's updates: the schedule counts them, and torch's fused optimiser makes them.

It wants few parameter groups, which it updates in one sweep, and gradients in one memory format.

Measured for ResNet-50-D's SGD step on two CPU cores: 161 groups 94 ms, one group 118 ms, one fused group 26 ms. With
weights in channels_last, torch's fused SGD (2.14, CPU) copies each: for ResNet-34 on one core 53 ms, as rows 22 ms.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.hooks import ParamSchedulerHook
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import OPTIMIZERS, PARAM_SCHEDULERS
from torch import Tensor, nn
from torch.optim.sgd import sgd

from trick_transfer.registry import HOOKS, MODEL_WRAPPERS, OPTIM_WRAPPER_CONSTRUCTORS

from .convolution import laid_out
from .files import brief

FUSED = dict(fused=True)
SETTINGS = ("weight_decay", "momentum", "lr", "dampening", "nesterov", "maximize")  # of SGD's update
ENDLESS = ("MultiStepLR", "StepLR", "ExponentialLR")  # schedules whose rates do not depend on where they end
WEIGHTED = nn.modules.conv._ConvNd | nn.Linear  # convolutions and fully-connected layers
# torch 2.14 warns; the replacement does not exist in 2.6
warnings.filterwarnings("ignore", ".broadcast_buffers. is deprecated")


def check_optimiser(options: Mapping[str, Any], schedulers: Sequence[Mapping[str, Any]]) -> None:
    """Raise ValueError unless an optimiser accepts these options, and can be fused, and its schedulers theirs."""
    key = "optim_wrapper.optimizer"
    try:
        optimiser = OPTIMIZERS.build({**options, **FUSED, "params": [torch.zeros(1, requires_grad=True)]})
        for place, each in enumerate(schedulers):
            key = f"param_scheduler.{place}"
            PARAM_SCHEDULERS.build(dict(each), default_args=dict(optimizer=optimiser, epoch_length=1))
    except (TypeError, ValueError, KeyError, AssertionError) as error:
        raise ValueError(f"{key}: {brief(error)}") from error


@OPTIMIZERS.register_module(name="SGD", force=True)
class RowSGD(torch.optim.SGD):
    """torch's SGD; a fused update on a CPU takes weights in channels_last as rows, from their second step on."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        tensors = [self.tensors(group) for group in self.param_groups]
        if closure is not None or not all(alike(each) for each in tensors):
            return super().step(closure)
        for group, kinds in zip(self.param_groups, tensors, strict=True):
            params, grads, momenta = ([row(each) for each in kind] for kind in kinds)
            sgd(params, grads, list(momenta), fused=True, **{key: group[key] for key in SETTINGS})
        return None

    def tensors(self, group: Mapping[str, Any]) -> list[list[Tensor]]:
        """Weights, gradients and momenta of a group; one that a fused update on a CPU cannot take has no momenta."""
        params = [each for each in group["params"] if each.grad is not None]
        fused = group["fused"] and all(each.is_cpu for each in params)
        momenta = [self.state[each].get("momentum_buffer") for each in params] if fused else []
        return [params, [each.grad for each in params], [each for each in momenta if each is not None]]


def alike(kinds: Sequence[Sequence[Tensor]]) -> bool:
    """Whether each weight's gradient and momentum exist and lie in memory as it does."""
    return len({tuple(is_channels_last(each) for each in kind) for kind in kinds}) == 1


def is_channels_last(tensor: Tensor) -> bool:
    """Whether it is a batch of maps, or a convolution's weight, with its channels side by side in memory."""
    return tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)


def row(tensor: Tensor) -> Tensor:
    """A tensor in the order of its memory: (N, C, H, W) in channels_last -> (N, H, W, C)."""
    return tensor.permute(0, 2, 3, 1) if is_channels_last(tensor) else tensor


@HOOKS.register_module()
class ScheduleUpdates(ParamSchedulerHook):
    """Moves the schedule with each update: mmengine's does with each part of a batch, however many are accumulated."""

    def after_train_iter(self, runner: Any, *position: Any, **outputs: Any) -> None:
        if runner.optim_wrapper.should_update():
            super().after_train_iter(runner, *position, **outputs)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MergedGroups(DefaultOptimWrapperConstructor):
    """mmengine's settings of each parameter, but in one group per distinct settings, not per parameter.

    One more setting, `decay_weights_only`: weights of convolutions and fully-connected layers decay, nothing else. By
    mmengine's own, of biases and known norms, all other kinds of parameters would decay.
    """

    def add_params(self, params: list[dict], module: nn.Module, prefix: str = "", **options: Any) -> None:
        if prefix:  # mmengine calls this for every submodule
            super().add_params(params, module, prefix, **options)
            return
        single: list[dict] = []
        super().add_params(single, module, **options)
        if self.paramwise_cfg.get("decay_weights_only"):
            weights = {id(each.weight) for each in module.modules() if isinstance(each, WEIGHTED)}
            for group in single:
                group.update({} if id(group["params"][0]) in weights else {"weight_decay": 0.0})
        merged: dict[tuple, dict] = {}
        for group in single:
            settings = {key: value for key, value in group.items() if key != "params"}
            target = merged.setdefault(tuple(sorted(settings.items())), {"params": []} | settings)
            target["params"] += group["params"]
        params += merged.values()


@MODEL_WRAPPERS.register_module()
class ChannelsLastParallel(MMDistributedDataParallel):
    """mmengine's wrapper, one model per process, around a model that is in channels_last already.

    If it were converted afterwards, weights and the gradients from other processes would have two memory formats, and
    torch's fused SGD (2.14, CPU) adds them up as if they had one.
    """

    def __init__(self, module: nn.Module, *args: Any, **kwargs: Any) -> None:
        super().__init__(laid_out(module), *args, **kwargs)
