"""A stage's result with its receipt: results/<tier>/<recipe>/seed<n>/<stage>/metrics.json, written whole or not at all.

The per-image outputs are beside it as outputs.npz. A stage's other protocols go to <stage>-<protocol>/, and fine-tuning
with another seed than the backbone's to <stage>-seed<n>/, so a file's place follows from its content.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from trick_transfer.engine.fields import FILLED, Percent, Text, checker, parse
from trick_transfer.engine.files import write_whole
from trick_transfer.stages import STAGES

from .identity import fingerprint
from .places import folder_of, home_of

SCHEMA: Literal[4] = 4
DIVERGED = "diverged"  # in `chosen` of a trial that has no score: why
FILE_NAME = "metrics.json"
OUTPUTS = "outputs.npz"  # beside it: the metrics can be recomputed from these
UNSCORED = "none"  # in place of their sha256: a classification of given weights without a head for the data's classes
Texts = Annotated[dict[str, str], FILLED]
FolderName = Annotated[str, Field(pattern=r"^\w[\w.+-]*$")]


@dataclass(frozen=True)
class Result:
    """What a stage scored, and the receipt for it. Raises ValueError if either is incomplete or impossible."""

    tier: FolderName
    recipe: FolderName
    stage: str  # a name in STAGES
    protocol: FolderName
    protocol_version: PositiveInt
    protocol_hash: Text  # of its values; equal hashes: the numbers may be compared
    seed: NonNegativeInt
    backbone_seed: NonNegativeInt  # of the run whose backbone was fine-tuned; in classification its own seed
    metrics: dict[str, Percent]
    curves: dict[str, list[list[float]]]  # [epoch, value] pairs of loss, lr, and the metrics scored after an epoch
    samples_scored: NonNegativeInt  # 0: see UNSCORED and DIVERGED
    outputs_sha256: Text
    data_manifest: Text  # sha256 of the data's manifest, see engine/manifest.py
    licences: Texts
    params_m: NonNegativeFloat | None  # params_m, gmacs: the whole classifier at the tier's input size
    gmacs: NonNegativeFloat | None
    arrived_percent: Percent | None  # share of the backbone's tensors that arrived downstream bit for bit
    feature_error: NonNegativeFloat | None  # max |exported backbone - classifier's trunk| on one fixed input
    branches: dict[str, Any] | None  # classification: see classification/diagnostics.py; None without residual branches
    global_batch: PositiveInt
    lr: NonNegativeFloat
    steps: NonNegativeInt
    devices: PositiveInt
    per_device: PositiveInt  # images
    accumulation: PositiveInt  # steps of an update
    norm_parts: PositiveInt  # of an update's images, each with its own statistics in batch norm
    precision: Text  # of the training
    low_precision: Text  # what low precision means in this run, also if its recipe does not ask for it
    device: Text
    build: Texts  # see engine/receipt.py
    seconds: NonNegativeFloat
    commit: Text
    dirty: bool
    versions: Texts
    command: Text
    config: Annotated[dict[str, Any], FILLED]  # resolved
    config_hash: Text  # fingerprint(config)
    remarks: list[str]  # what was done to this file after the run, such as a conversion from an older schema
    settings: dict[str, str] = field(default_factory=dict)  # by hand, as Python writes them; earlier results have none
    chosen: dict[str, Any] = field(default_factory=dict)  # on held-out training images: which epoch, and by what
    compiled: bool = field(default_factory=bool)  # training steps by torch.compile; earlier results were not
    schema: Literal[4] = SCHEMA

    def __post_init__(self) -> None:
        check(vars(self))
        for fault in faults(self):
            raise ValueError(fault)

    @property
    def folder(self) -> Path:
        """Its place, relative to the results' root."""
        home = home_of(self.tier, self.recipe, self.backbone_seed)
        return home / folder_of(self.stage, self.protocol, self.seed, self.backbone_seed)


check = checker(Result)


def faults(result: Result) -> Iterator[str]:
    """What is missing or contradictory in a result whose fields are valid."""
    if result.stage not in STAGES:
        yield f"stage is {result.stage!r}, not one of {', '.join(STAGES)}"
        return
    stage = STAGES[result.stage]
    needed = ("params_m", "gmacs") if stage.trains_backbone else ("arrived_percent", "feature_error")
    yield from (f"{name} is missing: {stage.name} must have it" for name in needed if getattr(result, name) is None)
    required = (metric.name for metric in stage.metrics if metric.required and result.samples_scored)
    yield from (f"metric {name} is missing" for name in required if name not in result.metrics)
    may_lack = stage.trains_backbone or DIVERGED in result.chosen
    if (result.samples_scored == 0) != (result.outputs_sha256 == UNSCORED and may_lack):
        yield f"'samples_scored' is {result.samples_scored}, 'outputs_sha256' {result.outputs_sha256!r:.80}"
    if not result.samples_scored and result.metrics:
        yield f"no image was scored, and there is {', '.join(result.metrics)}"
    if stage.trains_backbone and result.seed != result.backbone_seed:
        yield f"backbone_seed is {result.backbone_seed}, but {stage.name} trains the backbone itself"
    if result.config_hash != fingerprint(result.config):
        yield "config_hash is not the fingerprint of config"


def write(result: Result, path: Path | str) -> None:
    """The result as JSON, whole or not at all; OSError (a full disk) names the file and leaves nothing behind."""
    text = json.dumps(asdict(result), indent=1, allow_nan=False) + "\n"
    write_whole(path, lambda part: part.write_text(text, "utf-8"))


def read(path: Path | str) -> Result:
    """One result. Raises a ValueError of one line that names the file and the fault."""
    try:
        data = parse(Path(path).read_text("utf-8"))
        check(data)
        return Result(**data)
    except ValueError as fault:
        raise ValueError(f"{path}: {fault}") from None
