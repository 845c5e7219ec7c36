"""Results -> LEADERBOARD.md, leaderboard.csv, .json, .tex, .html, and the generated block of README.md.

tools/leaderboard.py [--tier mini --pool]
tools/leaderboard.py verify mini/resnet50d_best/seed0/detection    # or a recipe, or nothing: all reference results
tools/leaderboard.py publish resnet50d_best                        # your results become part of the reference

`results/` is the reference; rows of your own runs, in `work/results`, are marked "yours". `--pool` averages the two
where protocol, data and precision agree. README.md shows the reference only. `verify` recomputes the metrics from the
stored outputs. Exit code: 0; 1 if a result was left out, has no outputs of its own, or differs from them, or a picture
cannot be drawn (named on stderr; all the rest is written); 2 if nothing could be written.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from trick_transfer.command_line import Parser
from trick_transfer.engine.files import write_whole
from trick_transfer.leaderboard.analysis import analyse
from trick_transfer.leaderboard.rendering import exports, page
from trick_transfer.leaderboard.rendering.markdown import markdown, readme
from trick_transfer.leaderboard.rendering.side_by_side import collect
from trick_transfer.leaderboard.scores.load import audit, load_all
from trick_transfer.runs.result import FILE_NAME
from trick_transfer.runs.store import move, read_both, read_stored, reference, selected

LAYOUT = "<tier>/<recipe>/seed<n>/<stage>"


def generate(args: argparse.Namespace) -> list[str]:
    """Write everything; one line for each problem. Raises ValueError or OSError of one line."""
    stored, problems = read_both(args.results, args.own)
    chosen = [each for each in stored if args.tier in (None, each.result.tier)]
    if args.tier and not chosen:
        tiers = ", ".join(sorted({each.result.tier for each in stored})) or "none"
        raise ValueError(f"{args.results} holds no result of tier {args.tier!r}, but of: {tiers}")
    runs, faults = load_all(chosen)
    analysis = analyse(runs, [*(f"left out: {problem}" for problem in problems), *faults], args.pool)
    drawn, undrawn = collect(analysis, args.data)
    texts = {
        "LEADERBOARD.md": markdown(analysis),
        "leaderboard.csv": exports.comma_separated(analysis),
        "leaderboard.json": exports.as_json(analysis),
        "leaderboard.tex": exports.latex(analysis),
        "leaderboard.html": page.render(analysis, drawn),
    }
    if (readme_md := args.out / "README.md").is_file():
        any_own = any(run.stored.own for run in runs)
        alone = analyse([run for run in runs if not run.stored.own]) if any_own else analysis
        texts["README.md"] = readme(readme_md.read_text("utf-8"), alone)
    for name, text in texts.items():  # all texts exist before the first file changes
        # a receipt's text may hold what UTF-8 does not
        write = partial(Path.write_text, data=text, encoding="utf-8", errors="backslashreplace")
        write_whole(args.out / name, write)
    return [*analysis.problems, *undrawn]


def verify(args: argparse.Namespace) -> list[str]:
    """Recompute the chosen results' metrics from their outputs; one line for each difference."""
    stored, faults = read_stored(args.results)
    chosen, problems = selected(stored, args.row), [line for line in faults if args.row in line]
    if not chosen and not problems:
        mend = f"give a recipe, or {LAYOUT}; for yours add --results work/results"
        raise ValueError(f"{args.results} holds no result {args.row!r}: {mend}")
    for each in chosen:
        outputs, faults = audit(each.result, each.outputs)
        beyond = sorted(each.result.metrics.keys() - outputs.metrics.keys()) if outputs else []
        remark = f"; not in the outputs: {', '.join(beyond)}" if beyond else ""
        print(f"{each.folder}: {'differs' if faults else 'the same numbers' if outputs else 'not scored'}{remark}")
        problems += faults
    return problems


def publish(args: argparse.Namespace) -> list[str]:
    """Move your own results into the reference; none is moved if one is invalid or would replace another."""
    stored, problems = read_stored(args.own, own=True)
    chosen = selected(stored, args.row)
    if not chosen:
        raise ValueError(f"{args.own} holds no result {args.row!r} to publish: give a recipe, or {LAYOUT}")
    for each in chosen:
        path = args.results / each.result.folder / FILE_NAME
        if path.exists() and not args.replace:
            raise ValueError(f"{path} is a reference result; publish with --replace to overwrite it")
        if faults := audit(each.result, each.outputs)[1]:
            raise ValueError(f"{faults[0]}; a result can be published only if its outputs confirm it")
    for each in chosen:
        print(f"{each.folder} -> {move(each, args.results)}")
    return problems


VERBS = {"verify": verify, "publish": publish}


def main() -> int:
    """The command line."""
    parser = Parser(__doc__)
    parser.add_argument("verb", nargs="?", choices=VERBS, help="instead of writing the leaderboard")
    parser.add_argument(
        "row", nargs="?", default="", help="a result's folder, one above it, or a recipe (default: all)"
    )
    parser.add_argument("--results", type=Path, default=reference(), help="the reference's folder")
    parser.add_argument("--own", type=Path, default=Path("work/results"), help="the folder of your own results")
    parser.add_argument("--pool", action="store_true", help="average your own runs with the reference's")
    parser.add_argument("--replace", action="store_true", help="publish: overwrite reference results")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder to write to")
    parser.add_argument("--tier", help="only this tier's tables (default: all)")
    parser.add_argument("--data", type=Path, default=Path("data"), help="data sets with manifests, for pictures")
    args = parser.parse_args()
    own_alone = args.results == reference() and args.own.is_dir()
    if not (args.results.is_dir() or own_alone or args.verb == "publish"):
        raise ValueError(f"no folder {args.results}: results are in <folder>/{LAYOUT}/{FILE_NAME}")
    problems = VERBS.get(args.verb, generate)(args)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0
