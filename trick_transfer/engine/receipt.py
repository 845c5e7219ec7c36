"""What a result was made with: commit, versions, device. Part of every card and every result."""

import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
PACKAGES = ("torch", "torchvision", "timm", "numpy", "onedl-mmengine", "onedl-mmcv")
GENERATED = ("results", "LEADERBOARD.md", "leaderboard.*", "README.md")  # by tools/leaderboard.py, from runs
DOWNSTREAM = ("onedl-mmdetection", "onedl-mmsegmentation")


def git(*words: str) -> str | None:
    """A git command's output in our own checkout, None without a checkout or git."""
    # a checkout of another owner, as in a container: its code is what runs, so its git may be asked, too
    trusted = ["-c", f"safe.directory={ROOT.resolve()}", "-C", str(ROOT)]
    try:
        run = subprocess.run(["git", *trusted, *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return None if run.returncode else run.stdout.strip()


@cache  # read at a run's start: a later commit is not what runs
def commit() -> tuple[str, bool]:
    """The commit that runs, and whether the code may differ from it: also by a new recipe, or where git cannot tell.

    Files that runs write do not count.
    """
    others = [f":(exclude){each}" for each in GENERATED]
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", *others)
    new = git("ls-files", "--others", "--exclude-standard", "--", "*.py", *others)
    return git("rev-parse", "HEAD") or "unknown", changed != "" or new != ""


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that influence results."""
    found = {"python": sys.version.split()[0]}
    for package in PACKAGES + DOWNSTREAM:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def build() -> dict[str, str]:
    """What decides the last bits of a sum beside the versions: torch's build, threads, the processor's vector sets."""
    onednn = next((line.strip(" -") for line in torch.__config__.show().splitlines() if "MKL-DNN" in line), "no oneDNN")
    rounded = ", convolutions in TF32" if torch.backends.cudnn.allow_tf32 else ""  # those that are not in low precision
    cuda = f"{torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}{rounded}"
    flags = [flag for flag in cpu("flags").split() if flag.startswith(("avx", "amx", "fma"))]
    return {
        "torch": f"{torch.version.git_version}, {onednn}",
        "cuda": cuda if torch.cuda.is_available() else "none",
        "threads": str(torch.get_num_threads()),
        "cpu": f"{torch.backends.cpu.get_cpu_capability()}: {' '.join(flags) or platform.machine()}",
    }


def device() -> str:
    """The name of the GPU or processor."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return cpu("model name") or platform.processor() or platform.machine()


def cpu(field: str) -> str:
    """A field of the first processor in /proc/cpuinfo, "" where there is none."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith(field)), "")
