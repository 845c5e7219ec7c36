"""A leaderboard's tables of rows of cells, in percent, with their statistics; leaderboard.json holds their `asdict`."""

from dataclasses import dataclass, field

from trick_transfer.engine.details import Details
from trick_transfer.runs.store import Stored
from trick_transfer.stages import BACKBONE, metrics, stage_of

YOURS = " (yours)"  # suffix of the recipe in a row of your own runs


@dataclass(frozen=True, order=True)
class Protocol:
    """What makes two numbers comparable; the paper's own have no hashes."""

    stage: str
    name: str
    hash: str | None
    data: str | None  # sha256 of its manifest
    samples: int
    low_precision: str = ""  # what low precision means, so that of two machines' rows none is rounded otherwise
    norm_parts: int = 1  # of a batch, in batch norm
    compiled: bool = False  # fused kernels round otherwise, too


@dataclass(frozen=True)
class Column:
    """A metric, and the stage that measures it."""

    name: str
    label: str
    better: str
    required: bool
    headline: bool
    verifiable: bool
    measure: str
    stage: str


@dataclass(frozen=True)
class Value:
    """A number of the paper and the table that has it."""

    value: float
    table: str


@dataclass(frozen=True)
class Noise:
    """The standard deviation between runs, and the degrees of freedom it was measured with."""

    sd: float
    freedom: int


@dataclass(frozen=True)
class Variance:
    """The noise between runs that share nothing, and its two parts; None for a part without repeated runs."""

    seed: Noise | None = None
    pre_training: Noise | None = None
    fine_tuning: Noise | None = None
    homogeneity: float | None = None  # p of Cochran's test: below 0.05, one row is noisier than the others


@dataclass(frozen=True)
class Cell:
    """One metric of a row: the mean over `n` runs, with what is known of its error."""

    mean: float
    sd: float | None = None
    n: int = 1
    low: float | None = None  # of the 95 % interval
    high: float | None = None
    level: str = "none"  # what the interval covers
    group: str | None = None  # letters: rows that share one cannot be separated
    rank_low: int | None = None  # the best and the worst rank that the separated pairs leave open
    rank_high: int | None = None
    device_hours: float | None = None
    paper: Value | None = None


@dataclass(frozen=True)
class RunKey:
    """A run of a row; `path` is the key of its receipt."""

    seed: int
    backbone_seed: int
    stage: str
    path: str


@dataclass(frozen=True)
class Row:
    """A recipe's runs that may be averaged."""

    recipe: str  # with YOURS behind it for your own runs
    params_m: float | None
    gmacs: float | None
    device_hours: float | None
    cells: dict[str, Cell]  # by metric
    minutes_per_epoch: float | None = None
    classes: dict[str, dict[str, float]] = field(default_factory=dict)  # by measure: percent by class, mean over runs
    runs: tuple[RunKey, ...] = ()
    trained: bool = True  # False: a control, of random weights


@dataclass(frozen=True)
class Pair:
    """The difference of two rows in one metric, in percent points, with its 95 % interval."""

    a: str
    b: str
    difference: float
    low: float
    high: float
    p_holm: float
    seeds_needed: int | None  # None: no number is enough
    paired: bool  # scored on the same images


@dataclass(frozen=True)
class Gain:
    """What pre-training added to a row in one downstream metric, in percent points: the row minus its control."""

    recipe: str
    control: str  # the same network from the same initialisation, not trained
    metric: str
    difference: float
    low: float
    high: float
    level: str = "none"  # what the interval covers, as in Cell


@dataclass(frozen=True)
class LedgerLine:
    """What switching one trick on changed in one metric, in percent points, beside the paper's effect."""

    trick: str
    without: str
    with_it: str
    metric: str
    effect: float
    low: float | None
    high: float | None
    n: int
    paper_effect: float | None
    verdict: str | None  # on the paper's effect, in the paper's tier only


@dataclass(frozen=True)
class Correlation:
    """Rank correlations of the upstream metric with a downstream one over rows; None where they do not exist."""

    metric: str
    n: int
    spearman: float | None = None
    spearman_low: float | None = None
    spearman_high: float | None = None
    kendall: float | None = None
    kendall_low: float | None = None
    kendall_high: float | None = None


@dataclass(frozen=True)
class Table:
    """Rows that may be compared with each other, the best first, and their statistics."""

    tier: str
    protocols: tuple[Protocol, ...]
    metrics: tuple[Column, ...]
    rows: tuple[Row, ...]
    correlations: tuple[Correlation, ...] = ()
    pairs: dict[str, tuple[Pair, ...]] = field(default_factory=dict)  # by metric
    gains: tuple[Gain, ...] = ()
    ledger: tuple[LedgerLine, ...] = ()
    variance: dict[str, Variance] = field(default_factory=dict)  # by metric


@dataclass(frozen=True)
class Agreement:
    """How alike two tiers, or two protocols of one tier, order the rows that both have, in one metric.

    Of two protocols it may be one of each, that measure the same. None where it is not known.
    """

    tiers: tuple[str, str]
    metrics: tuple[str, str]
    protocols: tuple[str, str]
    cells: dict[str, tuple[Cell, Cell]]  # by recipe
    ranks: dict[str, tuple[int, int]] = field(
        default_factory=dict
    )  # among these rows; equal scores share the better rank
    tau: float | None = None  # Kendall's
    low: float | None = None  # the least and the largest that the pairs leave open which are separated on both sides
    high: float | None = None
    same: int | None = None  # of those pairs, in the same order on both
    reversed: int | None = None
    levels: tuple[str, str] = ("none", "none")  # what separates pairs, by side

    @property
    def sides(self) -> tuple[str, str]:
        """The names of what is compared: tiers, or of one tier the protocols."""
        return self.tiers if self.tiers[0] != self.tiers[1] else self.protocols

    @property
    def pairs(self) -> int:
        return len(self.cells) * (len(self.cells) - 1) // 2


@dataclass(frozen=True)
class Analysis:
    """All tables, the runs behind their rows by the rows' `path`, and one line for each problem."""

    tables: tuple[Table, ...]
    runs: dict[str, Stored]
    problems: tuple[str, ...] = ()
    details: dict[str, Details] = field(default_factory=dict)  # by a run's `path`
    agreements: tuple[Agreement, ...] = ()  # of every two tiers, and of every two protocols of one tier


UPSTREAM = next(metric.name for metric in BACKBONE.metrics if metric.headline)  # orders the rows, as in the paper


def column(metric: str) -> Column:
    """A metric's column."""
    return Column(*metrics()[metric], stage_of(metric).name)
