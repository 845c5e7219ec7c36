"""The paper's tables with our numbers beside its own, written out.

A cell of ours is the mean ± standard deviation over seeds (n - 1 degrees of freedom), and how many they are.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from statistics import mean, stdev

from trick_transfer.runs.result import Result

from .paper_tables import LABELS, MINUTES, PERCENTS, SIZES, TABLES, Column
from .tables import protocol, tables

NOTHING = "–"
TIER_NOTES = {
    "mini": "Ours are of `mini`, synthetic scenes; the paper's of ImageNet, VOC, ADE20K: compare orders, not numbers.",
    "smoke": "Ours are of `smoke`, two steps of training: they show that the code runs.",
}
MARKERS = ("<!-- paper -->", "<!-- /paper -->")
IN_README = ("table8", "table9")


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
    elsewhere = table.elsewhere if tier != "paper" else ""
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
