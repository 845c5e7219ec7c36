"""Low-precision training (Bag of Tricks, sec. 3.2; Micikevicius et al. 2018) on any device.

CUDA: fp16 activations and gradients, fp32 master weights, dynamic loss scaling. CPU: bf16, which needs no scaling, if
the processor multiplies it; otherwise fp32, since emulated bf16 is slower. `--precision` takes another. mmengine's own
AMP wrapper refuses a machine without an accelerator.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from trick_transfer.registry import OPTIM_WRAPPERS

PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}


def low_precision(name: str | None = None) -> torch.dtype:
    """One of PRECISIONS, by default the lowest that is fast on this machine. Raises ValueError for fp16 on a CPU."""
    if name == "fp16" and not torch.cuda.is_available():
        raise ValueError("--precision fp16 needs a CUDA device; on a CPU take bf16 or fp32")
    if name:
        return PRECISIONS[name]
    if torch.cuda.is_available():
        return torch.float16
    onednn = torch.backends.mkldnn.is_available()  # not on every platform
    return torch.bfloat16 if onednn and torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32


@OPTIM_WRAPPERS.register_module()
class LowPrecisionOptimWrapper(OptimWrapper):
    """Forward under autocast, backward with loss scaling for fp16."""

    def __init__(self, precision: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dtype = low_precision(precision)
        self.device = self.optimizer.param_groups[0]["params"][0].device.type
        self.scaler = torch.amp.GradScaler(self.device, enabled=self.dtype == torch.float16)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        lower = torch.autocast(self.device, self.dtype, enabled=self.dtype != torch.float32)
        with super().optim_context(model), lower:
            yield

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        super().backward(self.scaler.scale(loss), **kwargs)

    def step(self, **kwargs: Any) -> None:
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()

    def state_dict(self) -> dict:
        return super().state_dict() | {"loss_scaler": self.scaler.state_dict()}

    def load_state_dict(self, state_dict: dict) -> None:
        state = dict(state_dict)
        self.scaler.load_state_dict(state.pop("loss_scaler"))
        super().load_state_dict(state)
