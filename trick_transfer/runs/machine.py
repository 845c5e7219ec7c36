"""Whether this machine can train: each check says what it found, or raises OSError or ValueError with the mend."""

import re
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile

from trick_transfer.engine.limits import memory_free
from trick_transfer.engine.receipt import commit, git, versions

from .devices import GB, operators, precisions, processor

SHARED_MEMORY, MEMORY = Path("/dev/shm"), Path("/proc/meminfo")
LEAST_MEMORY_GB, LEAST_DISK_GB = 4.0, 5.0  # for `mini`: 152 layers, all runs
LEAST_SHARED_GB = 1.0  # 8 processes hold 2 batches each of 256 uint8 images of 224 px, 0.6 GB, beside validation's
LEAST_FILES = 1024  # 8 processes hold 2 batches each of 16 images of 2 tensors, each a file: 512, beside all others
MOST_SECONDS_OFF = 5.0
NO_WORKERS = ("num_workers=0", "persistent_workers=False")


def packages() -> str:
    """torch and torchvision must be of one release; mmdet needs its ops, compiled or torchvision's."""
    for name in ("torchvision", "detection", "mmdet.models", "mmseg.models"):
        try:
            import_module(name)
        except (ImportError, RuntimeError, AttributeError) as error:
            raise ValueError(f"{name} does not import ({str(error).splitlines()[0]}); run make setup again") from error
    return ", ".join(f"{name} {version}" for name, version in versions().items())


def memory() -> str:
    """What is free for activations, in a container at most what it may take."""
    if not MEMORY.is_file():
        return "not known on this system"
    (kilobytes,) = re.findall(r"^MemAvailable: *(\d+) kB", MEMORY.read_text(), re.M)
    free = min(int(kilobytes) * 1024, memory_free())
    mend = "end other programs, start the container with more, or --accumulate 2 takes half as much"
    return enough(free / GB, LEAST_MEMORY_GB, "memory", mend)


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


def files() -> str:
    """Each tensor that a loader process hands over is an open file."""
    most, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if most != unlimited and most < LEAST_FILES:
        raised = allowed == unlimited or allowed >= LEAST_FILES
        mend = (
            f"run ulimit -n {LEAST_FILES} in this shell" if raised else "start the container with --ulimit nofile=65536"
        )
        raise OSError(f"a process may open {most} files, {LEAST_FILES} are needed; {mend}")
    return f"{'any number of' if most == unlimited else most} open files"


def writing() -> str:
    """Runs are written to work/, prepared data to data/."""
    for folder, option in (("work", "--work-dir"), ("data", "--root, --data-root or --voc-root and the like")):
        place = next(each for each in (Path.cwd() / folder, Path.cwd()) if each.is_dir())
        try:
            with TemporaryFile(dir=place):
                pass
        except OSError as error:
            mend = f"start in a folder of your own, or name another with {option}"
            raise OSError(f"{folder}/ cannot be written, {place}: {error.strerror}; {mend}") from error
    return "work/ and data/ can be written"


def clock() -> str:
    """One that is off breaks make, TLS and receipts; the disk's clock and the commit's date tell."""
    try:
        with NamedTemporaryFile(dir=Path.cwd()) as file:
            off = Path(file.name).stat().st_mtime - time.time()
    except OSError:
        off = 0.0  # the check of writing says it
    if abs(off) > MOST_SECONDS_OFF:
        raise ValueError(
            f"the disk's clock is {off:+.0f} s off this machine's; set both by NTP (timedatectl set-ntp true)"
        )
    committed = int(git("show", "-s", "--format=%ct", "HEAD") or 0)
    if committed - time.time() > MOST_SECONDS_OFF:
        raise ValueError("the commit is of a later time than now; set the clock by NTP (timedatectl set-ntp true)")
    return time.strftime("%Y-%m-%d %H:%M:%S UTC, as the disk's", time.gmtime())


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
    "precisions": precisions,
    "mmcv's ops": operators,
    "memory": memory,
    "shared memory": shared_memory,
    "disk": disk,
    "open files": files,
    "write rights": writing,
    "clock": clock,
    "code": code,
    "trackers": trackers,
}


def diagnose() -> Iterator[tuple[str, bool, str]]:
    """(check, passed, what was found or the fault with its mend)."""
    for name, check in CHECKS.items():
        try:
            yield name, True, check()
        except (ValueError, OSError, RuntimeError) as error:  # torch's, of a GPU that is busy or broken
            yield name, False, str(error).partition("\n")[0]
