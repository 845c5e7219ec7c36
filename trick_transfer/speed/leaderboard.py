"""The leaderboard of many rows: seconds to make all its files, and the size of its page, on made-up results.

It is made twice: the scores of resampled images are remembered, so that one more row costs no more than its own.
Each is a reference result of `mini`, with a share of its hits lost by chance, under another recipe's name.
"""

import os
import resource
import subprocess
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from trick_transfer.command_line import PROGRAM
from trick_transfer.engine.files import file_sha256, write_arrays
from trick_transfer.engine.stage import Arrays
from trick_transfer.leaderboard.scores.load import read
from trick_transfer.runs.identity import fingerprint
from trick_transfer.runs.result import FILE_NAME, OUTPUTS, write
from trick_transfer.runs.store import Stored, read_stored, reference

from .figures import Figures, Ratio

RECIPE, MOST_LOST = "resnet50d_best", 0.5  # of three seeds


def worse(arrays: Arrays, random: np.random.Generator, share: float) -> Arrays:
    """Outputs of any stage in which about this share of the hits is lost: of images, boxes or pixels."""
    found = dict(arrays)
    if "ranked" in arrays:
        lost = random.random((len(arrays["labels"]), 1)) < share
        found["ranked"] = np.where(lost, np.roll(arrays["ranked"], 1, 1), arrays["ranked"])
    if "ranked_states" in arrays:
        found["ranked_states"] = arrays["ranked_states"] * (random.random(arrays["ranked_states"].shape) >= share)
    found.pop("confusion", None)  # it would contradict the counts
    if "counts" in arrays:
        found["counts"] = arrays["counts"].copy()
        found["counts"][:, 0] = random.binomial(arrays["counts"][:, 0], 1 - share)
    return found


def make_up(stored: Stored, row: int, share: float, root: Path) -> None:
    """Write one result with its outputs below `root`."""
    result = replace(stored.result, recipe=f"row{row}", branches=None)
    random = np.random.default_rng([result.seed, len(result.stage), row])
    folder = root / result.folder
    folder.mkdir(parents=True)
    with np.load(stored.outputs) as arrays:
        arrays = worse(dict(arrays), random, share)
    write_arrays(folder / OUTPUTS, arrays)
    found = read(folder / OUTPUTS, result.stage, result.config).metrics
    config = result.config | dict(made_up=row)  # else all rows are of one config
    write(
        replace(
            result,
            outputs_sha256=file_sha256(folder / OUTPUTS),
            metrics={name: found.get(name, value) for name, value in result.metrics.items()},
            config=config,
            config_hash=fingerprint(config),
            seconds=result.seconds + random.random(),
        ),
        folder / FILE_NAME,
    )


def seconds_of(words: list[str], cache: Path) -> float:
    """Seconds of processor time of a command that remembers scores in `cache`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*PROGRAM, *words], check=True, env=os.environ | {"XDG_CACHE_HOME": str(cache)})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def bench_leaderboard(rows: int) -> Figures:
    """All files of a leaderboard of so many rows, three seeds and three stages each."""
    models = [
        each for each in read_stored(reference())[0] if each.result.recipe == RECIPE and each.result.tier == "mini"
    ]
    with TemporaryDirectory() as name:
        root = Path(name, "results")
        for row in range(rows):
            for each in models:
                make_up(each, row, MOST_LOST * row / rows, root)
        words = ["leaderboard", "--results", str(root), "--own", f"{name}/none", "--out", name]
        first, again = (seconds_of(words, Path(name, "cache")) for _ in range(2))
        page_mb = Path(name, "leaderboard.html").stat().st_size / 1e6
    return Figures(
        f"leaderboard of {rows} rows, each of three stages and seeds",
        "",
        {},
        [
            Ratio("seconds of processor time, all runs new", first, ""),
            Ratio("seconds of processor time, all runs known", again, "under 60"),
            Ratio("page, MB", page_mb, "under 5"),
        ],
    )
