"""Whether this machine can train: each check says what it found, or raises OSError or ValueError with the mend."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch

from trick_transfer.engine.precision import low_precision
from trick_transfer.engine.receipt import commit, device, versions

SHARED_MEMORY, MEMORY = Path("/dev/shm"), Path("/proc/meminfo")
LEAST_SHARED_GB, LEAST_MEMORY_GB, LEAST_DISK_GB = (
    1.0,
    4.0,
    5.0,
)  # for `mini`: two loader processes, 152 layers, all runs
GB = 1e9
NO_WORKERS = ("num_workers=0", "persistent_workers=False")


def packages() -> str:
    """torch and torchvision must be of one release; mmdet needs its ops, compiled or torchvision's."""
    for name in ("torchvision", "detection", "mmdet.models", "mmseg.models"):
        try:
            import_module(name)
        except (ImportError, RuntimeError, AttributeError) as error:
            raise ValueError(f"{name} does not import ({str(error).splitlines()[0]}); run make setup again") from error
    return ", ".join(f"{name} {version}" for name, version in versions().items())


def processor() -> str:
    """What trains, and what low precision means on it."""
    memory = f", {torch.cuda.get_device_properties(0).total_memory / GB:.0f} GB" if torch.cuda.is_available() else ""
    low = str(low_precision(None)).removeprefix("torch.")
    return f"{torch.cuda.device_count() or 'no CUDA,'} {device()}{memory}, {os.cpu_count()} cores; low precision: {low}"


def memory() -> str:
    """What is free for activations."""
    if not MEMORY.is_file():
        return "not known on this system"
    (kilobytes,) = re.findall(r"^MemAvailable: *(\d+) kB", MEMORY.read_text(), re.M)
    return f"{int(kilobytes) * 1024 / GB:.1f} GB free"


def shared_memory() -> str:
    """Loader processes hand batches over in it."""
    if not SHARED_MEMORY.is_dir():
        return "not used on this system"
    workers = " ".join(f"{loader}_dataloader.{key}" for loader in ("train", "val") for key in NO_WORKERS)
    mend = f"start the container with --shm-size=8g, or let the training process read its data: --set {workers}"
    return enough(shutil.disk_usage(SHARED_MEMORY).free / GB, LEAST_SHARED_GB, str(SHARED_MEMORY), mend)


def disk() -> str:
    """Runs, checkpoints and data are written to this folder."""
    mend = "start in another folder, or name another with --work-dir"
    return enough(shutil.disk_usage(Path.cwd()).free / GB, LEAST_DISK_GB, str(Path.cwd()), mend)


def enough(free: float, least: float, what: str, mend: str) -> str:
    """`12.3 GB free`. Raises OSError where that is less than the least."""
    if free < least:
        raise OSError(f"{what} has {free:.2f} GB free, {least} GB are needed; {mend}")
    return f"{free:.1f} GB free"


def code() -> str:
    """What a receipt will say; a row of unknown or changed code cannot be repeated."""
    known, dirty = commit()
    return f"commit {known[:12]}" + (", with changes that are not committed" if dirty else "")


def trackers() -> str:
    """Those that --tracker may name."""
    return ", ".join(name for name in ("tensorboard", "mlflow", "wandb") if find_spec(name)) or "none"


CHECKS: dict[str, Callable[[], str]] = {
    "packages": packages,
    "processor": processor,
    "memory": memory,
    "shared memory": shared_memory,
    "disk": disk,
    "code": code,
    "trackers": trackers,
}


def diagnose() -> Iterator[tuple[str, bool, str]]:
    """(check, passed, what was found or the fault with its mend)."""
    for name, check in CHECKS.items():
        try:
            yield name, True, check()
        except (ValueError, OSError) as error:
            yield name, False, str(error)
