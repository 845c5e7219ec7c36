#!/usr/bin/env python
"""results/ -> LEADERBOARD.md, leaderboard.csv, leaderboard.json, .tex, .html, and the top rows in README.md.

tools/leaderboard.py [--results results] [--out .] [--tier mini]
tools/leaderboard.py verify mini/resnet50d_best/seed0/detection    # or a recipe, or nothing: all results

`verify` scores the stored outputs again and compares. Exit code: 0; 1 if a result was left out, has no outputs of its
own, or differs from them (named on stderr; all the rest is written); 2 if nothing could be written.
"""

import argparse
import sys
from pathlib import Path

from trick_transfer.engine.files import write_whole
from trick_transfer.leaderboard import ablation, page, pictures, writers
from trick_transfer.leaderboard.analysis import analyse
from trick_transfer.leaderboard.markdown import markdown, readme
from trick_transfer.leaderboard.scores import audit
from trick_transfer.runs import result as results
from trick_transfer.runs.command import tool
from trick_transfer.runs.result import FILE_NAME, OUTPUTS
from trick_transfer.runs.store import read_all


def generate(root: Path, out: Path, tier: str | None = None, data: Path = Path("data")) -> list[str]:
    """Write everything; what to worry about, a line each. Raises ValueError or OSError of one line."""
    if not root.is_dir():
        raise ValueError(f"no folder {root}: results lie in <folder>/<tier>/<recipe>/seed<n>/<stage>/metrics.json")
    found, problems = read_all(root)
    chosen = [result for result in found if tier in (None, result.tier)]
    if tier and not chosen:
        tiers = ", ".join(sorted({result.tier for result in found})) or "none"
        raise ValueError(f"{root} holds no result of tier {tier!r}, but of: {tiers}")
    analysis = analyse(chosen, root, [f"left out: {problem}" for problem in problems])
    texts = {
        "LEADERBOARD.md": markdown(analysis),
        "leaderboard.csv": writers.comma_separated(analysis),
        "leaderboard.json": writers.as_json(analysis),
        "leaderboard.tex": writers.latex(analysis),
        "leaderboard.html": page.render(analysis, pictures.collect(analysis, root, data)),
    }
    if (out / "README.md").is_file():
        text = readme((out / "README.md").read_text("utf-8"), analysis)
        sound = [result for result in chosen if str(result.folder) in analysis["receipts"]]
        texts["README.md"] = ablation.readme(text, sound)
    for name, text in texts.items():  # all texts exist before the first file changes
        write_text(out / name, text)
    return analysis["problems"]


def write_text(path: Path, text: str) -> None:
    """A text file, whole or not at all."""
    write_whole(path, lambda part: part.write_text(text, "utf-8"))


def verify(root: Path, row: str | None) -> list[str]:
    """Score a row's outputs again; how they differ from what its results tell. Raises ValueError without a row."""
    folders = {path.parent.relative_to(root): path for path in sorted(root.rglob(FILE_NAME))}
    chosen = [path for folder, path in folders.items() if not row or folder.is_relative_to(row) or row in folder.parts]
    if not chosen:
        raise ValueError(f"{root} holds no result {row or ''!r}: give a recipe, or <tier>/<recipe>/seed<n>/<stage>")
    problems = []
    for path in chosen:
        try:
            result = results.read(path)
            outputs, faults = audit(result, path.with_name(OUTPUTS))
            beyond = sorted(result.metrics.keys() - outputs.metrics().keys()) if outputs else []
        except ValueError as fault:
            faults, beyond = [str(fault)], []
        remark = f"; not in the outputs: {', '.join(beyond)}" if beyond else ""
        print(f"{path.parent}: {'differs' if faults else 'the same numbers'}{remark}")
        problems += faults
    return problems


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", nargs="?", choices=("verify",), help="only score a row's outputs again")
    parser.add_argument("row", nargs="?", help="a result's folder, one above it, or a recipe (default: all)")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder to read")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder to write to")
    parser.add_argument("--tier", help="only this tier's tables (default: all)")
    parser.add_argument("--data", type=Path, default=Path("data"), help="data sets, for the page's pictures")
    args = parser.parse_args()
    problems = verify(args.results, args.row) if args.verb else generate(args.results, args.out, args.tier, args.data)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(tool(main))
