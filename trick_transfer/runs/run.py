"""One run: its folder, its Config, the card it needs and its data."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from mmengine.config import Config

from backbones.card import Card, read_card
from classification.follow import FOLLOW, KEY
from classification.given import KEY as GIVEN
from classification.given import name_of
from trick_transfer.engine import held_out
from trick_transfer.engine.batch import Batch, solve
from trick_transfer.engine.held_out import HELD_OUT, headline
from trick_transfer.engine.layers import Layers, copied
from trick_transfer.engine.optimiser import check_optimiser
from trick_transfer.engine.processes import cores
from trick_transfer.engine.ranges import check_numbers
from trick_transfer.engine.stage import Stage
from trick_transfer.engine.values import check_name, override
from trick_transfer.own_data.prepare import Facts, prepared
from trick_transfer.own_data.source import Source
from trick_transfer.stages import BACKBONE, STAGES

from . import sweep, tiers
from .identity import fingerprint, plain, values
from .places import check_folder, folder_of, home_of, kept_settings

FIRST = BACKBONE.name
LONGEST_NAME = 120  # file systems take 255 bytes, and a later stage's settings follow
QUOTES = "'\""


@dataclass(frozen=True)
class Run:
    """One stage of one recipe, tier and seed. Downstream, `recipe` is the upstream run's name: where its card is."""

    stage: str
    recipe: str
    tier: str = "mini"  # a name, or a tier file's path
    seed: int = 0
    sets: dict[str, Any] = field(default_factory=dict)
    protocol: str | None = None
    work_dir: Path = Path("work")
    data_root: Path | None = None
    backbone_seed: int | None = None  # downstream, where it is not the run's own seed
    tracker: str = "none"  # see resolve.py
    keep_state: bool = False  # at its end, see longer.py
    precision: str | None = None  # what low precision means, see engine/precision.py; None: the machine's
    compiled: bool = False  # its training steps, see compiling.py

    def __post_init__(self) -> None:
        check_name("stage", self.stage, STAGES)
        check_folder("--work-dir", self.work_dir)
        if not 0 <= self.seed < 2**32:  # NumPy's range
            raise ValueError(f"seed must be from 0 to 2**32 - 1, got {self.seed}")
        if self.protocol and not self.task.protocols:
            raise ValueError(f"{self.stage} has one protocol, its data's; leave out --protocol {self.protocol}")
        if self.recipe == GIVEN and GIVEN not in self.sets and self.task.trains_backbone:
            raise ValueError(
                f"recipe {GIVEN} carries weights from elsewhere; name them: tools/pipeline.sh --backbone SOURCE"
            )
        if GIVEN in self.sets and (keys := [key for key in self.sets if key.startswith("model.backbone")]):
            raise ValueError(f"given weights decide the network; leave out {keys[0]}={self.sets[keys[0]]!r}")
        if KEY in self.sets and not self.task.trains_backbone:
            self.follow()
        if self.data_root and self.source:
            raise ValueError(f"tier {self.tier_file.name} names its {self.stage} data itself; leave out --data-root")
        if self.backbone_seed is not None and self.task.trains_backbone:
            raise ValueError(f"{self.stage} trains the backbone itself; leave out --backbone-seed")

    def follow(self) -> None:
        """Downstream, whom to follow is a protocol, unless one is named; then it is no setting any more."""
        check_name("--follow", self.sets[KEY], FOLLOW)
        of_authors = self.task.authors if self.sets[KEY] == "authors" else None
        rest = {key: value for key, value in self.sets.items() if key != KEY}
        vars(self).update(protocol=self.protocol or of_authors, sets=rest)  # it is frozen, and not in use yet

    @property
    def task(self) -> Stage:
        return STAGES[self.stage]

    @property
    def tier_file(self) -> tiers.Tier:
        return tiers.load(self.tier)

    @property
    def recipe_or_protocol(self) -> str:
        """Downstream the protocol; where none is named, the tier's, or the paper's."""
        if self.task.trains_backbone:
            return self.recipe
        return self.protocol or self.tier_file.protocol(self.stage) or self.task.protocols[0]

    @property
    def source(self) -> Source | None:
        """What the tier says of its data, if they are own ones, or published ones that are read as such.

        Raises ValueError for what no format takes, FileNotFoundError for published data that are not there.
        """
        source, tier = self.tier_file.source(self.task), self.tier_file
        if source and not source.folder.exists() and tier.parts[self.stage].get("data"):
            raise FileNotFoundError(f"{source.folder} does not exist; tools/data.py prepare {self.tier} gets it")
        return source

    @cached_property
    def facts(self) -> Facts | None:
        """Those of `source`, which is laid out first where it is not; looked at once, as that lists all its files."""
        source, data = self.source, self.tier_file.data(self.stage)
        return prepared(self.task, source, Path("data", data)) if source and data else None

    @property
    def own_root(self) -> Path | None:
        """The folder of data that the user named or described; None for a known data set's own."""
        return self.root if self.data_root or self.source else None

    # places

    @property
    def own(self) -> dict[str, str]:
        """The settings unlike the tier's, sorted, as Python writes them; downstream behind the stage's name."""
        prefix = "" if self.task.trains_backbone else f"{self.stage}."
        default = {KEY: FOLLOW[0]} | self.tier_file.early(self.stage)
        own = sorted((key, value) for key, value in self.sets.items() if default.get(key, ...) != value)
        return {prefix + key: repr(value) for key, value in own}

    @property
    def name(self) -> str:
        """The recipe and the settings, so that no experiment overwrites another: a hash of those that make no name."""
        own = dict(self.own)
        words = [f"{GIVEN}-{name_of(self.sets[GIVEN])}"] if own.pop(GIVEN, None) else []
        words += [f"{key}-{value.strip(QUOTES).replace('/', '_')}" for key, value in own.items()]
        name = "+".join([self.recipe, *words]).removeprefix(f"{GIVEN}+{GIVEN}-")  # weights that are not trained on
        plain_words = all(re.fullmatch(r"[\w.-]+", each, re.ASCII) for each in words)
        return name if plain_words and len(name) <= LONGEST_NAME else f"{self.recipe}+{fingerprint(self.own)[:8]}"

    @property
    def settings(self) -> dict[str, str]:
        """All that was set by hand for it, for its backbone, too. Raises ValueError for a damaged file."""
        return self.own if self.task.trains_backbone else kept_settings(self.card.parent) | self.own

    @property
    def carries_weights(self) -> bool:
        """Whether it only carries weights from elsewhere to the later stages, and needs no data for that."""
        return GIVEN in self.sets and not self.layers.cfg.max_epochs

    @property
    def title(self) -> str:
        return f"{self.name} {self.stage} ({self.tier_file.name}, seed {self.seed})"

    @property
    def upstream_seed(self) -> int:
        return self.seed if self.backbone_seed is None else self.backbone_seed

    def home(self, name: str) -> Path:
        return self.work_dir / home_of(self.tier_file.name, name, self.upstream_seed)

    @property
    def folder(self) -> Path:
        return self.home(self.name) / folder_of(self.stage, self.recipe_or_protocol, self.seed, self.upstream_seed)

    @property
    def card(self) -> Path:
        """The card it writes or, downstream, the one it reads."""
        if self.task.trains_backbone:
            return self.home(self.name) / "card.json"
        return replace(self, tier=tiers.of_backbones(self.tier)).home(self.recipe) / "card.json"

    @property
    def results_root(self) -> Path:
        """The folder of all small results made under this work folder."""
        return self.work_dir / "results"

    def words(self) -> list[str]:
        """This run as words for the command line of tools/train.py."""
        options = {"--tier": self.tier, "--seed": self.seed, "--work-dir": self.work_dir, "--protocol": self.protocol}
        options |= {"--backbone-seed": self.backbone_seed, "--data-root": self.data_root}
        given = [[name, str(value)] for name, value in options.items() if value is not None]
        sets = [["--set", *(f"{key}={value!r}" for key, value in self.sets.items())]] if self.sets else []
        return [self.stage, self.recipe, *chain.from_iterable(given + sets)]

    @property
    def command(self) -> str:
        """The command line that carries it out."""
        return shlex.join(["tools/train.py", *self.words()])

    # Config

    @cached_property
    def layers(self) -> Layers:
        """The experiment without the card of an earlier stage; shared, so read it only.

        Raises ValueError for settings that cannot be trained.
        """
        task, tier = self.task, self.tier_file
        early = {key: value for key, value in self.sets.items() if task.is_early(key)}
        late = {key: value for key, value in self.sets.items() if key not in early}
        early = tier.early(self.stage) | early
        data = tier.data(self.stage)
        layers = task.draft(self.recipe_or_protocol, early)
        layers.add(f"tier {tier.name}", lambda cfg: tier.change(cfg, self.stage, self.recipe_or_protocol))
        if root := self.data_root or (data and Path("data", data)):
            layers.add("--data-root" if self.data_root else f"tier {tier.name}", lambda cfg: task.place(cfg, root))
        if facts := self.facts:
            folder = facts.source["folder"]
            layers.add(folder, lambda cfg: task.adopt(cfg, tier.name, facts.classes, facts.counts))
        layers.add("machine", few_workers)
        given = late.pop(GIVEN, None)
        if any(key.split(".")[0] == HELD_OUT for key in late):
            layers.add("--held-out", lambda cfg: held_out.add_key(cfg, task))
        layers.add("--set", lambda cfg: override(cfg, late, also=["tricks"] if task.trains_backbone else []))
        if given is not None:
            layers.add("given weights", lambda cfg: task.start(cfg, given))
        if sweep.is_trial(layers.cfg):
            layers.add("--set", lambda cfg: sweep.make_trial(cfg, task))
        check_numbers(layers.cfg)
        if HELD_OUT in layers.cfg:
            held_out.check(layers.cfg, task)
        task.check(layers.cfg)
        check_optimiser(layers.cfg.optim_wrapper.optimizer, layers.cfg.get("param_scheduler", ()))
        return layers

    def draft(self) -> Config:
        """A copy of the Config of `layers`."""
        return copied(self.layers.cfg)

    def config(self) -> Config:
        """The Config of `final`. Raises ValueError or FileNotFoundError."""
        return self.final().cfg

    def final(self) -> Layers:
        """The experiment that is trained: `connected`, with what a sweep's trials chose."""
        layers = self.connected()
        if choice := self.choice:
            layers.add("sweep", lambda cfg: sweep.take(cfg, choice.rate, choice.length))
        return layers

    @property
    def choice(self) -> sweep.Trial | None:
        """The best trial of a swept protocol. Raises FileNotFoundError if one is missing."""
        found = sweep.tried(self)
        return sweep.best(found, headline(self.task).better) if found else None

    def connected(self, card: Card | None = None) -> Layers:
        """The experiment with the card of an earlier stage; `card` replaces one that is not written yet."""
        upstream = self.upstream()
        if card is None and not self.task.trains_backbone:
            card = self.backbone()
        elif card is None and upstream and upstream.card.is_file():
            card = read_card(upstream.card)
        layers = self.layers.copy()
        if card:
            layers.add("card", lambda cfg: self.task.connect(cfg, card))
        return layers

    def batch(self, devices: int = 1, accumulation: int = 1) -> Batch:
        """How its global batch is spread. Raises ValueError for one that does not divide."""
        return solve(self.task.global_batch(self.layers.cfg), devices, accumulation)

    def protocol_hash(self) -> str:
        """Twelve hex digits of the protocol's values; runs with different ones never share a table."""
        return fingerprint(values(self.task.protocol(plain(self.layers.cfg))))[:12]

    # the earlier stage

    def upstream(self) -> "Run | None":
        """The run that writes the card it needs: its backbone's, or its teacher's, trained on the same data.

        A student has a teacher of its own seed, so that what the teacher's luck adds is between seeds, too.
        """
        if not self.task.trains_backbone:
            tier = tiers.of_backbones(self.tier)
            return Run(FIRST, self.recipe, tier, self.upstream_seed, work_dir=self.work_dir)
        teacher = self.layers.cfg.model.get("teacher")
        sets = {key: value for key, value in self.sets.items() if is_teachers(key)}
        return replace(self, recipe=teacher.recipe, sets=sets) if teacher else None

    def backbone(self) -> Card:
        """Downstream: its backbone's card. Raises ValueError, or FileNotFoundError with the command that makes it."""
        if not self.card.is_file():
            recipe, *sets = self.recipe.split("+")
            upstream = self.upstream()
            assert upstream  # downstream there is one
            replace(upstream, recipe=recipe).layers  # noqa: B018  raises for a recipe that does not exist
            if not sets:  # no command line follows from a name with settings
                raise FileNotFoundError(f"card {self.card} does not exist; make it with: {upstream.command}")
        return read_card(self.card)

    def check_teacher(self) -> None:
        """Raises FileNotFoundError with the command that makes a teacher that is missing."""
        teacher = self.upstream() if self.task.trains_backbone else None
        if teacher and not teacher.card.is_file():
            raise FileNotFoundError(f"the teacher {teacher.recipe} is missing; make it with: {teacher.command}")

    # data

    @property
    def root(self) -> Path:
        """The data's folder."""
        return self.task.root(self.layers.cfg)

    @property
    def data_set_name(self) -> str:
        return self.tier_file.data(self.stage) or self.task.data_name(self.layers.cfg)


def is_teachers(key: str) -> bool:
    """Whether a student's setting is its teacher's, too, who does not see what its student holds out."""
    return key.startswith(("data.", f"{HELD_OUT}.")) or key in ("model.num_classes", KEY)


def few_workers(cfg: Config) -> None:
    """No more processes that load data than cores: more only wait, and torch warns of them."""
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.num_workers = min(loader.num_workers, cores())


def lineage(run: Run, students: tuple[str, ...] = ()) -> Iterator[Run]:
    """A run, after its teacher, after the teacher's own. Raises ValueError for a recipe that teaches itself."""
    if run.recipe in students:
        raise ValueError(f"recipe {run.recipe} cannot be its own teacher: {' <- '.join([*students, run.recipe])}")
    if teacher := run.upstream():
        yield from lineage(teacher, (*students, run.recipe))
    yield run
