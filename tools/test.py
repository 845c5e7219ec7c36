#!/usr/bin/env python
"""Score a checkpoint again, without training: the run's own, or one from elsewhere.

tools/test.py detection resnet50d_best
tools/test.py classification resnet50d_best --tier paper --checkpoint elsewhere.pth
tools/test.py classification resnet50d_best_places365 --tier paper --submission test.pred.txt
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import BaseModel
from torch.utils.data import DataLoader, Dataset

from classification.augment import CROPS
from classification.data import decode, list_unlabelled
from classification.registry import MODELS
from trick_transfer.engine.checkpoint import load_strictly, read_weights
from trick_transfer.engine.files import write_whole
from trick_transfer.runs.command import add_run_options, run_of, tool
from trick_transfer.runs.run import MODEL, STAGES, Run
from trick_transfer.runs.training import make_runner, unwrapped

UNLABELLED = "test"  # beside train and val, a flat folder


def score(run: Run, checkpoint: Path, outputs: Path | None = None) -> dict[str, float]:
    """Metrics in percent, and samples_scored. Raises ValueError for a checkpoint that does not fit."""
    cfg = run.config()
    run.check_data()
    if run.stage == "classification":
        cfg.model.teacher = None  # it has no part in scoring
    weights = read_weights(checkpoint)
    cfg.val_evaluator.outputs = str(outputs) if outputs else None
    runner = make_runner(run, cfg, run.batch(cfg))
    load_strictly(unwrapped(runner), weights, checkpoint)
    return runner.val()


class Unlabelled(Dataset):
    """Images as validation crops them."""

    def __init__(self, files: list[str], crop: dict) -> None:
        self.files = files
        self.options = dict(crop)
        self.crop = CROPS[self.options.pop("type")]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict:
        return {"inputs": self.crop(decode(self.files[index]), **self.options).copy(), "labels": -1}


def submission(run: Run, checkpoint: Path) -> Iterator[str]:
    """`<file name> <label> x 5`, best first, for each unlabelled image: what Places365's server takes.

    Labels count classes from 0 in sorted order, which is Places365's own. The format: zhoubolei/places_devkit at
    1c1b021f, README.md, sec. 2.2.
    """
    if run.stage != STAGES[0]:
        raise ValueError(f"--submission names the classes of whole images; {run.stage} does not")
    cfg = run.config()
    images = Unlabelled(list_unlabelled(run.root, UNLABELLED), cfg.val_dataloader.dataset.crop)
    cfg.model.teacher = None
    model = MODELS.build(cfg.model)
    load_strictly(model, read_weights(checkpoint), checkpoint)
    for image, best in zip(images.files, ranked(model.to(get_device()).eval(), images, cfg), strict=True):
        yield " ".join([Path(image).name, *map(str, best)])


@torch.inference_mode()
def ranked(model: BaseModel, images: Unlabelled, cfg: Config) -> Iterator[list[int]]:
    """The best five classes of each image."""
    loader = DataLoader(images, cfg.val_dataloader.batch_size, num_workers=cfg.val_dataloader.num_workers)
    for batch in loader:
        scaled = model.data_preprocessor(batch)
        yield from model(scaled["inputs"]).topk(5).indices.tolist()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_run_options(parser)
    parser.add_argument("--checkpoint", type=Path, help="a .safetensors or .pth of weights (default: the run's own)")
    parser.add_argument("--outputs", type=Path, help="where to write the outputs of each image (.npz)")
    parser.add_argument("--submission", type=Path, help="score nothing; label the images in <data root>/test")
    args = parser.parse_args()
    run = run_of(args)
    checkpoint = args.checkpoint or run.folder / MODEL
    if args.submission:
        text = "".join(f"{line}\n" for line in submission(run, checkpoint))
        write_whole(args.submission, lambda part: part.write_text(text, "utf-8"))
    else:
        print(json.dumps(score(run, checkpoint, args.outputs), indent=1))


if __name__ == "__main__":
    sys.exit(tool(main))
