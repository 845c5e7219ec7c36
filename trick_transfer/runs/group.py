"""The processes of one run, which torchrun or srun started."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from mmengine.dist import init_dist

from trick_transfer.engine.processes import backend

LOST = "by peer|Broken pipe|remote process exited"  # gloo's and NCCL's words
WAIT_SECONDS = 2.0


@contextmanager
def processes() -> Iterator[int]:
    """Join the process group, if torchrun or srun started one; yields the number of processes."""
    if "RANK" not in os.environ:
        yield 1
        return
    os.environ.setdefault("MKL_NUM_THREADS", "1")  # as mmengine does, with a warning
    if torch.cuda.is_available():  # mmengine's set-up needs it, and takes LOCAL_RANK for the GPU's number
        os.environ["LOCAL_RANK"] = str(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())  # srun may show one
        init_dist("pytorch", backend=backend())
    else:
        dist.init_process_group(backend())
    try:
        yield dist.get_world_size()
        dist.barrier()  # a process that ends early would break the connections of the others
    except RuntimeError as error:
        if not re.search(LOST, str(error)):
            raise
        time.sleep(WAIT_SECONDS)  # the failing process prints its error, and torchrun ends this one
        raise ConnectionError(f"another process of this run is gone: {error}") from error
    finally:
        dist.destroy_process_group()  # its threads must not outlive the interpreter: that aborts


def is_first_here() -> bool:
    """Whether this process is the first one on its machine; to be asked before `processes`."""
    return os.environ.get("LOCAL_RANK", "0") == "0"
