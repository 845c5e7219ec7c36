"""What computes here: the device, how fast each precision is on it, mmdet's ops. Checks as in `machine.py`."""

import os
import time
from importlib import import_module
from pathlib import Path

import torch
from torch import nn
from torchvision.ops import roi_align

from trick_transfer import mmcv_ops
from trick_transfer.engine.precision import PRECISIONS, low_precision
from trick_transfer.engine.processes import cores
from trick_transfer.engine.receipt import device

DRIVER = Path("/proc/driver/nvidia/version")
GB = 1e9
TURN_SECONDS = 0.2  # of each precision
PAYS = 1.1  # less is noise in a fifth of a second


def processor() -> str:
    """What trains. Raises OSError for GPUs that have a driver, and that torch does not see; ValueError for more threads
    than cores.
    """
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        return f"{torch.cuda.device_count()} x {device()}, {free / GB:.0f} of {total / GB:.0f} GB free, {cores()} cores"
    if DRIVER.is_file() and os.environ.get("CUDA_VISIBLE_DEVICES") != "":
        raise OSError(
            f"{DRIVER} is there, and torch {torch.__version__} sees no GPU; start the container with --gpus all "
            "(Apptainer: --nv), or install a torch whose CUDA is no newer than the driver's (nvidia-smi shows it)"
        )
    if (threads := torch.get_num_threads()) > cores():
        raise ValueError(f"threads: {threads}, cores: {cores()}; set OMP_NUM_THREADS={cores()}")
    return f"no CUDA, {device()}, {cores()} cores"


def precisions() -> str:
    """How fast a convolution trains in each precision; one that is slower than fp32 does not pay."""
    taken = next(name for name, dtype in PRECISIONS.items() if dtype == low_precision())
    seconds, said = {}, {}
    for name in reversed(PRECISIONS):  # fp32, the measure of all, is the last of them
        try:
            seconds[name] = seconds_of(low_precision(name))
            said[name] = f"{seconds['fp32'] / seconds[name]:.2f} x"
        except (ValueError, RuntimeError) as error:
            said[name] = f"does not work here ({str(error).splitlines()[0]})"
    if taken not in seconds:
        raise ValueError(f"runs take {taken}, which {said[taken]}; add --precision fp32")
    best = min(seconds, key=lambda name: seconds[name])
    slower = seconds[taken] > PAYS * seconds[best]
    mend = (
        f", though {best} is faster: add --precision {best}, of which rows have a table of their own" if slower else ""
    )
    told = ", ".join(f"{name} {each}" for name, each in said.items())
    return f"a convolution, forward and backward, against fp32: {told}; runs take {taken}{mend}"


def seconds_of(dtype: torch.dtype) -> float:
    """The shortest of the steps of a 3x3 convolution that a turn has time for, the first one left out."""
    where = "cuda" if torch.cuda.is_available() else "cpu"
    images, width = (64, 256) if where == "cuda" else (2, 32)  # work enough for it; emulated bf16 takes 20 times longer
    layer = nn.Conv2d(width, width, 3, padding=1).to(memory_format=torch.channels_last).to(where)
    maps = torch.randn(images, width, 28, 28, device=where).to(memory_format=torch.channels_last).requires_grad_()
    steps: list[float] = []
    ends = time.perf_counter() + TURN_SECONDS
    while len(steps) < 2 or time.perf_counter() < ends:
        begun = time.perf_counter()
        with torch.autocast(where, dtype, enabled=dtype != torch.float32):
            layer(maps).float().mean().backward()
        if where == "cuda":
            torch.cuda.synchronize()
        steps.append(time.perf_counter() - begun)
    return min(steps[1:])


def operators() -> str:
    """Whose ops mmdet takes, after the two that our protocols need have run on this device."""
    where = "cuda" if torch.cuda.is_available() else "cpu"
    boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0]], device=where)
    try:
        ops = import_module(mmcv_ops.NAME)
        ops.nms(boxes, boxes[:, 3], iou_threshold=0.5, offset=0)
        roi_align(torch.zeros(1, 1, 8, 8, device=where), [boxes], 2)
    except (ImportError, RuntimeError) as error:
        raise ValueError(
            f"nms or RoIAlign does not run on {where} ({str(error).splitlines()[0]}); torch, torchvision and "
            "a compiled mmcv have to be of one release and for one CUDA: run make setup again"
        ) from error
    return "torchvision's, which all our protocols need" if isinstance(ops, mmcv_ops.Ops) else "mmcv's, compiled"
