#!/usr/bin/env python
"""Get a data set, or look at every file of one.

tools/data.py prepare voc0712                           download, check, unpack; go on where it broke off
tools/data.py prepare imagenet1k --archives /downloads  says what to fetch by hand; checks and unpacks it
tools/data.py check imagenet1k                          counts, decoding, boxes, masks; writes <root>/manifest.sha256

Exit code: 0; 1 if `check` found something wrong, each on a line of its own; 2 if the command could not be carried out.
"""

import argparse
import sys
from pathlib import Path

from trick_transfer import mini
from trick_transfer.data_sets.check import changed, check
from trick_transfer.data_sets.prepare import prepare
from trick_transfer.data_sets.sources import DATA_SETS, MINI, DataSet
from trick_transfer.engine.manifest import MANIFEST, manifest_digest, write_manifest
from trick_transfer.runs.command import tool


def checked(data_set: DataSet, root: Path) -> bool:
    """Whether all is well; then, the first time, the manifest is written."""
    if not root.is_dir():
        raise FileNotFoundError(f"{root} does not exist; tools/data.py prepare makes it")
    problems = check(data_set, root)
    if (root / MANIFEST).is_file():
        problems += changed(root)
    elif not problems:
        print(f"{root}: hashing", flush=True)
        write_manifest(root)
    for problem in problems:
        print(problem)
    if problems:
        print(f"{root}: {len(problems):,} problems, see above")
    else:
        print(f"{root}: all is well; {MANIFEST} has sha256 {manifest_digest(root)}")
    return not problems


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("prepare", "check"))
    parser.add_argument("name", choices=(*DATA_SETS, "mini"))
    parser.add_argument("--root", type=Path, help="the data's folder (default: data/NAME)")
    parser.add_argument("--archives", type=Path, help="where archives are, or go (default: archives/ beside the root)")
    args = parser.parse_args()
    root = args.root or Path("data") / args.name
    if args.name == "mini" and args.verb == "prepare":
        mini.make(root)
        print(f"{root} complete")
        return 0
    if args.verb == "prepare":
        prepare(DATA_SETS[args.name], root, args.archives or root.parent / "archives")
        return 0
    parts = (
        {root / folder: part for folder, part in MINI.items()} if args.name == "mini" else {root: DATA_SETS[args.name]}
    )
    return 0 if all([checked(part, folder) for folder, part in parts.items()]) else 1


if __name__ == "__main__":
    sys.exit(tool(main))
