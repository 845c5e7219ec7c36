"""Speed and memory, as ratios within one run; absolute figures are this machine's. On the CPU but for `gpu`, `epoch`
and `classification`.

tools/bench.py input           our input pipeline against torchvision's and albumentations', on one core
tools/bench.py step            a training step of ResNet-50-D against a plain timm loop, and what two tricks add to it
tools/bench.py gpu             the same on a GPU, also compiled, against timm's and torchvision's scripts; memory, too
tools/bench.py memory          the peak memory of both
tools/bench.py distillation    what a teacher adds to a step, against its forward pass alone
tools/bench.py classification  baseline against efficient training of any backbone, from JPEGs, on the device at hand
tools/bench.py epoch           ResNet-50-D from JPEGs, waiting for data included, against timm's loader and loop
tools/bench.py downstream      fine-tuning on `mini` against mmdet's and mmseg's own configs and runner
tools/bench.py leaderboard     the leaderboard of 500 made-up rows
tools/bench.py table           docs/performance.md, from what the others wrote with --record
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import torch

from trick_transfer.command_line import Parser
from trick_transfer.engine.memory import keep_freed_memory
from trick_transfer.engine.precision import PRECISIONS, low_precision
from trick_transfer.speed.compare import LOOPS, bench_distillation, bench_memory, bench_step, run_loop
from trick_transfer.speed.downstream import bench_downstream
from trick_transfer.speed.epoch import bench_epoch
from trick_transfer.speed.figures import Figures, record, write_page
from trick_transfer.speed.gpu import Setup, bench_gpu
from trick_transfer.speed.input import bench_input
from trick_transfer.speed.leaderboard import bench_leaderboard
from trick_transfer.speed.training import SETTINGS, bench_classification

BENCHES: dict[str, Callable[[argparse.Namespace], Figures | None]] = {
    "input": lambda args: bench_input(args.px, args.repeats),
    "step": lambda args: bench_step(args.px, args.repeats, args.batch),
    "gpu": lambda args: bench_gpu(args.px, args.batch, args.repeats, args.precision),
    "memory": lambda args: bench_memory(args.px, args.batch),
    "classification": lambda args: bench_classification(args.backbone, args.batch, args.workers, args.setting),
    "distillation": lambda args: bench_distillation(args.px, args.repeats, args.batch),
    "epoch": lambda args: bench_epoch(here(args), args.repeats, args.workers),
    "downstream": lambda args: bench_downstream(args.repeats),
    "leaderboard": lambda args: bench_leaderboard(args.rows),
}

PRINTED = ("memory", "classification", "distillation")
ON_GPU = ("gpu", "classification", "epoch")  # where there is one


def here(args: argparse.Namespace) -> Setup:
    """The device at hand; a CPU takes its own low precision."""
    if torch.cuda.is_available():
        return Setup(args.px, args.batch, args.precision)
    own = next(name for name, kind in PRECISIONS.items() if kind == low_precision())
    return Setup(args.px, args.batch, own, "cpu")


def main() -> None:
    """The command line."""
    parser = Parser(__doc__)
    parser.add_argument("what", choices=(*BENCHES, "table"))
    parser.add_argument("--px", type=int, default=224, help="side of an image")
    parser.add_argument("--batch", type=int, default=32, help="number of images in a batch")
    parser.add_argument("--repeats", type=int, default=5, help="number of measurements, after a warm-up")
    parser.add_argument("--backbone", default="resnet50", help="resnet50d, inception_v3, mobilenet, ..., or timm/NAME")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="fp16", help="precision of `gpu`, and of `epoch` on a GPU"
    )
    parser.add_argument("--workers", type=int, default=1, help="number of processes that load data")
    parser.add_argument("--rows", type=int, default=500, help="number of rows of `leaderboard`")
    parser.add_argument("--record", action="store_true", help="keep the figures in docs/benchmarks for `table`")
    parser.add_argument("--out", type=Path, default=Path("docs/performance.md"), help="the table's file")
    parser.add_argument("--setting", choices=SETTINGS, help=argparse.SUPPRESS)
    parser.add_argument("--loop", choices=LOOPS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.what == "table":
        write_page(args.out)
        return
    if args.record and args.what in PRINTED:
        raise ValueError(f"{', '.join(PRINTED)} are not part of the table; leave --record out")
    if args.what not in ON_GPU:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # both sides run on the CPU
    if args.loop:
        run_loop(args.px, args.batch, args.repeats, args.loop)
        return
    keep_freed_memory()  # as tools/train.py does
    if figures := BENCHES[args.what](args):
        print(figures)
        if args.record:
            on_gpu = args.what in ON_GPU and torch.cuda.is_available()
            record(figures, f"{args.what}_{args.precision}" if on_gpu else args.what)
