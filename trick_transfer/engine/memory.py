"""Memory on the CPU: freed blocks are kept for the next step instead of going back to the system."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h
NEVER = -1


def keep_freed_memory() -> None:
    """Tell glibc's malloc so; elsewhere, nothing happens.

    By default it maps each large activation anew and the kernel clears every page of it: for a step of ResNet-50-D
    (224 px, batch 32, bf16, 2 cores) 1.43 s, kept 1.27 s; a plain timm loop gains the same.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, NEVER)
