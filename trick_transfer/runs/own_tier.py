"""Folders on the command line -> the tier's file that describes the data in them."""

import argparse
import os
import re
from collections.abc import Mapping
from pathlib import Path

from trick_transfer.data_sets.sources import DATA_SETS
from trick_transfer.engine.files import write_whole
from trick_transfer.engine.stage import Stage
from trick_transfer.own_data.describe import describe
from trick_transfer.own_data.source import Source, held
from trick_transfer.stages import STAGES, usual

from . import tiers
from .command import TIER

BASE = "photos"  # the tier whose sizes and lengths own data take


def add_own_data(parser: argparse.ArgumentParser) -> None:
    """--classification DIR and the like, and --name."""
    for stage in STAGES:
        parser.add_argument(f"--{stage}", type=Path, metavar="DIR", help="own data for it; stages without are left out")
    parser.add_argument("--name", help="name of own data's tier (default: the folders' names)")
    parser.set_defaults(tier=None)


def sources_in(folder: Path) -> dict[Stage, Source]:
    """A folder's source for each stage that has a format for it. Raises ValueError if none has."""
    asked = [STAGES[name] for name in usual() if STAGES[name].formats]
    stages = [stage for stage in asked if stage.recognise(folder)]
    if not stages:
        formats = "; ".join(f"{stage.name}: {', '.join(stage.formats)}" for stage in asked)
        raise ValueError(f"{folder} looks like none of the formats ({formats}), see docs/data.md; {held(folder)}")
    of_its_own = [stage for stage in stages if not stage.trains_backbone]  # any folders look like class folders
    return {stage: Source.recognised(stage, folder) for stage in of_its_own or stages}


def own_tier(args: argparse.Namespace) -> str:
    """--tier, or the file under data/ that describes the folders of own data; it is written if it is not there.

    Raises ValueError for folders that no format reads.
    """
    folders = {STAGES[stage]: folder for stage in STAGES if (folder := vars(args)[stage])}
    if not folders and args.name:
        raise ValueError(f"--name {args.name} is for own data; name their folders by --{' or --'.join(STAGES)}")
    if not folders:
        return args.tier or TIER
    base = args.tier or BASE
    if base not in tiers.NAMES:
        raise ValueError(f"--tier {base} describes data already; own data's folders go with {', '.join(tiers.NAMES)}")
    words = args.name or "_".join(dict.fromkeys(Path(os.path.abspath(folder)).name for folder in folders.values()))
    path = Path("data", re.sub(r"\W+", "_", words)).with_suffix(".py")
    home = path.with_suffix("")
    taken = path.stem in (*tiers.NAMES, *DATA_SETS)
    if taken or any(home.resolve().is_relative_to(folder.resolve()) for folder in folders.values()):
        raise ValueError(f"own data are laid out in {home}, which holds other data; give these another --name")
    if path.is_file():
        check_folders(path, folders)
        print(f"{path} is there already, and taken as it is; delete it to have the data described again")
    else:
        sources = {stage: Source.recognised(stage, folder) for stage, folder in folders.items()}
        trained = any(stage.trains_backbone for stage in folders)
        text = describe(sources, base, tiers.load(base).parts, None if trained else base)
        write_whole(path, lambda part: part.write_text(text, "utf-8", "backslashreplace"))
        print(f"{path} describes these data, and may be edited; --data {path} takes it")
    return str(path)


def check_folders(path: Path, folders: Mapping[Stage, Path]) -> None:
    """Raise ValueError for a tier's file that describes other folders than these; the user may have edited the rest."""
    tier = tiers.load(str(path))
    found = {name: source.folder for name in tier.stages or usual() if (source := tier.source(STAGES[name]))}
    asked = {stage.name: folder for stage, folder in folders.items()}
    there, here = ({name: os.path.abspath(each) for name, each in some.items()} for some in (found, asked))
    if there != here:
        said = ", ".join(f"{name} {folder}" for name, folder in there.items())
        raise ValueError(f"{path} describes other folders ({said}); give these data another --name, or delete the file")
