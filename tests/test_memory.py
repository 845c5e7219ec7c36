import resource
import subprocess
import sys

import pytest

from trick_transfer.engine import memory

KEPT = """
import resource
import torch
from trick_transfer.engine.memory import keep_freed_memory

{call}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(12):  # small blocks between the large ones end its growth after a few rounds
    torch.ones(2**24)
before = faults()
for _ in range(4):
    torch.ones(2**24)
print(faults() - before)
"""


def new_pages(call):
    """Pages that the kernel hands out while four freed blocks of 64 MB are asked for again."""
    run = subprocess.run([sys.executable, "-c", KEPT.format(call=call)], capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_freed_memory_is_reused_instead_of_requested_from_the_kernel():
    pages = 2**26 / resource.getpagesize()
    assert new_pages("keep_freed_memory()") < pages / 100


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(memory, "ctypes")
    memory.keep_freed_memory()
