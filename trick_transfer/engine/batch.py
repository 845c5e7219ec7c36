"""Splits the global batch that a recipe states into per-device batch x devices x accumulation."""

from typing import NamedTuple


class Batch(NamedTuple):
    """How a global batch is split; `str()` is the line that the tools print."""

    total: int
    per_device: int
    devices: int
    accumulation: int

    def __str__(self) -> str:
        split = f"{self.per_device} a device x {self.devices} x {self.accumulation} accumulated"
        return f"global batch {self.total} = {split}"


def solve(total: int, devices: int = 1, accumulation: int = 1) -> Batch:
    """Split `total` images; raises ValueError for a batch that does not divide."""
    if not isinstance(total, int) or total < 1:
        raise ValueError(f"the global batch must be a whole number >= 1, got {total!r}")
    if devices < 1 or accumulation < 1:
        raise ValueError(f"--gpus and --accumulate must be at least 1, got {devices} and {accumulation}")
    per_device, rest = divmod(total, devices * accumulation)
    if rest or per_device < 1:
        raise ValueError(
            f"a global batch of {total} does not divide over {devices} devices x {accumulation} accumulated steps; "
            f"choose --gpus and --accumulate so that their product divides {total}"
        )
    return Batch(total, per_device, devices, accumulation)


def too_few(images: int, per_device: int) -> str:
    """What is wrong with training images that fill no batch where one that is not full is dropped."""
    return (
        f"{images:,} training images do not fill one batch of {per_device:,} in each process; "
        "set a smaller one: global_batch in classification, train_dataloader.batch_size in the other stages"
    )
