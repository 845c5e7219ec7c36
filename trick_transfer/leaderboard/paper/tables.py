"""The paper's tables: which recipes are their rows, which of our metrics stand beside which of its columns."""

from dataclasses import dataclass, replace

from trick_transfer.stages import metrics, stage_of

from ..table import BACKBONE
from . import numbers

MINUTES = "minutes_per_epoch"
TOP = ("top1", "top5")
SIZES = ("params_m", "gmacs")


@dataclass(frozen=True)
class PaperColumn:
    """A column of the paper by recipe, and our metric left of it ("" where we can have none)."""

    metric: str
    paper: dict[str, float]
    label: str = "paper"


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper."""

    title: str
    columns: tuple[PaperColumn, ...]
    note: str = ""
    elsewhere: str = ""  # a note on our numbers of other tiers than `paper`

    @property
    def recipes(self) -> list[str]:
        """The rows, from top to bottom."""
        return list(dict.fromkeys(recipe for column in self.columns for recipe in column.paper))

    @property
    def stages(self) -> list[str]:
        """The stages whose results it shows; sizes and times are those of the stage that trains the backbone."""
        measured = (stage_of(each.metric) if each.metric in metrics() else BACKBONE for each in self.columns)
        return list(dict.fromkeys(stage.name for stage in measured))

    @property
    def has_sizes(self) -> bool:
        """Whether it shows the networks' sizes."""
        return any(column.metric in SIZES for column in self.columns)


def columns(metrics: tuple[str, ...], rows: dict[str, tuple]) -> tuple[PaperColumn, ...]:
    """The columns of a table of `numbers`; its rows may end early."""
    places = enumerate(metrics)
    return tuple(PaperColumn(name, {key: row[i] for key, row in rows.items() if i < len(row)}) for i, name in places)


def quoted(prefix: str, rows: dict[str, tuple]) -> tuple[PaperColumn, ...]:
    """Columns of top-1 and top-5 that only the paper has."""
    labels = (f"paper, {prefix} {metrics()[name].label}" for name in TOP)
    return tuple(replace(each, metric="", label=label) for each, label in zip(columns(TOP, rows), labels, strict=True))


TOP1_OF_8_AND_9 = {  # differs from Table 6 in 78.34 (78.31 there) and 79.16 (79.15); B-standard is in no other table
    "resnet50b_standard": 76.14,
    "resnet50d_efficient": 77.16,
    "resnet50d_cosine": 77.91,
    "resnet50d_smooth": 78.34,
    "resnet50d_distill": 78.67,
    "resnet50d_mixup": 79.16,
    "resnet50d_best": 79.29,
}
TABLES = {
    "table1": PaperTable(
        "costs and accuracy",
        (PaperColumn("params_m", {}), *columns(("gmacs", *TOP), numbers.TABLE_1)),
        "The paper's first five rows are quoted there from other papers, of other trainings.",
    ),
    "table2": PaperTable(
        "baselines",
        (*columns(TOP, numbers.TABLE_2), *quoted("reference", numbers.TABLE_2_REFERENCE)),
    ),
    "table3": PaperTable(
        "efficient training against the baseline",
        (PaperColumn(MINUTES, numbers.TABLE_3_MINUTES), *columns(TOP, numbers.TABLE_2 | numbers.TABLE_3)),
        "The paper's minutes are of 8 V100; ours are of the device in the receipts, scoring after each epoch included.",
    ),
    "table4": PaperTable("large-batch heuristics, at batch 256 and 1024", columns(TOP, numbers.TABLE_4)),
    "table5": PaperTable("model tweaks", columns((*TOP, "params_m", "gmacs"), numbers.TABLE_5)),
    "table6": PaperTable("training refinements", columns(TOP, numbers.TABLE_6)),
    "table7": PaperTable(
        "Places365, validation",
        (*columns(TOP, numbers.TABLE_7), *quoted("test", numbers.TABLE_7_TEST)),
        "The test set's labels are held by its server: `tools/test.py --submission` writes the file that it takes.",
        "`mini` has no places: ours are of its animals, as in Tables 1 to 6.",
    ),
    "table8": PaperTable(
        "Faster R-CNN on VOC by backbone",
        (PaperColumn("top1", TOP1_OF_8_AND_9), *columns(("map_voc07",), numbers.TABLE_8)),
    ),
    "table9": PaperTable(
        "FCN on ADE20K by backbone",
        (PaperColumn("top1", TOP1_OF_8_AND_9), *columns(("pix_acc", "miou"), numbers.TABLE_9)),
    ),
}
