#!/usr/bin/env python
"""results/ -> LEADERBOARD.md, leaderboard.csv, leaderboard.json, and the top rows in README.md.

tools/leaderboard.py [--results results] [--out .] [--tier mini]

Exit code: 0; 1 if a result was left out or seeds differ in their config (named on stderr; all the rest is written);
2 if nothing could be written.
"""

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not tools/, where this very file hides the package leaderboard

from engine.files import write_whole
from leaderboard import results, tables, writers


def generate(root: Path, out: Path, tier: str | None = None) -> list[str]:
    """Write everything; what to worry about, a line each. Raises ValueError or OSError of one line."""
    if not root.is_dir():
        raise ValueError(f"no folder {root}: results lie in <folder>/<tier>/<recipe>/seed<n>/<stage>/metrics.json")
    found, problems = results.read_all(root)
    chosen = [result for result in found if tier in (None, result.tier)]
    if tier and not chosen:
        tiers = ", ".join(sorted({result.tier for result in found})) or "none"
        raise ValueError(f"{root} holds no result of tier {tier!r}, but of: {tiers}")
    made = tables.tables(chosen)
    texts = {
        "LEADERBOARD.md": writers.markdown(made),
        "leaderboard.csv": writers.comma_separated(made),
        "leaderboard.json": writers.as_json(made),
    }
    if (out / "README.md").is_file():
        texts["README.md"] = writers.readme((out / "README.md").read_text("utf-8"), made)
    for name, text in texts.items():  # all texts exist before the first file changes
        write_text(out / name, text)
    return [f"left out: {problem}" for problem in problems] + tables.mixtures(chosen)


def write_text(path: Path, text: str) -> None:
    """A text file, whole or not at all."""
    write_whole(path, lambda part: part.write_text(text, "utf-8"))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder to read")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder to write to")
    parser.add_argument("--tier", help="only this tier's tables (default: all)")
    args = parser.parse_args()
    try:
        problems = generate(args.results, args.out, args.tier)
    except (ValueError, OSError) as fault:
        print(f"leaderboard: {fault}", file=sys.stderr)
        return 2
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
