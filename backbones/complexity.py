"""Parameters and multiply-adds. The paper's "4.3 G FLOPs" (Table 5) are multiply-adds; we call them GMACs."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def params_m(model: nn.Module) -> float:
    """Parameters in millions."""
    return sum(p.numel() for p in model.parameters()) / 1e6


@torch.no_grad()
def gmacs(model: nn.Module, px: int) -> float:
    """Multiply-adds of convolutions and fully-connected layers for one (1, 3, px, px) image, in 10^9."""
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    with FlopCounterMode(display=False) as counter:  # counts 2 FLOPs per multiply-add
        model(torch.zeros(1, 3, px, px, device=device))
    model.train(training)
    return counter.get_total_flops() / 2e9
