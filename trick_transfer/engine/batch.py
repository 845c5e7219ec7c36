"""A recipe states the global batch; here it becomes per-device batch x devices x accumulation."""

from typing import NamedTuple


class Batch(NamedTuple):
    """How a global batch is spread; `str()` is the line that tools print."""

    total: int
    per_device: int
    devices: int
    accumulation: int

    def __str__(self) -> str:
        return (
            f"global batch {self.total} = {self.per_device} a device x {self.devices} x {self.accumulation} accumulated"
        )


def solve(total: int, devices: int = 1, accumulation: int = 1) -> Batch:
    """Spread `total` images; raises ValueError for a batch that does not divide."""
    if not isinstance(total, int) or total < 1:
        raise ValueError(f"the global batch is {total!r}, not a whole number of images")
    if devices < 1 or accumulation < 1:
        raise ValueError(f"{devices} devices x {accumulation} accumulated steps: both have to be at least 1")
    per_device, rest = divmod(total, devices * accumulation)
    if rest or per_device < 1:
        raise ValueError(
            f"a global batch of {total} does not divide over {devices} devices x {accumulation} accumulated steps; "
            f"choose --gpus and --accumulate so that their product divides {total}"
        )
    return Batch(total, per_device, devices, accumulation)
