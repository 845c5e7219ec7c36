"""All numbers of the leaderboard: tables with their statistics, of runs and of the paper."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from trick_transfer.engine.files import brief
from trick_transfer.engine.values import check_name
from trick_transfer.runs.result import Result
from trick_transfer.runs.run import is_teachers
from trick_transfer.runs.store import Stored
from trick_transfer.runs.sweep import hours
from trick_transfer.stages import BACKBONE, metrics, stage_of

from .paper.as_leaderboard import published
from .paper.ladder import Step, entry, steps
from .paper.tables import values_of
from .scores.comparable import Group, copies, doubts, groups
from .scores.controls import controls, dead, is_trained
from .scores.load import Scored, by_backbone, load_all
from .statistics.agreement import agreements
from .statistics.comparison import IMAGES, Comparison, Placed, compare, level
from .statistics.rows import by_class, cell, sample, tabulated
from .statistics.variance import components
from .table import YOURS, Agreement, Analysis, Cell, Gain, LedgerLine, Row, RunKey, Table

LISTED_PAIRS = 2000  # of a metric, each row with its nearest; all pairs count for Holm, groups and ranks


def analyse(runs: Sequence[Scored], problems: Sequence[str] = (), pool: bool = False) -> Analysis:
    """All tables, and all problems: the given ones and those of averaging. `pool` averages own and reference runs."""
    runs, odd = tabulable(runs)
    copied = copies(runs) if pool else []
    known = [f"left out: {run.stored.folder}: its outputs are a copy of the reference's" for run in copied]
    runs = [run for run in runs if run not in copied]
    found = groups(runs, pool)
    tables = [of_group(group, runs) for group in found]
    return Analysis(
        (*tables, *published()),
        {run.stored.name: run.stored for run in runs},
        (*problems, *odd, *known, *doubts(runs, found), *dead(runs)),
        {run.stored.name: run.details for run in runs},
        tuple(agreements([*zip(found, tables, strict=True)])),
    )


def between(names: Sequence[str], stored: Sequence[Stored]) -> tuple[list[Agreement], list[str]]:
    """The agreements of two tiers, or of a tier's two protocols, and one line for each result that is left out.

    Raises ValueError for a name without results, or two that share no metric.
    """
    tiers, protocols = (names, ()) if len(names) == 2 else (names[:1], names[1:])
    for tier in tiers:
        check_name("tier with results", tier, sorted({each.result.tier for each in stored}))
    of_tiers = [each for each in stored if each.result.tier in tiers]
    for protocol in protocols:
        known = sorted({each.result.protocol for each in of_tiers})
        check_name(f"protocol with results on {tiers[0]}", protocol, known)
    runs, faults = load_all(of_tiers)
    found = [each for each in analyse(runs).agreements if {*each.sides} == {*(protocols or tiers)}]
    if not found:
        raise ValueError(f"{' and '.join(sorted(protocols or tiers))} have no metric in common")
    return found, faults


def tabulable(runs: Sequence[Scored]) -> tuple[list[Scored], list[str]]:
    """The runs of which each makes a table, and one line for each other."""
    sound: list[Scored] = []
    faults = []
    for run in runs:
        try:
            for group in groups([run]):
                of_group(group, [run])
            tuple(dead([run]))
            [value for curve in run.result.curves.values() for _, value in curve]
            sound.append(run)
        except Exception as fault:  # a receipt's config and branches are anyone's JSON, of any form
            faults.append(f"left out: {run.stored.folder}: its receipt has no usual form: {brief(fault)}")
    return sound, faults


def of_group(group: Group, runs: Sequence[Scored]) -> Table:
    """A group's table, with its statistics."""
    table = tabulated(group.tier, group.protocols, [of_row(name, some, runs) for name, some in group.rows.items()])
    trained = [(name, run.result) for name, some in group.rows.items() for run in some]
    configs = {name: result.config for name, result in trained if result.stage == BACKBONE.name}
    trained_ones = {name: config for name, config in configs.items() if is_trained(config)}
    found = [step for step in steps(trained_ones) if not crosses(step, configs)]
    untrained = controls(configs)
    for column in table.metrics:
        table = with_statistics(table, column.name, group.rows, found, untrained)
    return table


def crosses(step: Step, names: Container[str]) -> bool:
    """Whether a step pairs your own row with a reference row although one of them exists on both sides."""
    ends = step.without, step.with_it
    twins = [name.removesuffix(YOURS) if name.endswith(YOURS) else name + YOURS for name in ends]
    return len({name.endswith(YOURS) for name in ends}) > 1 and any(name in names for name in twins)


def of_row(name: str, some: Sequence[Scored], runs: Sequence[Scored]) -> Row:
    """A row of a table; its teacher's cost comes from `runs`, which are all runs."""
    results = [run.result for run in some]
    params_m, gmacs = next(((each.params_m, each.gmacs) for each in results if each.params_m is not None), (None, None))
    said = values_of(results[0].recipe) if results[0].tier == "paper" else {}
    trained = [result for result in results if result.stage == BACKBONE.name]
    hours = device_hours(trained, runs, name.endswith(YOURS))
    there = [metric for metric in metrics() if any(metric in run.points for run in some)]
    epochs = ((each, each.chosen.get("of_epochs") or each.config.get("max_epochs")) for each in trained)
    minutes = [each.seconds / 60 / count for each, count in epochs if count]
    return Row(
        name,
        params_m,
        gmacs,
        hours,
        {metric: cell(some, metric, said.get(metric), total_hours(metric, hours, results)) for metric in there},
        float(np.mean(minutes)) if minutes else None,
        by_class([run.details for run in some]),
        tuple(RunKey(run.result.seed, run.result.backbone_seed, run.result.stage, run.stored.name) for run in some),
        all(is_trained(each.config) for each in trained),
    )


def device_hours(
    trained: Sequence[Result], runs: Sequence[Scored], own: bool, students: tuple[str, ...] = ()
) -> float | None:
    """Of backbones and their teacher (or the reference's), means over seeds; None if one of them has no result."""
    teacher = trained and (trained[0].config.get("model") or {}).get("teacher")
    if not trained or not teacher:
        return mean_hours(trained) if trained else None
    students = (*students, trained[0].recipe)  # none of them is its own teacher
    settings = {key: value for key, value in trained[0].settings.items() if is_teachers(key)}
    wanted = teacher["recipe"] not in students and (teacher["recipe"], settings, trained[0].tier, BACKBONE.name)
    results = ((run, run.result) for run in runs)
    taught = [run for run, of in results if (of.recipe.split("+")[0], of.settings, of.tier, of.stage) == wanted]
    same_kind = [run for run in taught if run.stored.own == own] or taught * own
    of_teacher = device_hours([run.result for run in same_kind], runs, own, students)
    return None if of_teacher is None else mean_hours(trained) + of_teacher


def mean_hours(results: Sequence[Result]) -> float:
    """Measured time times devices, with that of a sweep's trials."""
    return float(np.mean([hours(each) for each in results]))


def total_hours(metric: str, of_backbone: float | None, results: Sequence[Result]) -> float | None:
    """Device-hours behind a row's metric: the backbone's, and downstream those of the fine-tuning."""
    stage = stage_of(metric)
    if stage.trains_backbone or of_backbone is None:
        return of_backbone
    return of_backbone + mean_hours([each for each in results if each.stage == stage.name])


def with_statistics(
    table: Table, metric: str, runs: Mapping[str, list[Scored]], found: list[Step], untrained: Mapping[str, str]
) -> Table:
    """A table with one metric's variance, groups, ranks, pairs, gains over the `untrained` controls, and ledger."""
    having = {recipe: backbones for recipe, some in runs.items() if (backbones := by_backbone(some, metric))}
    points = [[np.array([run.points[metric] for run in backbone]) for backbone in row] for row in having.values()]
    samples = {recipe: drawn for recipe, backbones in having.items() if (drawn := sample(backbones, metric))}
    covered = level([*samples.values()])
    better = 1 if metrics()[metric].better == "higher" else -1
    started = {
        recipe: untrained[recipe]
        for recipe in untrained.keys() & runs.keys()
        if better > 0 and has_weights(metric, runs[recipe])
    }
    tested = compare([*samples], [*samples.values()]) if samples and (covered != IMAGES or started) else None
    compared = tested if covered != IMAGES else None
    cells = {row.recipe: row.cells[metric] for row in table.rows if metric in row.cells}
    pairs = dict(table.pairs)
    if compared:
        order = sorted(samples, key=lambda recipe: -better * cells[recipe].mean)
        placed = compared.placed(order, better)
        cells |= {recipe: with_place(cells[recipe], place) for recipe, place in placed.items()}
        nearest = max(1, LISTED_PAIRS // len(order))
        listed = ((a, b) for at, a in enumerate(order) for b in order[at + 1 : at + 1 + nearest])
        pairs[metric] = tuple(compared.pair(*both) for both in listed)
    parts = components(points)
    ours = {recipe: {metric: cell} for recipe, cell in cells.items()}
    rows = (replace(row, cells=row.cells | ours.get(row.recipe, {})) for row in table.rows)
    there = [step for step in found if {step.without, step.with_it} <= cells.keys()]
    lines = (effect(step, metric, cells, compared, table.tier) for step in there)
    gains = gained(metric, table, started, tested, covered) if tested else []
    variance = table.variance | ({metric: parts} if parts.seed or parts.fine_tuning else {})
    table = replace(table, gains=(*table.gains, *gains), ledger=(*table.ledger, *lines))
    return replace(table, rows=tuple(rows), pairs=pairs, variance=variance)


def has_weights(metric: str, some: Sequence[Scored]) -> bool:
    """Whether a row's runs of a downstream metric began with what pre-training made, not from scratch."""
    return all(run.result.arrived_percent == 100 for run in some if run.result.stage == stage_of(metric).name)


def gained(metric: str, table: Table, untrained: Mapping[str, str], compared: Comparison, of: str) -> Iterator[Gain]:
    """Each row beside its control, where both have the metric, in the table's order; `of`: what intervals cover."""
    for row in table.rows:
        control = untrained.get(row.recipe)
        if control and {row.recipe, control} <= {*compared.names}:
            pair = compared.pair(row.recipe, control)
            yield Gain(row.recipe, control, metric, pair.difference, pair.low, pair.high, of)


def with_place(cell: Cell, place: Placed) -> Cell:
    """A cell with its interval, group and ranks; that of one backbone keeps the interval over its fine-tunings."""
    if cell.low is not None and cell.high is not None:
        place = place._replace(low=cell.low, high=cell.high, level=cell.level)
    return replace(cell, **place._asdict())


def effect(step: Step, metric: str, cells: Mapping[str, Cell], compared: Comparison | None, tier: str) -> LedgerLine:
    """A line of the ledger."""
    after, before = cells[step.with_it], cells[step.without]
    known = compared and {step.without, step.with_it} <= {*compared.names}
    pair = compared.pair(step.with_it, step.without) if compared and known else None
    interval = (pair.low, pair.high) if pair else None
    return entry(step, metric, after.mean - before.mean, interval, min(after.n, before.n), tier)
