"""One run: where its files lie, its resolved Config, and whether it is done, stale, or under way."""

import importlib
import json
import re
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

import classification.config
from backbones.card import Card, read_card
from trick_transfer import mini
from trick_transfer.engine.batch import Batch, solve
from trick_transfer.engine.checkpoint import LATEST
from trick_transfer.engine.manifest import MANIFEST, manifest_digest, write_manifest
from trick_transfer.engine.optimiser import check_optimiser
from trick_transfer.engine.values import check_epochs, check_name
from trick_transfer.mini.shrink import shrink, two_steps
from trick_transfer.runs.result import FILE_NAME, changed_keys, fingerprint
from trick_transfer.runs.settings import override, split_sets
from trick_transfer.stages import STAGES as KINDS

STAGES = ("classification", "detection", "segmentation")
TIERS = ("mini", "paper", "smoke")
MINI = Path("data/mini")
DATA = {"classification": "imagenet1k", "detection": "voc0712", "segmentation": "ade20k"}
# what may differ between two machines without the numbers being another experiment's
PLACES = ("root", "data_root", "weights", "card", "num_workers", "persistent_workers", "outputs")
MODEL = "model.safetensors"  # a stage's final weights
TEACHER_SEED = 0  # one teacher for all seeds of a student, as in the paper


@dataclass(frozen=True)
class Run:
    """One stage of one recipe, tier and seed. Downstream, `recipe` is the upstream run's name: where its card is."""

    stage: str
    recipe: str
    tier: str = "mini"
    seed: int = 0
    sets: dict[str, Any] = field(default_factory=dict)
    protocol: str | None = None
    work_dir: Path = Path("work")
    data_root: Path | None = None
    backbone_seed: int | None = None  # downstream, where it is not the run's own seed
    tracker: str = "none"  # see tools/tracking.py

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:  # NumPy's range
            raise ValueError(f"a seed is a number from 0 to 2**32 - 1, not {self.seed}")
        if self.protocol and self.stage == "classification":
            raise ValueError(f"classification has one protocol, its data's; leave out --protocol {self.protocol}")
        if self.backbone_seed is not None and self.stage == "classification":
            raise ValueError("classification trains the backbone itself; leave out --backbone-seed")

    @property
    def name(self) -> str:
        """The recipe and what was set: another experiment never overwrites the recipe's own."""
        prefix = "" if self.stage == "classification" else f"{self.stage}."
        sets = [re.sub(r"[^\w.-]", "_", f"{prefix}{key}-{value}") for key, value in self.sets.items()]
        return "+".join([self.recipe, *sets])

    @property
    def upstream_seed(self) -> int:
        return self.seed if self.backbone_seed is None else self.backbone_seed

    def home(self, name: str) -> Path:
        return self.work_dir / self.tier / name / f"seed{self.upstream_seed}"

    @property
    def folder(self) -> Path:
        main = self.protocol in (None, *KINDS[self.stage].protocols[:1])
        stage = self.stage if main else f"{self.stage}-{self.protocol}"
        return self.home(self.name) / (stage if self.seed == self.upstream_seed else f"{stage}-seed{self.seed}")

    @property
    def card(self) -> Path:
        return self.home(self.name if self.stage == "classification" else self.recipe) / "card.json"

    @property
    def results_root(self) -> Path:
        """The folder of all small results; a smoke run's stay in its work folder."""
        return Path("results") if self.tier != "smoke" else self.work_dir / "results"

    @property
    def root(self) -> Path:
        """The data's folder."""
        if self.data_root or self.tier != "paper":
            return self.data_root or MINI / DATA[self.stage]
        if self.stage == "classification":  # a recipe may be of other data than ImageNet
            return Path(classification.config.load(self.recipe, split_sets(self.sets)[0]).data.root)
        return Path("data", DATA[self.stage])

    @property
    def embedded(self) -> bool:
        """Whether its data are made where they are missing."""
        return self.tier != "paper" and self.data_root is None

    def words(self) -> list[str]:
        """This run as words for the command line of tools/train.py."""
        words = [self.stage, self.recipe, "--tier", self.tier, "--seed", str(self.seed)]
        words += ["--work-dir", str(self.work_dir)]
        words += ["--protocol", self.protocol] if self.protocol else []
        words += ["--backbone-seed", str(self.backbone_seed)] if self.backbone_seed is not None else []
        words += ["--data-root", str(self.data_root)] if self.data_root else []
        return words + (["--set", *(f"{key}={value!r}" for key, value in self.sets.items())] if self.sets else [])

    @property
    def command(self) -> str:
        """The command line that carries it out."""
        return shlex.join(["tools/train.py", *self.words()])

    def teacher(self) -> "Run | None":
        """The classification run that this one learns from."""
        if self.stage != "classification":
            return None
        slot = classification.config.load(self.recipe, split_sets(self.sets)[0]).model.teacher
        # it learns from the same data
        sets = {key: value for key, value in self.sets.items() if key.startswith("data.") or key == "model.num_classes"}
        return replace(self, recipe=slot.recipe, seed=TEACHER_SEED, sets=sets) if slot else None

    def upstream(self) -> "Run":
        """Downstream: the classification run that trains the backbone, on data of its own."""
        return Run(STAGES[0], self.recipe, self.tier, self.upstream_seed, work_dir=self.work_dir, tracker=self.tracker)

    def config(self) -> Config:
        """The resolved Config, without what only the machine decides. Raises ValueError or FileNotFoundError."""
        if self.stage == "classification":
            return self.classification()
        return self.downstream(self.backbone())

    def backbone(self) -> Card:
        """Downstream: the card to stand on. A missing one is a ValueError or FileNotFoundError with what to do."""
        recipe, *sets = self.recipe.split("+")
        if not self.card.is_file():
            check_name("recipe", recipe, classification.config.names())
            if not sets:  # which no command line can be told from the name of
                raise FileNotFoundError(f"card {self.card} does not exist; make it with: {self.upstream().command}")
        return read_card(self.card)

    def classification(self) -> Config:
        """The recipe on this tier, pointed at its teacher's card if that is made already."""
        tricks, rest = split_sets(self.sets)
        cfg = classification.config.load(self.recipe, tricks)
        cfg.data.root = str(self.root)
        teacher = self.teacher()
        if teacher and teacher.card.is_file():
            cfg.model.teacher.update(card=str(teacher.card), sha256=read_card(teacher.card).sha256)
        cfg = self.on_tier(cfg, rest)
        classification.config.check_values(cfg)
        return cfg

    def downstream(self, card: Card | None) -> Config:
        """The protocol on this tier; without a card its backbone's slot stays empty."""
        package = importlib.import_module(f"{self.stage}.config")
        protocol = package.load(card, self.protocol or KINDS[self.stage].protocols[0], self.root)
        cfg = self.on_tier(protocol, self.sets)
        check_epochs("train_cfg.max_epochs", cfg.train_cfg.max_epochs)
        return cfg

    def on_tier(self, cfg: Config, sets: dict[str, Any]) -> Config:
        """Shrink to the tier, then set what the user set."""
        if self.tier != "paper":
            shrink(self.stage, cfg)
        if self.tier == "smoke":
            two_steps(self.stage, cfg)
        override(cfg, sets, done=["tricks"] if self.stage == STAGES[0] else [])
        check_optimiser(cfg.optim_wrapper.optimizer)
        return cfg

    def draft(self) -> Config:
        """The Config as far as it is known before the backbone is trained."""
        return self.classification() if self.stage == "classification" else self.downstream(None)

    def batch(self, cfg: Config, devices: int = 1, accumulation: int = 1) -> Batch:
        """How its global batch is spread. Raises ValueError for one that does not divide."""
        total = cfg.global_batch if self.stage == "classification" else cfg.train_dataloader.batch_size
        return solve(total, devices, accumulation)

    def check_data(self) -> None:
        """Make the embedded data, or refuse what is missing or incomplete. Raises FileNotFoundError, ValueError."""
        cfg = self.draft()  # an impossible run is refused first
        if self.embedded:
            mini.make(MINI)
        self.look_at_data(cfg)
        if self.tier != "paper" and not (self.root / MANIFEST).is_file():
            write_manifest(self.root)

    def look_at_data(self, cfg: Config) -> None:
        """Refuse what is missing or incomplete, and write nothing. Raises FileNotFoundError, ValueError."""
        try:
            importlib.import_module(f"{self.stage}.config").check_data(cfg)
        except FileNotFoundError as error:
            if self.tier != "paper" or self.data_root:
                raise
            name = self.root.name
            raise FileNotFoundError(f"{error}; tools/data.py prepare {name} gets it, or tells where it is") from error
        if self.tier == "paper":  # too large to be hashed on the way
            manifest_digest(self.root)

    def check_teacher(self) -> None:
        """Raises FileNotFoundError that names the command which makes a teacher that is missing."""
        teacher = self.teacher()
        if teacher and not teacher.card.is_file():
            raise FileNotFoundError(f"the teacher {teacher.recipe} is missing; make it with: {teacher.command}")

    def protocol_hash(self) -> str:
        """Twelve hex digits; runs with different ones never share a table. No backbone, no recipe is in it."""
        data = plain(self.draft())
        if self.stage != "classification":
            return fingerprint(data)[:12]
        return fingerprint({key: data[key] for key in ("data", "val_dataloader", "val_evaluator")})[:12]

    def changes(self, cfg: Config) -> list[str] | None:
        """Keys in which `cfg` differs from what was run here; None where nothing was run."""
        receipt = self.folder / "config.json"
        if not receipt.is_file():
            return None
        try:
            return changed_keys(json.loads(receipt.read_text()), plain(cfg))
        except ValueError as error:
            raise ValueError(f"{receipt} is not JSON; move {self.folder} away to run the stage anew") from error

    def state(self, cfg: Config) -> tuple[str, list[str]]:
        """done, stale (and the keys that changed), started, or missing."""
        changes = self.changes(cfg)
        if changes:
            return "stale", changes
        if changes is not None and (self.folder / FILE_NAME).is_file():
            return "done", []
        return ("started" if (self.folder / LATEST).is_file() else "missing"), []


def plain(cfg: Config) -> dict:
    """A Config as JSON data, without the places where files lie: the same on every machine."""

    def clean(node: Any) -> Any:
        if isinstance(node, dict):
            return {str(key): clean(value) for key, value in node.items() if key not in PLACES}
        return [clean(each) for each in node] if isinstance(node, list | tuple) else node

    return clean(cfg.to_dict())
