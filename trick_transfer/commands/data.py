"""Get a data set, or look at every file of one.

tools/data.py prepare voc0712                           download, check, unpack; go on where it broke off
tools/data.py prepare imagenet1k --archives /downloads  says what to fetch by hand; checks and unpacks it
tools/data.py check imagenet1k                          counts, decoding, boxes, masks; writes <root>/manifest.sha256
tools/data.py check voc0712 --own --root mine           data of your own in that layout, of any number and classes

Exit code: 0; 1 if `check` found something wrong, each on a line of its own; 2 if the command could not be carried out.
"""

import argparse
from pathlib import Path

from trick_transfer import mini
from trick_transfer.data_sets.check import checked
from trick_transfer.data_sets.download import prepare
from trick_transfer.data_sets.sources import DATA_SETS

MINI = "mini"  # three data sets that are made together


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("prepare", "check"))
    parser.add_argument("name", choices=(*(name for name in DATA_SETS if not name.startswith(f"{MINI}/")), MINI))
    parser.add_argument("--root", type=Path, help="the data's folder (default: data/NAME)")
    parser.add_argument("--archives", type=Path, help="where archives are, or go (default: archives/ beside the root)")
    parser.add_argument("--own", action="store_true", help="check: counts and classes are those that are there")
    args = parser.parse_args()
    root = args.root or Path("data") / args.name
    if args.name == MINI and args.verb == "prepare":
        mini.make(root)
        print(f"{root} complete")
        return 0
    if args.verb == "prepare":
        prepare(DATA_SETS[args.name], root, args.archives or root.parent / "archives")
        return 0
    names = [name for name in DATA_SETS if name.split("/")[0] == args.name]
    found = [(DATA_SETS[name], root / name.removeprefix(args.name).strip("/")) for name in names]
    return 0 if all([checked(facts.own() if args.own else facts, folder) for facts, folder in found]) else 1
