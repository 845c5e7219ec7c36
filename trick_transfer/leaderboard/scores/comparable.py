"""Which runs may be compared: a group for each tier and set of protocols, in it a row for each recipe.

A chain (a backbone and all that was fine-tuned from it) enters a group only if each of its stages was scored under the
group's protocols, so numbers of two tiers, protocol hashes, data, sample counts, low precisions or splits of a batch in
batch norm, or of compiled and other steps, never meet. A tier's usual protocols, one a stage, share a group; each other
one has a group of its own, beside classification. Your own chains have rows of their own, unless they are pooled with
the reference.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import product
from operator import attrgetter
from typing import NamedTuple

from trick_transfer.engine.layers import changed_keys
from trick_transfer.runs.result import Result
from trick_transfer.runs.sweep import is_swept
from trick_transfer.stages import BACKBONE, STAGES, usual

from ..table import YOURS, Protocol
from .load import Scored

TIERS = ("paper", "mini", "smoke")  # the order of the tables
PER_SEED = ("seed", "sha256")  # what seeds of one recipe may differ in: the sha256 is that of a card or a teacher
Chain = list[Scored]


class Group(NamedTuple):
    """Runs that may be compared with each other, by the name of their row."""

    tier: str
    protocols: tuple[Protocol, ...]
    rows: dict[str, list[Scored]]


def protocol(result: Result) -> Protocol:
    """The rules that a result was scored under."""
    rules = result.protocol, result.protocol_hash, result.data_manifest, result.samples_scored
    return Protocol(result.stage, *rules, result.low_precision, result.norm_parts, result.compiled)


def groups(runs: Sequence[Scored], pool: bool = False) -> list[Group]:
    """All groups, by tier; first those with all usual stages, then the fullest, then that of the paper's protocols."""
    agreed = {rules(run.result) for run in runs if not run.stored.own}
    chains: dict[tuple, Chain] = defaultdict(list)
    for run in runs:
        chains[run.result.tier, run.result.recipe, run.stored.own, run.result.backbone_seed].append(run)
    by_tier: dict[str, dict[str, list[Chain]]] = defaultdict(lambda: defaultdict(list))
    for (tier, recipe, own, _), chain in chains.items():
        alone = own and not (pool and all(rules(run.result) in agreed for run in chain))
        by_tier[tier][recipe + YOURS * alone].append(chain)
    named = [(tier, rows, names_of_usual(rows)) for tier, rows in by_tier.items()]
    made = [group(tier, chosen, rows, names) for tier, rows, names in named for chosen in protocol_sets(rows, names)]
    return sorted(made, key=order)


def rules(result: Result) -> tuple:
    """What your own result and a reference result must share to be averaged."""
    return result.tier, result.recipe, protocol(result)


def order(group: Group) -> tuple:
    """Sorts groups; known tiers come before others."""
    tier = TIERS.index(group.tier) if group.tier in TIERS else len(TIERS)
    others = sum(each.name in STAGES[each.stage].protocols[1:] for each in group.protocols)
    lacking = len({*usual()}.difference(each.stage for each in group.protocols))
    return tier, group.tier, lacking, -len(group.protocols), -len(group.rows), others, group.protocols


def names_of_usual(rows: Mapping[str, list[Chain]]) -> dict[str, str]:
    """By later stage the protocol that most rows of a tier have; the first of those that have as many."""
    rows_with = Counter(
        key
        for chains in rows.values()
        for key in {(run.result.stage, run.result.protocol) for chain in chains for run in chain if is_scored(run)}
    )
    later = [stage for stage in usual() if stage != BACKBONE.name]
    return {stage: max(STAGES[stage].protocols, key=lambda name: rows_with[stage, name]) for stage in later}


def choices(chain: Chain, names: Mapping[str, str]) -> list[frozenset[Protocol]]:
    """The sets of protocols that a chain was scored under: one of each stage of those by `names`, and classification
    with each other one.
    """
    stages, others = defaultdict(set), set()
    for each in {protocol(run.result) for run in filter(is_scored, chain)}:
        if is_usual(each, names):
            stages[each.stage].add(each)
        else:
            others.add(each)
    trunks = [{each} for each in stages.get(BACKBONE.name, ())] or [set()]
    found = [frozenset(chosen) for chosen in product(*stages.values())]
    return found * bool(stages) + [frozenset(trunk | {each}) for trunk in trunks for each in others]


def is_usual(each: Protocol, names: Mapping[str, str]) -> bool:
    """Whether it shares a group with those of other stages."""
    return each.stage == BACKBONE.name or names.get(each.stage) == each.name


def is_scored(run: Scored) -> bool:
    """False: given weights without a head for the data's classes, which only say what was fine-tuned."""
    return run.result.samples_scored > 0


def protocol_sets(rows: Mapping[str, list[Chain]], names: Mapping[str, str]) -> list[frozenset[Protocol]]:
    """The sets that some chain was scored under, without subsets of others: a shorter chain's row has gaps."""
    found = {chosen for chains in rows.values() for chain in chains for chosen in choices(chain, names)}
    return [chosen for chosen in found if chosen and not any(chosen < other for other in found)]


def group(tier: str, chosen: frozenset[Protocol], rows: Mapping[str, list[Chain]], names: Mapping[str, str]) -> Group:
    """The group of one tier and one set of protocols; its rows are by name."""
    entered: dict[str, list[Scored]] = defaultdict(list)
    needed = {each for each in chosen if not is_usual(each, names)}
    for name in sorted(rows):
        for chain in rows[name]:
            if any(needed <= choice <= chosen for choice in choices(chain, names)):
                entered[name] += [run for run in chain if not is_scored(run) or protocol(run.result) in chosen]
    return Group(tier, tuple(sorted(chosen, key=lambda each: [*STAGES].index(each.stage))), dict(entered))


def copies(runs: Sequence[Scored]) -> list[Scored]:
    """Your own runs with the same outputs as a reference run: such a copy is not a second run."""
    key = attrgetter("tier", "recipe", "stage", "protocol", "outputs_sha256")
    known = {key(run.result) for run in runs if not run.stored.own}
    return [run for run in runs if run.stored.own and is_scored(run) and key(run.result) in known]


def doubts(runs: Sequence[Scored], groups: Sequence[Group]) -> list[str]:
    """One line for each result that is averaged with one of another config, or whose backbone has no result."""
    backbones = {whose(run) for run in runs if STAGES[run.result.stage].trains_backbone}
    recipes = {each[:-1] for each in backbones}
    lines = []
    for row in (row for group in groups for row in group.rows.values()):
        first: dict[Protocol, Result] = {}
        for run in sorted(row, key=lambda each: each.result.seed):
            one = first.setdefault(protocol(run.result), run.result)
            old, new = (each.config | {"precision": each.precision} for each in (one, run.result))
            differing = (key for key in changed_keys(old, new) if key.split(".")[-1] not in PER_SEED)
            if keys := [key for key in differing if not is_swept(key, old)]:
                averaged = f"differs from seed {one.seed}, with which it is averaged, in {', '.join(keys)}"
                lines.append(f"{run.stored.name} {averaged}")
            if whose(run)[:-1] in recipes and whose(run) not in backbones:
                lines.append(f"{run.stored.name}: its backbone's result is missing, other seeds have theirs")
    return list(dict.fromkeys(lines))  # a run may be in several groups


def whose(run: Scored) -> tuple:
    """The backbone that a run trained or fine-tuned."""
    return run.stored.own, run.result.tier, run.result.recipe, run.result.backbone_seed
