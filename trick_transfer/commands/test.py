"""Score a checkpoint again, without training: the run's own, or one from elsewhere.

tools/test.py detection resnet50d_best
tools/test.py classification resnet50d_best --tier paper --checkpoint elsewhere.pth
tools/test.py classification resnet50d_best_places365 --tier paper --submission test.pred.txt
"""

import argparse
import json
from pathlib import Path

from classification.predictions import submission
from trick_transfer.engine.files import write_whole
from trick_transfer.runs.command import add_gpus, add_run_options, run_of
from trick_transfer.runs.launch import join_srun, spread, starts_others
from trick_transfer.runs.run import FIRST, MODEL
from trick_transfer.runs.training import score


def main() -> int:
    """The command line."""
    join_srun()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_run_options(parser)
    parser.add_argument("--checkpoint", type=Path, help="a .safetensors or .pth of weights (default: the run's own)")
    parser.add_argument("--outputs", type=Path, help="where to write the outputs of each image (.npz)")
    parser.add_argument("--submission", type=Path, help="score nothing; label the images in <data root>/test")
    add_gpus(parser)
    args = parser.parse_args()
    run = run_of(args)
    checkpoint = args.checkpoint or run.folder / MODEL
    if args.submission:
        if run.stage != FIRST:
            raise ValueError(f"--submission labels whole images, which {run.stage} does not; use {FIRST}")
        text = "".join(f"{line}\n" for line in submission(run.config(), checkpoint))
        write_whole(args.submission, lambda part: part.write_text(text, "utf-8"))
    elif starts_others(args.gpus):
        return spread(args.gpus)
    elif scores := score(run, checkpoint, args.outputs):
        print(json.dumps(scores, indent=1))
    return 0
