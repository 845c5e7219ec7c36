"""Memory on the CPU: freed blocks are kept for the next step instead of being returned to the OS."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


def keep_freed_memory() -> None:
    """Stop glibc from returning freed memory to the OS. Does nothing with another C library.

    By default glibc maps each large activation again and the kernel clears every page of it: a step of ResNet-50-D
    (224 px, batch 32, bf16, 2 cores) takes 1.43 s, with kept memory 1.27 s. docs/performance.md has
    what a plain timm loop gains.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)  # never
