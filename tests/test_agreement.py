"""Is the order on one tier, or under one protocol, that on another: tau and ranks against scipy and a count by hand."""

import sys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from rich.console import Console
from scipy import stats
from test_results import a_detection, a_result, store
from test_statistics import analysed

from trick_transfer.commands import ablate
from trick_transfer.leaderboard.analysis import analyse
from trick_transfer.leaderboard.rendering.agreement import answer, lines, notes
from trick_transfer.leaderboard.rendering.exports import as_json
from trick_transfer.leaderboard.rendering.markdown import markdown
from trick_transfer.leaderboard.rendering.page import render
from trick_transfer.leaderboard.rendering.scatter import scatter
from trick_transfer.leaderboard.scores.load import Scored
from trick_transfer.leaderboard.statistics.agreement import bounded
from trick_transfer.leaderboard.statistics.bootstrap import ROUNDS
from trick_transfer.leaderboard.statistics.comparison import Sample
from trick_transfer.leaderboard.table import Agreement, Cell
from trick_transfer.runs.store import Stored

RECIPES = ("resnet50_baseline", "resnet50d_efficient", "resnet50d_cosine", "resnet50d_smooth", "resnet50d_best")
MINI = (30.0, 40.0, 55.0, 60.0, 70.0)
SWAPPED = (50.0, 61.0, 58.0, 73.0, 72.0)  # two neighbours change places, twice


def a_probe(**changes):
    return a_detection(stage="probing", **changes)


REQUIRED = {a_result: {"top5": 90.0}, a_detection: {"map_area": 40.0}}


def results(tier, scores, seeds=1, make=a_result, metric="top1", spread=0.2, **more):
    """A tier's results of RECIPES, whose seeds scatter evenly by `spread`."""
    for recipe, score in zip(RECIPES, scores, strict=False):
        for seed in range(seeds):
            percent = {metric: score + spread * (seed - (seeds - 1) / 2)}
            yield make(tier=tier, recipe=recipe, seed=seed, metrics=percent | REQUIRED.get(make, {}), **more)


def scored(some, image_sd=0.1):
    """Runs with the noise of their images, each result's own."""
    runs = []
    for number, result in enumerate(some):
        noise = np.random.default_rng(number).normal(0, image_sd, ROUNDS)
        rounds = {name: value + noise for name, value in result.metrics.items()}
        runs.append(Scored(Stored(result, result.folder), result.metrics, rounds, result.tier))
    return runs


def found(runs, metric="top1"):
    """The one agreement in a metric."""
    (one,) = (each for each in analyse(runs).agreements if each.metrics == (metric, metric))
    return one


def two_tiers(mini=3, photos=3, scores=SWAPPED, **more):
    return scored([*results("mini", MINI, mini), *results("photos9", scores, photos, **more)])


def by_hand(one, two):
    """Pairs in the same and in the opposite order."""
    signs = [(a - b) * (c - d) for (a, c), (b, d) in combinations(zip(one, two, strict=True), 2)]
    return sum(sign > 0 for sign in signs), sum(sign < 0 for sign in signs)


def test_tau_is_scipys_and_the_pairs_counted_by_hand():
    one = found(two_tiers())
    same, other = by_hand(MINI, SWAPPED)
    assert one.tau == pytest.approx(stats.kendalltau(MINI, SWAPPED).statistic)
    assert one.tau == pytest.approx((same - other) / (same + other)) and (same, other) == (8, 2)
    assert tuple(one.cells) == tuple(reversed(RECIPES)), "the best on the first tier first"
    assert one.tiers == ("mini", "photos9") and one.levels == ("seed and image",) * 2


def test_ranks_are_scipys_the_best_first_and_equal_scores_share_the_better_one():
    one = found(two_tiers(scores=(50.0, 61.0, 61.0, 73.0, 72.0)))
    for side, scores in enumerate((MINI, (50.0, 61.0, 61.0, 73.0, 72.0))):
        expected = stats.rankdata([-score for score in scores], "min")
        assert [one.ranks[recipe][side] for recipe in RECIPES] == expected.tolist()
    errors = [
        replace(each, metrics=each.metrics | {"ece": each.metrics["top1"] / 10})
        for each in (*results("mini", MINI), *results("photos9", SWAPPED))
    ]
    ranks = found(scored(errors), "ece").ranks
    assert [ranks[recipe][1] for recipe in RECIPES] == stats.rankdata(SWAPPED).tolist(), "of an error the least is best"


def test_pairs_that_all_are_separated_leave_one_tau():
    one = found(two_tiers())
    assert (one.same, one.reversed) == (8, 2) and one.low == pytest.approx(one.tau) == pytest.approx(one.high)
    assert answer(one).startswith("No: of 10 pairs") and " 2 are in the opposite order" in answer(one)
    same = found(two_tiers(scores=MINI))
    assert (same.tau, same.low, same.high) == pytest.approx((1, 1, 1)) and answer(same).startswith("Yes: all 10 pairs")


def test_pairs_that_are_not_separated_leave_both_orders_open():
    """Where seeds lie 5 points apart, rows that are 80 apart are separated, and rows that are 0.1 apart are not."""
    one = found(two_tiers(scores=(10.0, 90.0, 90.1, 90.2, 90.3), spread=5.0))
    assert (one.same, one.reversed) == (4, 0), "the first row is below each other one"
    assert (one.low, one.high) == pytest.approx(((4 - 6) / 10, 1.0))
    assert answer(one).startswith("As far as is known: 4 of 10 pairs")
    none = found(two_tiers(scores=(50.0, 50.3, 50.1, 50.2, 50.4), spread=5.0))
    assert (none.low, none.high) == (-1, 1) and "none of 10 pairs" in answer(none)


def test_of_one_seed_the_bounds_hold_the_noise_of_images_alone_and_it_is_said():
    one = found(two_tiers(photos=1))
    assert one.levels == ("seed and image", "image") and one.low == one.high
    (said,) = notes([one])
    assert said.startswith("photos9 has one seed a row") and "not what another seed would change" in said
    noisy = found(scored([*results("mini", MINI), *results("photos9", SWAPPED)], image_sd=30.0))
    assert noisy.levels == ("image", "image") and (noisy.low, noisy.high) == (-1, 1)


def test_a_row_of_one_seed_among_repeated_ones_borrows_their_noise():
    one = found(
        scored([*results("mini", MINI, 3), *results("photos9", SWAPPED, 1), *results("photos9", SWAPPED[:3], 3)][::-1])
    )
    assert one.levels[1] == "borrowed seed and image" and one.high - one.low > 0
    assert notes([one]) == ["photos9 has rows of one seed, which borrow the noise of its others."]


def test_without_outputs_there_is_a_tau_and_no_bounds():
    (one,) = (
        each
        for each in analysed([*results("mini", MINI), *results("photos9", MINI)]).agreements
        if each.metrics == ("top1", "top1")
    )
    assert one.tau == pytest.approx(1) and (one.low, one.high, one.same) == (None, None, None)
    assert lines([one])[1][1:4] == ["1.00", "5", "–"] and "stored outputs" in answer(one)


def test_of_fewer_than_three_common_rows_there_is_no_tau():
    one = found(scored([*results("mini", MINI, 2), *results("photos9", MINI[:2], 2)]))
    assert one.tau is None and "2 rows are in both, 3 are needed" in answer(one) and lines([one])[1][1] == "–"
    flat = found(scored([*results("mini", MINI, 2), *results("photos9", [50.0] * 5, 2)]))
    assert flat.tau is None and "same score" in answer(flat)


def test_untrained_rows_count_downstream_alone():
    """Their top-1 is chance."""
    tiers, untrained = ("mini", "photos9"), {"max_epochs": 0}
    config = dict(config=untrained)
    some = [each for tier in tiers for each in results(tier, MINI[1:], 2)]
    some += [a_result(tier=tier, recipe="resnet50_random", seed=seed, **config) for tier in tiers for seed in (0, 1)]
    names = ("resnet50_random", *RECIPES)
    for tier in tiers:
        for recipe, score in zip(names, (1.0, *MINI), strict=True):
            scores = {"map_voc07": score, "map_area": 40.0}
            some += [a_detection(tier=tier, recipe=recipe, seed=seed, metrics=scores) for seed in (0, 1)]
    assert "resnet50_random" not in found(scored(some)).cells
    assert set(found(scored(some), "map_voc07").cells) == {*names}


def test_your_own_row_stands_for_a_recipe_that_the_reference_lacks():
    runs = [*results("mini", MINI)]
    (one, *_) = analysed(runs, own=[*results("photos9", MINI)]).agreements
    assert set(one.cells) == {*RECIPES} and one.tau == pytest.approx(1)
    (one, *_) = analysed([*runs, *results("photos9", MINI)], own=[*results("photos9", MINI[::-1])]).agreements
    assert one.tau == pytest.approx(1), "the reference's row where there is one"


def test_protocols_may_differ_and_are_named():
    some = [*results("mini", MINI, make=a_detection, metric="map_voc07")]
    some += results(
        "photos9", MINI, make=a_detection, metric="map_voc07", protocol="faster_rcnn_fpn_voc", protocol_hash="f" * 64
    )
    assert lines([found(scored(some), "map_voc07")])[1][5] == "faster_rcnn_voc; faster_rcnn_fpn_voc"


FROZEN = dict(protocol="faster_rcnn_voc_frozen", protocol_hash="f" * 64)


def two_protocols(**more):
    """A tier's backbones, each fine-tuned by the paper's protocol and with its backbone frozen."""
    detections = dict(make=a_detection, metric="map_voc07")
    fine_tuned = results("mini", MINI, 2, **detections)
    return [*results("mini", MINI, 2), *fine_tuned, *results("mini", SWAPPED, 2, **detections, **FROZEN | more)]


def test_two_protocols_of_a_tier_are_compared_in_their_own_stages_metrics():
    all_found = analyse(scored(two_protocols())).agreements
    assert {each.metrics for each in all_found} == {("map_voc07",) * 2, ("map_area",) * 2}, (
        "top-1 is one number under both"
    )
    one = found(scored(two_protocols()), "map_voc07")
    assert one.tiers == ("mini", "mini") and one.sides == one.protocols == ("faster_rcnn_voc", FROZEN["protocol"])
    assert one.tau == pytest.approx(stats.kendalltau(MINI, SWAPPED).statistic) and (one.same, one.reversed) == (8, 2)
    assert one.ranks["resnet50d_best"] == (1, 2) and one.ranks["resnet50d_smooth"] == (2, 1)


def test_protocols_that_measure_the_same_in_metrics_of_their_own_are_compared():
    """kNN, a linear probe and few images a class have a top-1 each."""
    some = [*results("mini", MINI, 2)]
    for scores, metric, protocol in ((MINI, "linear_top1", "linear_probe"), (SWAPPED, "knn_top1", "knn")):
        some += results("mini", scores, 2, a_probe, metric, protocol=protocol, protocol_hash=protocol)
    (one,) = analyse(scored(some)).agreements
    assert one.metrics == ("linear_top1", "knn_top1") and one.sides == ("linear_probe", "knn")
    assert one.tau == pytest.approx(stats.kendalltau(MINI, SWAPPED).statistic) and (one.same, one.reversed) == (8, 2)
    assert lines([one])[1][0] == "linear probe top-1 → kNN top-1"
    assert all("linear probe top-1 → kNN top-1" in show(analyse(scored(some))) for show in (markdown, page))


def test_protocols_are_not_compared_on_other_data_nor_with_another_version_of_themselves():
    for other in (dict(data_manifest="d" * 64), dict(protocol="faster_rcnn_voc", protocol_version=3)):
        assert not analyse(scored(two_protocols(**other))).agreements


@pytest.mark.parametrize("spread", [1.0, 3.0])
def test_the_bounds_hold_the_tau_of_the_true_scores(spread):
    """Truths in the same order on both tiers, where a bootstrapped tau's percentiles miss it; noise of seeds is 1."""
    rng, rows, seeds, held, trials = np.random.default_rng(0), 7, 3, 0, 40
    for _ in range(trials):
        truths = np.sort(rng.normal(50, spread, rows))
        tiers = []
        for _ in range(2):
            points = truths[:, None] + rng.normal(0, 0.5, (rows, 1)) + rng.normal(0, 1, (rows, seeds))
            rounds = points[..., None] + rng.normal(0, 0.5, (rows, 1, 200))
            tiers.append([Sample(*row, "same") for row in zip(points, rounds, strict=True)])
        cells = {str(row): tuple(Cell(tier[row].points.mean()) for tier in tiers) for row in range(rows)}
        one = bounded(Agreement(("a", "b"), ("top1", "top1"), ("x", "x"), cells), *tiers)
        held += one.low <= 1 <= one.high
    assert held / trials >= 0.95


# where it is shown


def page(analysis):
    return render(analysis, [{} for _ in analysis.tables])


@pytest.mark.parametrize("show", [markdown, page])
def test_the_leaderboard_answers_as_soon_as_two_tiers_share_three_rows(show):
    title = "Is the order on mini the order on photos9?"
    told = show(analyse(two_tiers()))
    assert told.count(title) >= 1 and "2 are in the opposite order" in told
    alone = analyse(scored(results("mini", MINI, 2)))
    few = analyse(scored([*results("mini", MINI, 2), *results("photos9", MINI[:2], 2)]))
    tried = analyse(scored([*results("mini", MINI, 2), *results("smoke", MINI, 2)]))
    assert not any("Is the order on" in show(each) for each in (alone, few, tried))


@pytest.mark.parametrize("show", [markdown, page])
def test_the_leaderboard_shows_how_ranks_move_between_protocols(show):
    told = show(analyse(scored(two_protocols())))
    assert "Is the order under faster_rcnn_voc the order under faster_rcnn_voc_frozen? (mini)" in told
    assert "2 are in the opposite order" in told and "1 → 2" in told and "2 → 1" in told


def test_the_json_has_it():
    assert '"reversed": 2' in as_json(analyse(two_tiers()))


def test_the_figure_has_a_panel_a_metric_with_every_recipes_name():
    figure = scatter(analyse(two_tiers()).agreements)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title().split(":")[0] for axes in panels] == ["top-1", "top-5"]
    for axes in panels:
        assert {text.get_text() for text in axes.texts} == {*RECIPES}
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("mini (%)", "photos9 (%)")
    shown = {text.get_text(): text.xy for text in panels[0].texts}
    assert shown == {recipe: pytest.approx(xy) for recipe, *xy in zip(RECIPES, MINI, SWAPPED, strict=True)}


@pytest.fixture
def tool(monkeypatch, tmp_path, capsys):
    """tools/ablate.py agreement within this process; two tiers' results are in the work folder."""
    for each in [*results("mini", MINI), *results("photos9", SWAPPED)]:
        store(tmp_path / "work/results", each)
    monkeypatch.setattr(ablate, "console", Console(width=300))
    monkeypatch.setattr("trick_transfer.runs.study.reference", lambda: tmp_path / "results")

    def run(*tiers):
        monkeypatch.setattr(sys, "argv", ["ablate", "agreement", *tiers, "--out", str(tmp_path)])
        ablate.main()
        return capsys.readouterr()

    return run


def test_the_tool_prints_and_draws_it_in_any_order_of_the_tiers(tool, tmp_path):
    said = tool("mini", "photos9")
    assert "0.60" in said.out and "outputs.npz is missing" in said.err
    drawn = (tmp_path / "agreement_mini_photos9.svg").read_bytes()
    assert all(recipe.encode() in drawn for recipe in RECIPES)
    assert tool("photos9", "mini").out == said.out
    assert (tmp_path / "agreement_mini_photos9.svg").read_bytes() == drawn


def test_the_tool_compares_two_protocols_of_a_tier(tool, tmp_path):
    for each in two_protocols():
        store(tmp_path / "work/results", each)
    said = tool("mini", "faster_rcnn_voc_frozen", "faster_rcnn_voc").out
    title = "Is the order under faster_rcnn_voc the order under faster_rcnn_voc_frozen?"
    assert all(part in said for part in (title, "0.60", "1 → 2"))
    assert (tmp_path / "agreement_mini_faster_rcnn_voc_faster_rcnn_voc_frozen.svg").is_file()
    with pytest.raises(ValueError, match="faster_rcnn_voc_scratch"):
        tool("mini", "faster_rcnn_voc_scratch", "faster_rcnn_voc")


@pytest.mark.parametrize(
    ("tiers", "named"),
    [(("mini", "photos8"), "'photos8'.*photos9"), (("mini", "mini"), "two tiers"), (("mini",), "two tiers")],
)
def test_the_tool_refuses_what_has_no_results(tool, tiers, named):
    with pytest.raises(ValueError, match=named):
        tool(*tiers)
