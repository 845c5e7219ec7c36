"""Which runs the options mean: each recipe with each backbone, seed, protocol and stage, and what these need."""

import argparse
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from classification.follow import KEY
from classification.given import KEY as GIVEN
from trick_transfer.data_sets.sources import DATA_SETS
from trick_transfer.engine.held_out import HELD_OUT
from trick_transfer.engine.values import check_name
from trick_transfer.stages import STAGES

from . import tiers
from .run import FIRST, Run, lineage
from .sweep import trials


def chains(args: argparse.Namespace) -> list[list[Run]]:
    """One chain for each recipe, given backbone, seed and way. Raises ValueError for a protocol of another stage."""
    check_protocols(args.protocol, args.stages)
    return [
        chain(recipe, seed, args.stages, args.sets | given, way)
        for recipe in args.recipes
        for given in args.given
        for seed in args.seeds
        for way in ways(args)
    ]


def once(runs: Iterable[Run]) -> list[Run]:
    """Runs without those that share a folder with an earlier one."""
    first: dict[Any, Run] = {}
    for run in runs:
        first.setdefault(run.folder, run)
    return list(first.values())


def ways(args: argparse.Namespace) -> list[argparse.Namespace]:
    """The options with one protocol for each stage, as often as all of --protocol takes."""
    asked = [[name for name in dict.fromkeys(args.protocol) if name in stage.protocols] for stage in STAGES.values()]
    asked = [names for names in asked if names]
    rounds = range(max(map(len, asked), default=1))
    return [
        argparse.Namespace(**vars(args) | {"protocol": [names[min(i, len(names) - 1)] for names in asked]})
        for i in rounds
    ]


def run_of(stage: str, recipe: str, seed: int, args: argparse.Namespace, sets: dict[str, Any] | None = None) -> Run:
    """One stage of one recipe, reading its data where the options say."""
    protocol = next((name for name in args.protocol if name in STAGES[stage].protocols), None)
    run = Run(stage, recipe, args.tier, seed, sets or {}, protocol, args.work_dir)
    if run.source:
        return run
    names = run.tier_file.data(stage), run.task.data_name(run.task.draft(run.recipe_or_protocol, {}).cfg)
    options = (DATA_SETS[name].option for name in names if name in DATA_SETS)
    option = next(filter(None, options), None)
    return replace(run, data_root=vars(args)[f"{option.replace('-', '_')}_root"]) if option else run


def check_protocols(asked: Iterable[str], stages: Collection[str]) -> None:
    """Raise ValueError for an unknown protocol, and one of a stage that is not run."""
    stage_of = {name: stage.name for stage in STAGES.values() for name in stage.protocols}
    for name in asked:
        check_name("--protocol", name, stage_of)
        stage = stage_of[name]
        if stage not in stages:
            raise ValueError(f"--protocol {name} is of {stage}, which is not run; add it to --stages, or leave it out")


def chain(recipe: str, seed: int, stages: Sequence[str], sets: dict[str, Any], args: argparse.Namespace) -> list[Run]:
    """A recipe's stages in order; a teacher's training is before its student's, a sweep's trials before its run."""
    own = by_stage(sets, stages)
    first = replace(run_of(FIRST, recipe, seed, args, own[FIRST]), tier=tiers.of_backbones(args.tier))
    later = [run_of(stage, recipe, seed, args, own[stage]) for stage in STAGES if stage in stages and stage != FIRST]
    upstream = FIRST in stages or ((first.tier != args.tier or GIVEN in first.sets) and not first.card.is_file())
    named = [replace(run, recipe=first.name) for run in later]
    return [*(lineage(first) if upstream else ()), *(each for run in named for each in (*trials(run), run))]


def by_stage(sets: dict[str, Any], stages: Sequence[str]) -> dict[str, dict]:
    """Settings by stage: whom to follow and what to hold out is each one's, others without a stage's name the recipe's.

    Raises ValueError for a stage that is not run.
    """
    shared = {key: value for key, value in sets.items() if key.split(".")[0] in (KEY, HELD_OUT)}
    own = {stage: dict(shared) for stage in STAGES}
    downstream = own.keys() - {FIRST}
    for key, value in sets.items():
        stage, _, rest = key.partition(".")
        if close := get_close_matches(stage, downstream, 1, cutoff=0.8):
            check_name("stage", stage, close)
            if stage not in stages:
                raise ValueError(f"--set {key}: {stage} is not run; add it to --stages, or leave the key out")
            own[stage][rest] = value
        else:
            own[FIRST][key] = value
    return own
