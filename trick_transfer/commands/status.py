"""A live table of the runs under a work folder: what runs where, what it said last, what stopped.

tools/status.py                       until Ctrl-C; in a pipe once
tools/status.py --state running failed --once

It reads the runs' folders alone, so it tells of all drivers and hosts that share them. What is only planned yet, the
driver's own command tells with --plan.
"""

import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from trick_transfer.command_line import Parser
from trick_transfer.runs.begun import STATES, Begun, begun_under
from trick_transfer.runs.places import check_folder

EVERY_SECONDS = 5.0


def table(runs: list[Begun], states: list[str]) -> Group:
    """The runs in some states, and how many are in each."""
    shown = Table("tier", "row", "seed", "stage", "state", "where", "silent for", "said last")
    for run in (run for run in runs if run.state in states):
        *_, tier, row, seed, stage = run.folder.parts
        sign = str(timedelta(seconds=round(run.seconds)))
        shown.add_row(tier, row, seed.removeprefix("seed"), stage, run.state, run.who, sign, escape(run.said))
    counts = Counter(run.state for run in runs)
    return Group(shown, ", ".join(f"{counts[state]} {state}" for state in STATES))


def main() -> None:
    """Show the table, again and again on a terminal."""
    parser = Parser(__doc__)
    parser.add_argument("--work-dir", type=Path, default=Path("work"))
    parser.add_argument("--state", nargs="+", choices=STATES, default=STATES, help="show these alone")
    parser.add_argument("--once", action="store_true", help="on a terminal, too")
    args = parser.parse_args()
    check_folder("--work-dir", args.work_dir)
    if not args.work_dir.is_dir():
        raise FileNotFoundError(f"{args.work_dir} does not exist; name the folder of your runs with --work-dir")
    console = Console(width=None if sys.stdout.isatty() else 200)
    if args.once or not console.is_terminal:
        console.print(table(list(begun_under(args.work_dir)), args.state))
        return
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(table(list(begun_under(args.work_dir)), args.state), refresh=True)
            time.sleep(EVERY_SECONDS)
