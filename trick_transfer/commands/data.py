"""Get data, or look at every file of them.

tools/data.py prepare voc0712                           download, check, unpack; go on where it broke off
tools/data.py prepare photos                            all that a tier reads
tools/data.py prepare imagenet1k --archives /downloads  says what to fetch by hand; checks and unpacks it
tools/data.py check imagenet1k                          counts, decoding, boxes, masks; writes <root>/manifest.sha256
tools/data.py check voc0712 --own --root mine           your own images and classes in that layout
tools/data.py check FOLDER                              data of your own: format, classes, what is odd, a contact sheet
tools/data.py check my_benchmark.py                     the same of all that a tier's file describes

Exit code: 0; 1 if `check` found something wrong, each on a line of its own; 2 if the command could not be carried out.
"""

import argparse
from pathlib import Path

from trick_transfer import mini
from trick_transfer.command_line import Parser
from trick_transfer.data_sets.check import checked
from trick_transfer.data_sets.download import prepare
from trick_transfer.data_sets.sources import DATA_SETS
from trick_transfer.engine.values import nearest
from trick_transfer.own_data.prepare import prepared
from trick_transfer.own_data.report import report
from trick_transfer.runs import own_tier, tiers
from trick_transfer.stages import STAGES, usual

MINI = "mini"  # three data sets that are made together
TIERS = [name for name in tiers.NAMES if name not in (MINI, "smoke")]


def sets() -> list[str]:
    """The known data sets, each of which is prepared alone."""
    return [name for name in DATA_SETS if not name.startswith(f"{MINI}/")]


def main() -> int:
    """The command line."""
    parser = Parser(__doc__)
    parser.add_argument("verb", choices=("prepare", "check"))
    parser.add_argument("name", help=f"{', '.join([*sets(), MINI])}; a tier: {', '.join(TIERS)}, or its file; a folder")
    parser.add_argument("--root", type=Path, help="the data's folder (default: data/NAME)")
    parser.add_argument("--archives", type=Path, help="where archives are, or go (default: archives/ beside the root)")
    parser.add_argument("--own", action="store_true", help="check: counts and classes are those that are there")
    parser.add_argument("--sheets", type=Path, default=Path("work/sheets"), help="check: where contact sheets go")
    args = parser.parse_args()
    if args.name in (*sets(), MINI):
        return of_set(args, args.name, args.root or Path("data") / args.name)
    if args.name in TIERS or args.name.endswith(".py"):
        return of_tier(args)
    if not Path(args.name).exists():
        raise ValueError(
            f"{args.name!r} is no data set, tier, file or folder; {nearest(args.name, [*sets(), MINI, *TIERS])}"
        )
    if args.root or args.own:
        raise ValueError(f"--root and --own are of known data sets; {args.name} is data of your own: leave them out")
    if args.verb == "prepare":
        raise ValueError(f"{args.name} is data of your own; tools/pipeline.sh NAME --classification DIR reads them")
    sources = own_tier.sources_in(Path(args.name))
    return 0 if all([report(stage, source, sheet(args, stage.name)) for stage, source in sources.items()]) else 1


def sheet(args: argparse.Namespace, stage: str) -> Path:
    """Where a stage's contact sheet goes."""
    return args.sheets / f"{Path(args.name).resolve().stem}_{stage}.png"


def of_set(args: argparse.Namespace, name: str, root: Path) -> int:
    """Prepare or check a known data set."""
    if name == MINI and args.verb == "prepare":
        mini.make(root)
        print(f"{root} complete")
        return 0
    if args.verb == "prepare":
        prepare(DATA_SETS[name], root, args.archives or root.parent / "archives")
        return 0
    names = [each for each in DATA_SETS if each.split("/")[0] == name]
    found = [(DATA_SETS[each], root / each.removeprefix(name).strip("/")) for each in names]
    return 0 if all([checked(facts.own() if args.own else facts, folder) for facts, folder in found]) else 1


def of_tier(args: argparse.Namespace) -> int:
    """Prepare or check all that a tier reads: known data sets, and what its sources describe."""
    if args.root or args.own:
        raise ValueError("--root and --own are for one data set; a tier names its folders itself")
    tier, codes = tiers.load(args.name), [0]
    stages = [STAGES[name] for name in tier.stages or usual()]
    for stage in stages:
        name = tier.parts.get(stage.name, {}).get("data") or (stage.data_set if not tier.source(stage) else None)
        if name in sets():
            codes.append(of_set(args, name, Path("data") / name))
    for stage in stages:
        if source := tier.source(stage):
            if args.verb == "prepare":
                prepared(stage, source, root := Path("data", str(tier.data(stage.name))))
                print(f"{root} complete")
            elif not report(stage, source, sheet(args, stage.name)):
                codes.append(1)
    return max(codes)
