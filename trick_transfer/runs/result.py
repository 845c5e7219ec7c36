"""A stage's result with its receipt: results/<tier>/<recipe>/seed<n>/<stage>/metrics.json, written whole or not at all.

The per-image outputs lie beside it as outputs.npz. A stage's other protocols go to <stage>-<protocol>/, and fine-tuning
with another seed than the backbone's to <stage>-seed<n>/, so that a file's place follows from what it says.
A result without a complete receipt cannot be made, written or read.
"""

import json
import math
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from trick_transfer.engine.files import write_whole
from trick_transfer.stages import STAGES

from .identity import fingerprint

SCHEMA = 3
FILE_NAME = "metrics.json"
OUTPUTS = "outputs.npz"  # beside it: what the metrics can be computed from again
FILLED = (  # fields of the receipt that say nothing when empty
    *("protocol_hash", "precision", "device", "commit", "versions", "command", "config", "config_hash"),
    *("outputs_sha256", "data_manifest", "licences"),
)


@dataclass(frozen=True)
class Result:
    """What a stage scored, and the receipt for it. Raises ValueError if either is incomplete or impossible."""

    tier: str
    recipe: str
    stage: str  # classification, detection or segmentation
    protocol: str
    protocol_version: int
    protocol_hash: str  # of its values; equal hashes: the numbers may be compared
    seed: int
    backbone_seed: int  # of the run whose backbone was fine-tuned; in classification its own seed
    metrics: dict[str, float]  # percent
    curves: dict[str, list[list[float]]]  # [epoch, value] pairs of loss, lr, and the metrics scored after an epoch
    samples_scored: int
    outputs_sha256: str
    data_manifest: str  # sha256 of the data's manifest, see engine/manifest.py
    licences: dict[str, str]
    params_m: float | None  # params_m, gmacs: the whole classifier at the tier's input size
    gmacs: float | None
    arrived_percent: float | None  # share of the backbone's tensors that arrived downstream bit for bit
    feature_error: float | None  # max |exported backbone - classifier's trunk| on one fixed input
    global_batch: int
    lr: float
    steps: int
    precision: str
    device: str
    devices: int
    seconds: float
    commit: str
    dirty: bool
    versions: dict[str, str]
    command: str
    config: dict[str, Any]  # resolved
    config_hash: str  # fingerprint(config)
    remarks: list[str]  # what was done to this file after the run, such as a conversion from an older schema
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        for fault in faults(self):
            raise ValueError(fault)

    @property
    def folder(self) -> Path:
        """Where it belongs, relative to the results' root."""
        others = STAGES[self.stage].protocols[1:]
        stage = f"{self.stage}-{self.protocol}" if self.protocol in others else self.stage
        fine_tuned = "" if self.seed == self.backbone_seed else f"-seed{self.seed}"
        return Path(self.tier, self.recipe, f"seed{self.backbone_seed}", stage + fine_tuned)


def faults(result: Result) -> list[str]:
    """What is wrong with a result, most basic first."""
    return type_faults(result) or receipt_faults(result) + metric_faults(result)


def type_faults(result: Result) -> list[str]:
    """Fields of another type than declared."""
    values = {field.name: (getattr(result, field.name), field.type) for field in fields(Result)}
    return [f"{name} is {value!r:.80}, not {kind}" for name, (value, kind) in values.items() if not fits(value, kind)]


def fits(value: Any, kind: Any) -> bool:
    """Whether a value is of a declared type; an int passes for a float, a bool for neither."""
    if kind is Any:
        return True
    if isinstance(kind, UnionType):
        return any(fits(value, each) for each in get_args(kind))
    if get_origin(kind) is list:
        return isinstance(value, list) and all(fits(each, *get_args(kind)) for each in value)
    if get_origin(kind) is dict:
        key_kind, value_kind = get_args(kind)
        return isinstance(value, dict) and all(fits(k, key_kind) and fits(v, value_kind) for k, v in value.items())
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value is None if kind is type(None) else type(value) is kind


def receipt_faults(result: Result) -> list[str]:
    """Receipt fields that are empty, impossible, or not this stage's."""
    found = [f"schema is {result.schema}, this version reads {SCHEMA}"] if result.schema != SCHEMA else []
    for name in ("tier", "recipe", "protocol"):  # they become folders
        if not re.fullmatch(r"\w[\w.+-]*", getattr(result, name)):
            found.append(f"{name} is {getattr(result, name)!r}, not a name")
    if result.stage not in STAGES:
        found.append(f"stage is {result.stage!r}, not one of {', '.join(STAGES)}")
    for name in FILLED:
        if not getattr(result, name):
            found.append(f"{name} is empty: the receipt is incomplete")
    for name, least in dict(
        protocol_version=1,
        seed=0,
        backbone_seed=0,
        samples_scored=1,
        global_batch=1,
        lr=0,
        steps=0,
        devices=1,
        seconds=0,
    ).items():
        if getattr(result, name) < least:
            found.append(f"{name} is {getattr(result, name)}, less than {least}")
    first = result.stage in STAGES and STAGES[result.stage].trains_backbone
    needed = ("params_m", "gmacs") if first else ("arrived_percent", "feature_error")
    found += [f"{name} is missing: {result.stage} has to state it" for name in needed if getattr(result, name) is None]
    if first and result.seed != result.backbone_seed:
        found.append(f"backbone_seed is {result.backbone_seed}, but {result.stage} trains the backbone itself")
    if result.config_hash != fingerprint(result.config):
        found.append("config_hash is not the fingerprint of config")
    return found


def metric_faults(result: Result) -> list[str]:
    """Metrics that are missing or no percentages."""
    percents = result.metrics | {"arrived_percent": result.arrived_percent or 0}
    known = STAGES[result.stage].metrics if result.stage in STAGES else ()
    missing = [each.name for each in known if each.required and each.name not in result.metrics]
    return [f"metric {name} is missing" for name in missing] + [
        f"{name} is {value}, outside 0 to 100 percent" for name, value in percents.items() if not 0 <= value <= 100
    ]


def write(result: Result, path: Path | str) -> None:
    """The result as JSON, whole or not at all; OSError (a full disk) names the file and leaves nothing behind."""
    text = json.dumps(asdict(result), indent=1, allow_nan=False) + "\n"
    write_whole(path, lambda part: part.write_text(text, "utf-8"))


def read(path: Path | str) -> Result:
    """One result. Raises a ValueError of one line that names the file and the fault."""
    try:
        data = json.loads(Path(path).read_text("utf-8"), object_pairs_hook=unique, parse_constant=refuse)
        return from_data(data)
    except (ValueError, RecursionError) as fault:
        raise ValueError(f"{path}: {fault}") from None


def from_data(data: Any) -> Result:
    """A result from parsed JSON: each field once, none unknown."""
    if not isinstance(data, dict):
        raise ValueError("not a result: a JSON object was expected")
    names = [field.name for field in fields(Result)]
    missing, unknown = [name for name in names if name not in data], [name for name in data if name not in names]
    if missing or unknown:
        raise ValueError(f"missing field {missing[0]}" if missing else f"unknown field {unknown[0]!r:.80}")
    return Result(**data)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, unless a key is there twice."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r:.80} is there twice")
    return dict(pairs)


def refuse(constant: str) -> None:
    """JSON has no NaN or Infinity."""
    raise ValueError(f"{constant} is not a number")
