"""Say whether this machine can train, or a network can be a backbone, check by check, and how to mend what fails.

tools/doctor.py                                           this machine
tools/doctor.py backbone timm/resnet50.a1_in1k            a network and its weights, see backbones/given/source.py
tools/doctor.py backbone w.pth --arch timm/resnet50 --mean 123.7 116.3 103.5 --std 58.4 57.1 57.4
tools/doctor.py backbone my_module:MyBackbone --import my_module

Exit code: 0; 1 if a check failed.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from backbones.contract import examine
from backbones.given.fit import fit
from backbones.given.source import Given, feeding, find
from backbones.registry import MODELS
from classification.given import HOW, check_how
from trick_transfer.command_line import Parser
from trick_transfer.runs.command import add_import, add_reading
from trick_transfer.runs.machine import diagnose

Check = tuple[str, bool, str]


def main() -> int:
    """The command line."""
    parser = Parser(__doc__)
    network = parser.add_subparsers(dest="what").add_parser("backbone", help="look at a network, not at this machine")
    network.add_argument("source", help="timm/NAME, torchvision/NAME, a file, a folder, module:Class")
    add_reading(network)
    add_import(network)
    args = parser.parse_args()
    failed = 0
    for name, passed, said in look(args) if args.what else diagnose():
        print(f"{'ok    ' if passed else 'failed'}  {name:13}  {said}", flush=True)
        failed += not passed
    return 1 if failed else 0


def look(args: argparse.Namespace) -> Iterator[Check]:
    """The checks of one network; those of the contract only if its weights fit."""
    given = find(args.source, args.arch)
    yield "source", True, f"{given.name}: {given.backbone}, sha256 {given.sha256[:12] or 'of no file'}"
    yield feeds(given, args)
    net = MODELS.build(given.backbone)
    if given.held is not None:
        try:
            found = fit(given.held, args.source, net, args.part or "", args.allow_missing or ())
        except ValueError as error:
            yield "weights", False, str(error)
            return
        yield "weights", True, "; ".join(found.report)
        net.load_state_dict(found.trunk)
    with TemporaryDirectory() as folder:
        yield from examine(given.backbone, net, Path(folder))


def feeds(given: Given, args: argparse.Namespace) -> Check:
    """How images are fed."""
    try:
        fed = feeding(given.source, args.mean or given.mean, args.std or given.std)
        check_how(how := {key: getattr(args, key) or getattr(given, key) for key in HOW})
    except ValueError as error:
        return "images", False, str(error)
    shown = [" ".join(f"{value:.4g}" for value in each) for each in fed]
    return "images", True, "mean {}, std {}, {}, {}".format(*shown, *how.values())
