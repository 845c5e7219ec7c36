"""What a container, or a job of a cluster, may take: the limits of its control group and of those above it.

Linux, cgroup v2 (docs.kernel.org, "Control Group v2": cpu.max, memory.max). Without one, nothing is limited.
"""

import re
from math import inf
from pathlib import Path

GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def stated(name: str) -> list[Path]:
    """The files of this name in the folders of this process's group and those above it."""
    found = re.search(r"^0::/(.*)$", OWN.read_text(), re.M) if OWN.is_file() else None
    own = GROUPS / found[1] if found else GROUPS  # in a container it may lie outside
    files = (each / name for each in (own, *own.parents) if each.is_relative_to(GROUPS))
    return [each for each in files if each.is_file()]


def cores_allowed() -> float:
    """By the share of time that is allowed; infinity for any."""
    told = [each.read_text().split() for each in stated("cpu.max")]
    return min((int(quota) / int(period) for quota, period in told if quota != "max"), default=inf)


def memory_free() -> float:
    """Bytes that may still be taken, with what the kernel holds of files and gives back; infinity for any."""
    return min((free_in(each.parent) for each in stated("memory.max")), default=inf)


def free_in(group: Path) -> float:
    """Of one group that has limits of memory."""
    limit = (group / "memory.max").read_text().strip()
    cached = re.search(r"^inactive_file (\d+)$", (group / "memory.stat").read_text(), re.M)
    taken = int((group / "memory.current").read_text()) - (int(cached[1]) if cached else 0)
    return inf if limit == "max" else max(0, int(limit) - taken)
