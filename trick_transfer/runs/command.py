"""What the command lines share: the options that name a run."""

import argparse
import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

from backbones.given.imports import adopt
from classification.config import names as recipes
from classification.follow import FOLLOW, KEY
from classification.given import FEEDS, HOW, OPTIONS, name_of
from classification.given import KEY as GIVEN
from trick_transfer.engine.held_out import HELD_OUT
from trick_transfer.engine.precision import PRECISIONS
from trick_transfer.stages import STAGES

from . import tiers
from .launch import Nodes
from .places import kept_settings
from .resolve import TRACKERS
from .run import FIRST, Run

TIER = "mini"  # the default


def add_run_options(parser: argparse.ArgumentParser, stage: bool = True) -> None:
    """STAGE NAME --tier --seed --backbone-seed --protocol --set --work-dir --data-root."""
    if stage:
        parser.add_argument("stage", choices=STAGES)
    else:
        parser.set_defaults(stage=FIRST)
    parser.add_argument("name", help="a recipe (classification/recipes), or a row of yours")
    add_places(parser)
    parser.add_argument("--seed", type=int, default=0, help="seed of the run")
    parser.add_argument("--backbone-seed", type=int, help="seed of the backbone to fine-tune (default: --seed)")
    parser.add_argument("--protocol", help="the downstream protocol (default: the tier's)")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="sets", help="keys of the Config"
    )
    parser.add_argument("--data-root", type=Path, help="the data set's folder (default: under data/)")
    add_follow(parser)
    add_held_out(parser)


def add_given(parser: argparse.ArgumentParser) -> None:
    """--backbone, what it may need, and --row."""
    group = parser.add_argument_group("weights from elsewhere")
    group.add_argument(
        "--backbone", nargs="+", action="extend", default=[], metavar="SOURCE", dest="backbones",
        help="timm/NAME, torchvision/NAME, a file, a folder: docs/backbones.md",
    )  # fmt: skip
    add_reading(group)
    add_licence(group)
    group.add_argument("--row", metavar="NAME", help="name of the row (default: the source's)")


def add_reading(parser: argparse._ActionsContainer) -> None:
    """What a source may need: its architecture, how images are fed, and what of a file is taken."""
    parser.add_argument("--arch", help="network of a file of weights: timm/NAME, torchvision/NAME, resnet50d, ...")
    add_feeding(parser)
    add_taken(parser)


def add_feeding(parser: argparse._ActionsContainer) -> None:
    """How images are fed: --mean --std --channel-order --interpolation."""
    for key in FEEDS:
        parser.add_argument(f"--{key}", nargs=3, type=float, help="how it was trained: RGB in 0..255")
    for key, known in HOW.items():
        parser.add_argument(
            f"--{key.replace('_', '-')}", choices=known, help="how it was trained (default: as the source says)"
        )


def add_licence(parser: argparse._ActionsContainer) -> None:
    """--licence."""
    parser.add_argument("--licence", metavar="NAME", help="of the weights, such as apache-2.0 (default: the source's)")


def add_taken(parser: argparse._ActionsContainer) -> None:
    """What of a file is taken: --part --allow-missing."""
    parser.add_argument("--part", help="prefix of the network's names in a file with several networks")
    parser.add_argument(
        "--allow-missing", nargs="+", metavar="PATTERN", help="tensors that may keep their random start"
    )


def given_of(args: argparse.Namespace) -> list[dict[str, Any]]:
    """For each --backbone the setting that `add_given`'s options make; an empty one where there is none.

    Raises ValueError for the other options alone, and for two backbones under one name.
    """
    names = {key: key for key in OPTIONS if key != "source"} | dict(name="row")
    options = {key: value for key, name in names.items() if (value := vars(args)[name])}
    if options and not args.backbones:
        raise ValueError(f"--{names[min(options)].replace('_', '-')} goes with --backbone SOURCE")
    given = [{"source": source} | options for source in dict.fromkeys(args.backbones)]
    known = recipes() if not args.recipes else ()
    taken: dict[str, str] = {}
    for each in given:
        if (name := name_of(each)) in known:
            raise ValueError(f"{name} is a recipe's name; give these weights another --row NAME")
        if taken.setdefault(name, each["source"]) != each["source"]:
            raise ValueError(f"--backbone {taken[name]} {each['source']}: both are called {name}; run them one by one")
    return [{GIVEN: each} for each in given] or [{}]


class Import(argparse.Action):
    """Imports modules as soon as they are read, so that later options may name what they define."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        adopt(values)


def add_follow(parser: argparse.ArgumentParser) -> None:
    """--follow, which is a setting and, downstream, a protocol."""
    parser.add_argument(
        "--follow", choices=FOLLOW, help="the paper's text or its authors' code (default: the code for classification "
        "in tier paper, else the text); downstream, the protocol",
    )  # fmt: skip


def add_held_out(parser: argparse.ArgumentParser) -> None:
    """--held-out --patience, which are settings."""
    parser.add_argument(
        "--held-out", type=float, metavar="SHARE", help="share of the training images, such as 0.1, that is "
        "not trained on, but scored after each epoch; the best epoch's weights count",
    )  # fmt: skip
    parser.add_argument(
        "--patience", type=int, metavar="EPOCHS", help="end a training whose score on --held-out was not better in them"
    )


def add_places(parser: argparse.ArgumentParser) -> None:
    """--tier --work-dir."""
    names = ", ".join(tiers.NAMES)
    parser.add_argument(
        "--tier", "--data", default=TIER, metavar="TIER", help=f"{names}, or a file of your own: docs/data.md"
    )
    parser.add_argument("--work-dir", type=Path, default=Path("work"), help="folder of your runs")
    add_import(parser)


def add_import(parser: argparse.ArgumentParser) -> None:
    """--import."""
    parser.add_argument(
        "--import", nargs="+", action=Import, metavar="MODULE", help="module that defines your backbones"
    )


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """--gpus --accumulate --tracker --precision --compile --keep-state."""
    add_gpus(parser)
    parser.add_argument("--accumulate", type=int, default=1, help="number of steps whose gradients are added up")
    parser.add_argument(
        "--tracker", choices=TRACKERS, default=TRACKERS[0], help="where scalars and predictions are logged"
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="what low precision means (default: fp16 on CUDA, bf16 on a CPU that has it)",
    )
    parser.add_argument("--compile", action="store_true", help="compile training steps; needs a C++ compiler")
    parser.add_argument("--keep-state", action="store_true", help="at the end, so that a longer run can go on from it")


def add_gpus(parser: argparse.ArgumentParser) -> None:
    """--gpus."""
    parser.add_argument("--gpus", type=int, default=1, help="number of processes, each with a GPU if there is one")


def add_nodes(parser: argparse.ArgumentParser) -> None:
    """--nnodes --rdzv."""
    parser.add_argument(
        "--nnodes", type=int, default=1, help="number of machines, each with --gpus; start the command on each"
    )
    parser.add_argument(
        "--rdzv", metavar="HOST:PORT", help="one of the machines, and a free port there; the same on each"
    )


def nodes_of(args: argparse.Namespace) -> Nodes | None:
    """What `add_nodes`'s options name; None for one machine. Raises ValueError."""
    host, _, port = (args.rdzv or "").rpartition(":")
    if args.nnodes < 1 or (args.nnodes == 1) != (args.rdzv is None):
        raise ValueError(f"--nnodes and --rdzv go together, for two nodes or more; got {args.nnodes} and {args.rdzv}")
    if args.rdzv and not (host and port.isdecimal()):
        raise ValueError(f"--rdzv takes HOST:PORT, such as node1:29400, not {args.rdzv!r}")
    return Nodes(args.nnodes, host, int(port)) if args.rdzv else None


def parse_sets(pairs: list[str], follow: str | None = None, option: str = "--set") -> dict[str, Any]:
    """["tricks.mixup=None", "max_epochs=3"] -> a dict of Python values; a word that is none stays a string."""
    sets: dict[str, Any] = {KEY: follow} if follow else {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise ValueError(f"{option} takes key=value, not {pair!r}")
        try:
            sets[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            sets[key] = text
    return sets


def sets_of(args: argparse.Namespace) -> dict[str, Any]:
    """All settings that the options state."""
    stated = {"share": args.held_out, "patience": args.patience}
    held_out = {f"{HELD_OUT}.{key}": value for key, value in stated.items() if value is not None}
    return parse_sets(args.sets, args.follow) | held_out


def run_of(args: argparse.Namespace) -> Run:
    """The run that the options name, by its recipe, or by the name of a row that there is."""
    further = sets_of(args), args.protocol, args.work_dir, args.data_root, args.backbone_seed
    return of_row(Run(args.stage, args.name, args.tier, args.seed, *further))


def of_row(run: Run) -> Run:
    """A run called as its row, such as one of given weights, with the recipe and the settings that made it."""
    if not run.task.trains_backbone or run.recipe in recipes():
        return run
    own = {key: ast.literal_eval(value) for key, value in kept_settings(run.home(run.recipe)).items()}
    recipe = run.recipe.partition("+")[0]
    return replace(run, recipe=recipe if recipe in recipes() else GIVEN, sets=own | run.sets) if own else run
