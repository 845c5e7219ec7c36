"""Batch norm over parts of a batch, as if spread over GPUs, on any devices (ghost batches: Hoffer et al. 2017).

The authors trained on 8 GPUs, each with batch norms of its own: 128 images at batch 1024, 32 at batch 256.
"""

import torch
from torch import Tensor, nn

from trick_transfer.engine.batch import Batch

RUNNING = ("running_mean", "running_var")
LEAST_IMAGES = 2  # of a part; a tier's batch may be small


def norm_parts(asked: int, total: int) -> int:
    """Into how many parts batch norm sees a global batch: as many as asked for, each of at least two images."""
    return max(1, min(asked, total // LEAST_IMAGES))


def parts_of_a_step(asked: int, batch: Batch) -> int:
    """The parts of one device's step. Raises ValueError where devices and accumulated steps do not divide them."""
    parts, steps = norm_parts(asked, batch.total), batch.devices * batch.accumulation
    if parts % steps or batch.per_device % (parts // steps):
        raise ValueError(
            f"batch norm is to see {batch.total} images in {parts} equal parts, as on the authors' GPUs; choose --gpus "
            f"and --accumulate so that their product divides {parts}"
        )
    return parts // steps


class Split:
    """For a batch norm's class: in training each part has its own statistics, and the running ones get their mean."""

    parts: int
    training: bool
    _buffers: dict[str, Tensor]

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or len(x) % self.parts:  # a dry run's few images
            return super().forward(x)  # type: ignore[misc]
        own, out, seen = {name: self._buffers[name] for name in RUNNING}, [], []
        for part in x.chunk(self.parts):
            self._buffers |= {name: each.clone() for name, each in own.items()}  # autograd keeps them
            out.append(super().forward(part))  # type: ignore[misc]
            seen.append([self._buffers[name] for name in RUNNING])
        for each, parts in zip(own.values(), zip(*seen, strict=True), strict=True):
            each.copy_(torch.stack(parts).mean(0))
        self._buffers |= own
        return torch.cat(out)


def split_norms(model: nn.Module, parts: int) -> None:
    """Let each batch norm of a model, of whatever class, see a batch in parts. Names and values stay."""
    for norm in model.modules():
        if parts > 1 and isinstance(norm, nn.BatchNorm2d):
            norm.__class__ = type(f"Split{type(norm).__name__}", (Split, type(norm)), {"parts": parts})
