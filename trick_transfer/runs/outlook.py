"""What runs will take, in hours and disk, from what finished ones of the same recipe, stage, protocol and tier took."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import mean

from trick_transfer.engine.receipt import device

from .result import FILE_NAME
from .run import Run
from .store import Stored

Kind = tuple[str, str, str]  # of runs that differ in their seed alone: tier, row, stage with its protocol
GB = 1e9


def outlook(planned: Iterable[tuple[Run, str, str]], stored: Iterable[Stored]) -> str:
    """The device-hours and the disk of planned runs that are not done, in one line, as far as either was measured.

    Hours are those of this machine's device, if it has any of that kind, else of the device that has most results.
    """
    runs = [run for run, word, _ in planned if word != "done"]
    coming, places = Counter(map(kind_of, runs)), {kind_of(run): run.folder for run in runs}
    hours: dict[str, float] = defaultdict(float)
    unknown, measured = 0, rates(stored)
    for kind, count in coming.items():
        by_device = measured.get(kind, {})
        if best := max(by_device, key=lambda name: (name == device(), len(by_device[name])), default=None):
            hours[best] += count * mean(by_device[best])
        else:
            unknown += count
    sizes = {kind: size for kind, folder in places.items() if (size := bytes_of_one(folder))}
    known = sum(coming[kind] for kind in sizes)
    parts = [f"{total:.2f} device-hours on {name}" for name, total in hours.items()]
    parts += [f"hours of {unknown} not known"] * bool(unknown)
    parts += [f"{sum(coming[kind] * size for kind, size in sizes.items()) / GB:.2f} GB"] * bool(sizes)
    parts += [f"disk of {coming.total() - known} not known"] * (known < coming.total())
    return f"to run: {', '.join([str(coming.total()), *parts])}"


def rates(stored: Iterable[Stored]) -> dict[Kind, dict[str, list[float]]]:
    """The device-hours of each result by kind and device, without a sweep's trials: these are runs of their own."""
    found: dict[Kind, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for result in (each.result for each in stored):
        tier, row, _, stage = result.folder.parts
        found[tier, row, without_seed(stage)][result.device].append(result.seconds * result.devices / 3600)
    return found


def kind_of(run: Run) -> Kind:
    """Which runs take as long as this one."""
    return run.tier_file.name, run.name, without_seed(run.folder.name)


def without_seed(stage: str) -> str:
    """The name of a stage's folder, also where it was fine-tuned with another seed than its backbone's."""
    return stage.partition("-seed")[0]


def bytes_of_one(folder: Path) -> float:
    """The mean size of the finished runs beside a run's folder, with any seed; 0 where there is none."""
    rows, stage = folder.parent.parent, without_seed(folder.name)
    done = [path.parent for path in rows.glob(f"seed*/{stage}*/{FILE_NAME}") if without_seed(path.parent.name) == stage]
    return mean(sum(file.stat().st_size for file in each.rglob("*") if file.is_file()) for each in done) if done else 0
