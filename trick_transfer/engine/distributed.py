"""One model per process, gradients averaged over all."""

import warnings
from typing import Any

import torch
from mmengine.model import MMDistributedDataParallel
from torch import nn

from trick_transfer.registry import MODEL_WRAPPERS

# torch 2.14 warns; the replacement does not exist in 2.6
warnings.filterwarnings("ignore", ".broadcast_buffers. is deprecated")


@MODEL_WRAPPERS.register_module()
class ChannelsLastParallel(MMDistributedDataParallel):
    """mmengine's wrapper around a model that is in channels_last already.

    If it were converted afterwards, weights and the gradients from other processes would have two memory formats, and
    torch's fused SGD (2.14, CPU) adds them up as if they had one.
    """

    def __init__(self, module: nn.Module, *args: Any, **kwargs: Any) -> None:
        super().__init__(module.to(memory_format=torch.channels_last), *args, **kwargs)
