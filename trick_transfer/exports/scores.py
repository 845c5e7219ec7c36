"""The leaderboard's row of a run, for its model card."""

from dataclasses import dataclass

from trick_transfer.leaderboard.analysis import analyse
from trick_transfer.leaderboard.scores.load import load_all
from trick_transfer.leaderboard.table import Row, Table
from trick_transfer.runs.result import FILE_NAME, Result, read
from trick_transfer.runs.run import Run
from trick_transfer.runs.store import read_both, reference


@dataclass(frozen=True)
class Scores:
    """A row, its table, and those of its results that are of one seed's backbone, by metric."""

    table: Table
    row: Row
    results: tuple[Result, ...]

    def of_metric(self, metric: str) -> Result | None:
        return next((each for each in self.results if metric in each.metrics), None)


def scores_of(run: Run) -> Scores | None:
    """Its row, with the intervals of its tier's table; None for a run without a result there."""
    path = run.folder / FILE_NAME
    if not path.is_file():
        return None
    own = read(path)
    same = ("recipe", "stage", "seed", "outputs_sha256")  # of unscored ones the last is the same
    stored, _ = read_both(reference(), run.results_root)
    runs, _ = load_all(each for each in stored if each.result.tier == run.tier_file.name)
    analysis = analyse(runs)
    for table in analysis.tables:
        for row in table.rows:
            results = [analysis.runs[each.path].result for each in row.runs]
            if any(all(getattr(each, key) == getattr(own, key) for key in same) for each in results):
                return Scores(table, row, tuple(each for each in results if each.backbone_seed == run.seed))
    return None
