"""The paper's tables with our numbers beside its own: which recipes, which columns, and how they are written.

A cell of ours is the mean ± standard deviation over seeds (n - 1 degrees of freedom), and how many they are.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from statistics import mean, stdev
from typing import NamedTuple

from . import paper
from .results import METRICS, Result
from .tables import protocol, tables

MINUTES = "minutes_per_epoch"
PERCENTS = [name for names in METRICS.values() for name in names]
LABELS = {
    "top1": "top-1",
    "top5": "top-5",
    "map_voc07": "mAP (11-point)",
    "map_area": "mAP (area)",
    "pix_acc": "pixAcc",
    "miou": "mIoU",
    "params_m": "params (M)",
    "gmacs": "GMACs",
    MINUTES: "min/epoch",
}
TOP = ("top1", "top5")
SIZES = ("params_m", "gmacs")
NOTHING = "–"
TIER_NOTES = {
    "mini": "Ours are of `mini`, synthetic scenes; the paper's of ImageNet, VOC, ADE20K: compare orders, not numbers.",
    "smoke": "Ours are of `smoke`, two steps of training: they show that the code runs.",
}
NO_PLACES = "`mini` has no places: ours are of its animals, as in Tables 1 to 6."
MARKERS = ("<!-- paper -->", "<!-- /paper -->")
IN_README = ("table8", "table9")


class Column(NamedTuple):
    """A column of the paper by recipe, and our metric left of it ("" where we can have none)."""

    metric: str
    paper: dict[str, float]
    label: str = "paper"


class PaperTable(NamedTuple):
    """A table of the paper."""

    title: str
    columns: tuple[Column, ...]
    note: str = ""

    @property
    def recipes(self) -> list[str]:
        """The rows, from top to bottom."""
        return list(dict.fromkeys(recipe for column in self.columns for recipe in column.paper))

    @property
    def stages(self) -> list[str]:
        """The stages whose results it shows."""
        return list(dict.fromkeys(stage_of(column.metric) for column in self.columns))


def columns(metrics: tuple[str, ...], rows: dict[str, tuple]) -> tuple[Column, ...]:
    """The columns of a table of `leaderboard.paper`; its rows may end early."""
    places = enumerate(metrics)
    return tuple(Column(name, {key: row[i] for key, row in rows.items() if i < len(row)}) for i, name in places)


def quoted(prefix: str, rows: dict[str, tuple]) -> tuple[Column, ...]:
    """Columns of top-1 and top-5 that only the paper has."""
    return tuple(
        each._replace(metric="", label=f"paper, {prefix} {LABELS[each.metric]}") for each in columns(TOP, rows)
    )


def stage_of(metric: str) -> str:
    """The stage that measures it; sizes and times are classification's."""
    return next((stage for stage, names in METRICS.items() if metric in names), "classification")


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
        (Column("params_m", {}), *columns(("gmacs", *TOP), paper.TABLE_1)),
        "The paper's first five rows are quoted there from other papers, of other trainings.",
    ),
    "table2": PaperTable(
        "baselines",
        (*columns(TOP, paper.TABLE_2), *quoted("reference", paper.TABLE_2_REFERENCE)),
    ),
    "table3": PaperTable(
        "efficient training against the baseline",
        (Column(MINUTES, paper.TABLE_3_MINUTES), *columns(TOP, paper.TABLE_2 | paper.TABLE_3)),
        "The paper's minutes are of 8 V100; ours are of the device in the receipts, scoring after each epoch included.",
    ),
    "table4": PaperTable("large-batch heuristics, at batch 256 and 1024", columns(TOP, paper.TABLE_4)),
    "table5": PaperTable("model tweaks", columns((*TOP, "params_m", "gmacs"), paper.TABLE_5)),
    "table6": PaperTable("training refinements", columns(TOP, paper.TABLE_6)),
    "table7": PaperTable(
        "Places365, validation",
        (*columns(TOP, paper.TABLE_7), *quoted("test", paper.TABLE_7_TEST)),
        "The test set's labels are held by its server: `tools/test.py --submission` writes the file that it takes.",
    ),
    "table8": PaperTable(
        "Faster R-CNN on VOC by backbone",
        (Column("top1", TOP1_OF_8_AND_9), *columns(("map_voc07",), paper.TABLE_8)),
    ),
    "table9": PaperTable(
        "FCN on ADE20K by backbone",
        (Column("top1", TOP1_OF_8_AND_9), *columns(("pix_acc", "miou"), paper.TABLE_9)),
    ),
}


def value(result: Result, metric: str) -> float | None:
    """A metric, a size, or the minutes of an epoch; None if the result does not tell it."""
    if metric == MINUTES:
        epochs = result.config.get("max_epochs")
        return result.seconds / 60 / epochs if epochs else None
    return result.metrics.get(metric, getattr(result, metric, None))


def cell(values: list[float]) -> str:
    """77.16 ± 0.15 (3), 77.16 (1), or a dash."""
    if not values:
        return NOTHING
    spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
    return f"{mean(values):.2f}{spread} ({len(values)})"


def ours(results: list[Result], metric: str, sizes: Mapping[str, float]) -> str:
    """What stands in a cell of ours, from a recipe's results; a size is the same for every seed, and known without."""
    values = [found for result in results if (found := value(result, metric)) is not None]
    if metric not in SIZES:
        return cell(values)
    size = values[0] if values else sizes.get(metric)
    return NOTHING if size is None else f"{size:.2f}"


def papers(column: Column, recipe: str) -> str:
    """What stands in a cell of the paper's; percents with two decimals, all else as printed there."""
    if recipe not in column.paper:
        return NOTHING
    percent = column.metric in PERCENTS or not column.metric
    return f"{column.paper[recipe]:{'.2f' if percent else 'g'}}"


def has_sizes(name: str) -> bool:
    """Whether a table tells the networks' sizes."""
    return any(column.metric in SIZES for column in TABLES[name].columns)


def grid(name: str, results: Iterable[Result], sizes: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """A table's headings, then its rows; `sizes` by recipe for those without result.

    A row scored under other rules than most has a star.
    """
    table, by_recipe = TABLES[name], defaultdict(list)
    for result in results:
        if result.stage in table.stages:
            by_recipe[result.recipe].append(result)
    odd = strangers([result for recipe in table.recipes for result in by_recipe[recipe]])
    lines = [["recipe"], *([recipe + " *" * (recipe in odd)] for recipe in table.recipes)]
    for column in table.columns:
        if column.metric:
            lines[0].append(LABELS[column.metric])
        if column.paper:
            lines[0].append(column.label)
        for line, recipe in zip(lines[1:], table.recipes, strict=True):
            line += [ours(by_recipe[recipe], column.metric, sizes.get(recipe, {}))] if column.metric else []
            line += [papers(column, recipe)] if column.paper else []
    return lines


def strangers(results: list[Result]) -> set[str]:
    """Recipes scored under another protocol than most of a stage."""
    rules = Counter(protocol(result) for result in results)
    main = {each.stage: each for each, _ in reversed(rules.most_common())}
    return {result.recipe for result in results if protocol(result) != main[result.stage]}


def notes(name: str, results: Iterable[Result], tier: str) -> list[str]:
    """What a reader has to know of a table: the protocols of our numbers, the tier, what is special."""
    table = TABLES[name]
    shown = [result for result in results if result.recipe in table.recipes and result.stage in table.stages]
    rules = dict.fromkeys(protocol(result) for result in shown)
    said = "; ".join(f"{each.stage} {each.name} ({each.hash[:8]}, {each.samples} scored)" for each in rules)
    said = f"Ours: {said}." if said else ""
    star = "*: scored under other rules (such as 299 px) than the other rows, and not to be compared with them."
    elsewhere = NO_PLACES if name == "table7" and tier != "paper" else ""
    found = [said, star if strangers(shown) else "", TIER_NOTES.get(tier, ""), elsewhere, table.note]
    return [note for note in found if note]


def title(name: str, tier: str) -> str:
    """Table 8 (mini): Faster R-CNN on VOC by backbone."""
    return f"Table {name.removeprefix('table')} ({tier}): {TABLES[name].title}"


def markdown(name: str, results: list[Result], tier: str) -> str:
    """A table with its title and notes."""
    head, *rows = grid(name, results, {})
    lines = [head, ["---", *("---:" for _ in head[1:])], *([f"`{row[0]}`", *row[1:]] for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join([f"**{title(name, tier)}**", " ".join(notes(name, results, tier)), table])


def readme(text: str, results: Iterable[Result], tier: str = "mini") -> str:
    """README's text with the downstream tables between the markers; unchanged without them."""
    begin, end = MARKERS
    if begin not in text or end not in text:
        return text
    plain = (each for each in results if each.folder.name == each.stage)  # the main protocol, seeds as trained
    rows = next((each.rows for each in tables(plain) if each.tier == tier), {})  # the fullest table's
    shown = [result for row in rows.values() for result in row]
    before, after = text.split(begin)[0], text.split(end)[1]
    made = "_Mean ± standard deviation over seeds (how many), the paper's value beside it; `tools/ablate.py`._"
    return before + "\n\n".join([begin, made, *(markdown(name, shown, tier) for name in IN_README), end]) + after


def noise(results: Iterable[Result]) -> list[list[str]]:
    """One recipe's scatter: headings, then mean, standard deviation and range of each metric over its seeds."""
    values = defaultdict(list)
    for result in results:
        for metric, percent in result.metrics.items():
            values[metric].append(percent)
    lines = [["metric", "mean", "SD", "range", "n"]]
    for metric, some in values.items():
        sd = f"{stdev(some):.2f}" if len(some) > 1 else NOTHING
        lines.append([metric, f"{mean(some):.2f}", sd, f"{min(some):.2f} to {max(some):.2f}", str(len(some))])
    return lines
