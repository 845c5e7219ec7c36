"""A run's metrics recomputed from its stored outputs, without GPU or model, and compared with its result."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from trick_transfer.engine.files import file_sha256
from trick_transfer.engine.stage import Outputs
from trick_transfer.runs.result import Result
from trick_transfer.stages import STAGES

TOLERANCE_PERCENT = 1e-4  # the detector's metric computes in single precision


def read(path: Path, stage: str) -> Outputs:
    """A stage's outputs. Raises ValueError or OSError of one line that names the file."""
    try:
        with np.load(path) as stored:
            return STAGES[stage].outputs({name: stored[name] for name in stored.files})
    except (ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as fault:
        raise ValueError(f"{path}: no outputs of {stage}: {fault}") from None


def audit(result: Result, path: Path) -> tuple[Outputs | None, list[str]]:
    """A result's outputs, or None and one line for each fault; the file is read only if its hash is the result's."""
    if not path.is_file():
        return None, [f"{path} is missing"]
    found = file_sha256(path)
    if found != result.outputs_sha256:
        return None, [f"{path}: its sha256 is {found}, the result has {result.outputs_sha256}"]
    try:
        outputs = read(path, result.stage)
    except (ValueError, OSError) as fault:
        return None, [str(fault)]
    faults = differences(result, outputs)
    return (None if faults else outputs), [f"{path}: {fault}" for fault in faults]


def differences(result: Result, outputs: Outputs) -> list[str]:
    """Metrics that differ from those recomputed from the outputs, and another number of images."""
    images, found = len(outputs.images), outputs.metrics()
    lines = [f"{images} images, the result has {result.samples_scored}"] if images != result.samples_scored else []
    return lines + [
        f"{name} is {found[name]:.6f}, the result has {value:.6f}"
        for name, value in result.metrics.items()
        if name in found and abs(found[name] - value) > TOLERANCE_PERCENT
    ]
