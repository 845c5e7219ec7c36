"""A classification checkpoint -> a card for this package, or the files of timm, torchvision, mmdet and mmseg, or ONNX.

tools/export.py resnet50d_best                                        the run's own card, again
tools/export.py resnet50d_best --checkpoint mine.pth --out exported/  one from elsewhere
tools/export.py resnet50d_best --checkpoint r50d.pth --timm --out here/ timm's names
tools/export.py resnet50d_best --to timm --out here/                  what timm.create_model("local-dir:here") loads

A card is backbone.safetensors, head.safetensors and card.json, for any mmdet or mmseg config. All other formats are
read again and compared on a fixed input to 1e-4, or refused. Beside what goes to a folder of its own, README.md is a
model card with the metadata of the Hugging Face hub.

Where the validation images are on disk, a checkpoint's head is scored on at least 1,000 of them: weights of a variant
with the same names and shapes, or other classes, would show.
"""

import argparse
import shlex
import sys
from math import sqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmengine.config import Config

from backbones.card import read_card
from backbones.naming import check_variant
from classification.classifier import ImageClassifier, build, export
from classification.config import check_data
from classification.diagnostics import top1
from classification.given import feed
from trick_transfer.command_line import Parser
from trick_transfer.engine.values import check_name
from trick_transfer.exports.formats import CARD, FORMATS, USE_OF_CARD, convert
from trick_transfer.exports.others import OF_CHECKPOINT, say_whose
from trick_transfer.exports.readme import describe
from trick_transfer.exports.trained import trained
from trick_transfer.runs.command import add_feeding, add_licence, add_run_options, add_taken, run_of
from trick_transfer.runs.places import MODEL
from trick_transfer.runs.result import FILE_NAME, read
from trick_transfer.runs.run import Run

IMAGES = 1000  # to score: top-1 to within 1.6 points


def main() -> None:
    """The command line."""
    parser = Parser(__doc__)
    add_run_options(parser, stage=False)
    parser.add_argument("--checkpoint", type=Path, help="a .safetensors or .pth of weights (default: the run's own)")
    parser.add_argument(
        "--timm", action="store_true", help="its names are not our names, but timm's, torchvision's or others'"
    )
    add_taken(parser)
    add_feeding(parser)
    add_licence(parser)
    parser.add_argument("--no-head", action="store_true", help="export the backbone alone; it can be no teacher")
    formats = CARD, *FORMATS
    parser.add_argument("--to", default=CARD, help=f"the format: {', '.join(formats)} (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="folder for the files (default: the run's; exports/FORMAT in it)")
    args = parser.parse_args()
    check_name("--to", args.to, formats)
    if args.checkpoint and not args.out:
        raise ValueError("--checkpoint asks for --out FOLDER: the recipe's own card is not that of other weights")
    if alone := [name for name in OF_CHECKPOINT if getattr(args, name) and not args.checkpoint]:
        raise ValueError(f"--{alone[0].replace('_', '-')} goes with --checkpoint FILE")
    run = run_of(args)
    with TemporaryDirectory() as folder:
        path = run.card
        if args.to == CARD or args.checkpoint:
            path = make_card(run, args, args.out or run.card.parent if args.to == CARD else Path(folder))
        command = shlex.join(["tools/export.py", *sys.argv[1:]])
        if args.to != CARD:
            out = args.out or run.card.parent / "exports" / args.to
            convert(trained(run, path, not args.no_head, bool(args.checkpoint)), args.to, out, command)
            print(f"{out}: {args.to}, read again and compared")
        elif args.out:
            describe(trained(run, path, others=bool(args.checkpoint)), CARD, args.out, USE_OF_CARD, command)


def make_card(run: Run, args: argparse.Namespace, folder: Path) -> Path:
    """Write a card of the run's weights, or of those of --checkpoint, into a folder; returns its path."""
    cfg, head = run.config(), not (args.no_head or run.carries_weights)  # whose head stays with their source
    checkpoint = args.checkpoint or run.folder / MODEL
    about: dict[str, Any] = dict(name=run.name, tier=run.tier_file.name, seed=run.seed)
    if args.checkpoint:
        about["name"] = checkpoint.stem
        say_whose(cfg, checkpoint, vars(args))
    model = build(cfg, checkpoint, args.timm, args.part or "", head, args.allow_missing or ())
    if args.checkpoint and not args.timm and not {"model.backbone", "model.backbone.tweak"} & run.sets.keys():
        check_variant(model, checkpoint)
    scored = run.folder / FILE_NAME
    if args.checkpoint:
        metrics = score(model, cfg) if head else {}
    else:
        metrics = read(scored).metrics if scored.is_file() else {}
    if not args.checkpoint and run.card.is_file():
        known = read_card(run.card)
        about |= dict(origin=known.origin, licence=known.licences.get("data", "unknown"))
    card = export(model, cfg, folder, metrics, head, **about)
    print(f"{folder}/card.json: {card.backbone}, sha256 {card.sha256[:12]}, feature error {card.feature_error}")
    return folder / "card.json"


def score(model: ImageClassifier, cfg: Config) -> dict[str, float]:
    """Print top-1, with a warning if guessing gives it, too; returns it if all images were scored."""
    try:
        check_data(cfg)
        feed(cfg)
    except (FileNotFoundError, ValueError) as error:
        print(f"not scored: {error}", file=sys.stderr)
        return {}
    percent, count, whole = top1(model, cfg, IMAGES)
    print(f"top-1 {percent:.2f} % of {count:,} images", file=sys.stderr)
    chance = 100 / cfg.model.num_classes
    if percent < chance + 3 * sqrt(chance * (100 - chance) / count):  # three standard errors
        print(
            f"warning: guessing gives {chance:.2f} %: another variant, other classes or another order of them, or no "
            "trained head?",
            file=sys.stderr,
        )
    return {"top1": percent} if whole else {}
