#!/usr/bin/env python
"""Score a checkpoint again, without training: the run's own, or one from elsewhere.

tools/test.py detection resnet50d_best
tools/test.py classification resnet50d_best --tier paper --checkpoint elsewhere.pth
"""

import argparse
import json
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not tools/, whose leaderboard.py hides the package

from engine.checkpoint import load_strictly, read_weights
from tools.command import add_run_options, run_of, tool
from tools.run import MODEL, Run
from tools.train import make_runner, unwrapped


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


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_run_options(parser)
    parser.add_argument("--checkpoint", type=Path, help="a .safetensors or .pth of weights (default: the run's own)")
    parser.add_argument("--outputs", type=Path, help="where to write the outputs of each image (.npz)")
    args = parser.parse_args()
    run = run_of(args)
    print(json.dumps(score(run, args.checkpoint or run.folder / MODEL, args.outputs), indent=1))


if __name__ == "__main__":
    sys.exit(tool(main))
