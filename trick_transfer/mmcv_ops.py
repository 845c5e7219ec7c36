"""A replacement of mmcv's compiled ops by torchvision's kernels: plain `pip install onedl-mmcv` has no compiled ops.

mmdet cannot be imported without the module `mmcv._ext`, but our protocols need only its `nms` (RoIAlign can use
torchvision: `use_torchvision=True`). If the compiled module exists, it is used. mmseg needs neither. Importing this
module installs it, so an mmdet config can name it in `custom_imports`.
"""

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torchvision
from torch import Tensor

NAME = "mmcv._ext"


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """(N, 4), (N,) -> indices of the boxes kept, best first. mmcv's `offset` 1 is the width x2 - x1 + 1."""
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return torchvision.ops.nms(boxes.float(), scores.float(), iou_threshold)


class Ops(ModuleType):
    """`mmcv._ext`: `nms`, and an error for any other op."""

    def __init__(self) -> None:
        super().__init__(NAME, __doc__)
        self.__spec__ = ModuleSpec(NAME, loader=None)  # mmcv looks for the spec to see whether ops exist
        self.nms = nms

    def __getattr__(self, op: str) -> Callable[..., Any]:
        if op.startswith("__"):
            raise AttributeError(op)

        def refuse(*args: Any, **kwargs: Any) -> Any:
            raise NotImplementedError(f"mmcv op `{op}` needs compiled ops, and onedl-mmcv was installed without them")

        return refuse


def install() -> None:
    """Provide `mmcv._ext` if the compiled one is missing; a second call does nothing."""
    if NAME not in sys.modules and find_spec(NAME) is None:
        sys.modules[NAME] = Ops()


install()
