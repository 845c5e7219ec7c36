"""What a benchmark found, as a small file each, and the page of them all: docs/performance.md."""

import json
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from trick_transfer.engine.files import write_whole
from trick_transfer.engine.processes import cores
from trick_transfer.engine.receipt import ROOT, commit, device, versions

FOLDER = Path(ROOT, "docs", "benchmarks")
PAGE = "performance.md.j2"


@dataclass(frozen=True)
class Ratio:
    """What is compared with what, and what we want of it."""

    of: str
    value: float
    goal: str = ""


@dataclass(frozen=True)
class Figures:
    """Values by name in one unit, of one run, and their ratios; remarks are whole sentences."""

    what: str
    unit: str
    values: dict[str, float]
    ratios: list[Ratio]
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.what}: {name:28} {value:10.5g} {self.unit}" for name, value in self.values.items()]
        lines += [f"{ratio.of}: {ratio.value:.3g}" + f" ({ratio.goal})" * bool(ratio.goal) for ratio in self.ratios]
        return "\n".join([*lines, *self.remarks])


def rounds(
    candidates: dict[str, Callable[[], object]], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Median seconds of each candidate, run in turns so that a drift of the machine favours none."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for i in range(repeats + 1):
        for name, run in candidates.items():
            begun = clock()
            run()
            if i:  # the first is a warm-up
                seconds[name].append(clock() - begun)
    return {name: statistics.median(each) for name, each in seconds.items()}


def record(figures: Figures, bench: str) -> None:
    """Write FOLDER/<bench>.json, with when, where and by which command it was measured."""
    about = dict(date=datetime.now(UTC).date().isoformat(), command=shlex.join(["tools/bench.py", *sys.argv[1:]]))
    about |= dict(device=device(), cores=str(cores()), torch=versions()["torch"], commit=commit()[0])
    text = json.dumps(about | {"versions": versions()} | asdict(figures), indent=1) + "\n"
    write_whole(FOLDER / f"{bench}.json", lambda part: part.write_text(text, "utf-8"))


def write_page(page: Path) -> None:
    """Write the page of all figures in FOLDER."""
    found = [json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))]
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = environment.get_template(PAGE).render(found=found)
    write_whole(page, lambda part: part.write_text(text, "utf-8"))
