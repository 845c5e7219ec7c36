"""Score a checkpoint again, without training: the run's own, or one from elsewhere.

tools/test.py detection resnet50d_best --details detection.json
tools/test.py classification resnet50d_best --tier paper --checkpoint elsewhere.pth
tools/test.py classification resnet50d_best_places365 --tier paper --submission test.pred.txt

The metrics go to stdout as JSON, the scores of each class to stderr; --details writes these, the confused classes and
the curves (precision over recall, calibration).
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from classification.predictions import submission
from trick_transfer.command_line import Parser
from trick_transfer.engine.details import Details
from trick_transfer.engine.files import write_whole
from trick_transfer.engine.stage import Stage
from trick_transfer.leaderboard.rendering.terminal import grid
from trick_transfer.leaderboard.scores.load import read
from trick_transfer.runs.command import add_gpus, add_run_options, run_of
from trick_transfer.runs.identity import plain
from trick_transfer.runs.launch import join_srun, spread, starts_others
from trick_transfer.runs.places import MODEL
from trick_transfer.runs.result import OUTPUTS
from trick_transfer.runs.run import FIRST, Run
from trick_transfer.runs.scoring import score

MOST_LISTED = 60  # classes


def evaluate(run: Run, checkpoint: Path, args: argparse.Namespace) -> None:
    """Score, print, and write what was asked for."""
    with TemporaryDirectory() as folder:
        outputs = args.outputs or Path(folder, OUTPUTS)
        scores = score(run, checkpoint, outputs)
        if not scores:
            return  # a helping process
        print(json.dumps(scores, indent=1))
        details = read(outputs, run.stage, plain(run.layers.cfg)).details
    if details.classes:
        Console(stderr=True).print(*by_class(details), sep="\n")
    if args.details:
        text = json.dumps({"metrics": scores} | asdict(details), indent=1) + "\n"
        write_whole(args.details, lambda part: part.write_text(text, "utf-8"))


def by_class(details: Details) -> tuple[str, Table]:
    """The score of each class, the best first; of many classes the lowest."""
    found = sorted(details.classes.items(), key=lambda each: -each[1])
    cut = f": the lowest {MOST_LISTED} of {len(found)}" if len(found) > MOST_LISTED else ""
    lines = [[name, f"{percent:.2f}"] for name, percent in found[-MOST_LISTED:]]
    return f"{details.measure} of each class, %{cut}", grid("", [["class", details.measure], *lines])


def main() -> int:
    """The command line."""
    join_srun()
    parser = Parser(__doc__)
    add_run_options(parser)
    parser.add_argument("--checkpoint", type=Path, help="a .safetensors or .pth of weights (default: the run's own)")
    parser.add_argument("--outputs", type=Path, help="where to write the outputs of each image (.npz)")
    parser.add_argument("--details", type=Path, help="where to write scores by class, confused classes, curves (.json)")
    parser.add_argument("--submission", type=Path, help="score nothing; label the images in <data root>/test")
    add_gpus(parser)
    args = parser.parse_args()
    run = run_of(args)
    if args.details and type(run.task).details is Stage.details:
        raise ValueError(f"{run.stage} has no scores by class, confused classes or curves; leave --details out")
    checkpoint = args.checkpoint or run.folder / MODEL
    if args.submission:
        if run.stage != FIRST:
            raise ValueError(f"--submission labels whole images, which {run.stage} does not; use {FIRST}")
        text = "".join(f"{line}\n" for line in submission(run.config(), checkpoint))
        write_whole(args.submission, lambda part: part.write_text(text, "utf-8"))
    elif starts_others(args.gpus):
        return spread(args.gpus)
    else:
        evaluate(run, checkpoint, args)
    return 0
