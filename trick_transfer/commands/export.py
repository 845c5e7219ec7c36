"""A classification checkpoint -> backbone.safetensors, head.safetensors and card.json, for any mmdet or mmseg config.

tools/export.py resnet50d_best                                        the run's own, again
tools/export.py resnet50d_best --checkpoint mine.pth --out exported/  one from elsewhere
tools/export.py resnet50d_best --checkpoint r50d.pth --timm --out here/ timm's names
"""

import argparse
from pathlib import Path

from classification.classifier import build, export
from trick_transfer.runs.command import add_run_options, run_of
from trick_transfer.runs.result import FILE_NAME, read
from trick_transfer.runs.run import MODEL


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_run_options(parser, stage=False)
    parser.add_argument("--checkpoint", type=Path, help="a .safetensors or .pth of weights (default: the run's own)")
    parser.add_argument("--timm", action="store_true", help="the checkpoint's names are timm's (or torchvision's)")
    parser.add_argument("--out", type=Path, help="folder for the three files (default: the run's)")
    args = parser.parse_args()
    if args.checkpoint and not args.out:
        raise ValueError("--checkpoint asks for --out FOLDER: the recipe's own card is not that of other weights")
    run = run_of(args)
    cfg = run.config()
    checkpoint = args.checkpoint or run.folder / MODEL
    model = build(cfg, checkpoint, args.timm)
    scored = run.folder / FILE_NAME
    metrics = read(scored).metrics if args.checkpoint is None and scored.is_file() else {}
    folder = args.out or run.card.parent
    card = export(model, cfg, folder, metrics, name=run.name, tier=run.tier_file.name, seed=run.seed)
    print(f"{folder}/card.json: {card.backbone}, sha256 {card.sha256[:12]}, feature error {card.feature_error}")
