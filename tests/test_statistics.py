from dataclasses import astuple, replace
from hashlib import sha256
from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from test_results import a_detection, a_result, store

from classification.stage import CLASSIFICATION
from trick_transfer.leaderboard.analysis import analyse
from trick_transfer.leaderboard.paper.as_leaderboard import published
from trick_transfer.leaderboard.rendering.markdown import markdown
from trick_transfer.leaderboard.rendering.text import footnotes
from trick_transfer.leaderboard.scores.load import Scored, load_all, means_only
from trick_transfer.leaderboard.statistics.bootstrap import ROUNDS, interaction, resample
from trick_transfer.leaderboard.statistics.comparison import Comparison, Sample, holm, letters
from trick_transfer.leaderboard.statistics.correlation import correlate
from trick_transfer.leaderboard.statistics.noise import moderated
from trick_transfer.leaderboard.statistics.rows import cell
from trick_transfer.leaderboard.statistics.variance import components, homogeneity
from trick_transfer.runs.result import write
from trick_transfer.runs.store import Stored


def analysed(results, own=(), **options):
    """The analysis of results without outputs: means only."""
    stored = [Stored(result, result.folder) for result in results]
    stored += [Stored(result, result.folder, own=True) for result in own]
    return analyse([means_only(each) for each in stored], **options)


def arrays(hits, label=0):
    """Outputs of a classifier that is right where `hits`."""
    images = len(hits)
    ranked = np.where(hits, label, label + 1)[:, None] + np.array([0, 2, 3, 4, 5])
    logits = np.zeros((images, 5))
    return {"labels": np.full(images, label), "ranked": ranked, "logits": logits, "log_sum_exp": np.full(images, 0.5)}


def hits_of(images, share, seed=0):
    return np.random.default_rng(seed).random(images) < share


def top1_rounds(hits, label=0):
    return resample(CLASSIFICATION.outputs(arrays(hits, label)))["top1"]


def exact(*rows):
    """Rows of percents whose images have no noise."""
    points = [np.array(row, float) for row in rows]
    samples = [Sample(each, np.tile(each[:, None], ROUNDS), "same") for each in points]
    return Comparison("abcdefgh"[: len(rows)], samples)


def interval(points, rounds):
    """Of a row alone."""
    return Comparison("a", [Sample(points, rounds, "same")]).interval("a")


def twice(hits, key="same"):
    """A row whose two runs are the same, so there is no noise between seeds."""
    return Sample(np.full(2, 100 * hits.mean()), np.tile(top1_rounds(hits), (2, 1)), key)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_an_accuracys_interval_over_images_is_scipys_and_the_binomials(share):
    hits = hits_of(1000, share)
    found = Comparison("a", [twice(hits)]).interval("a")
    resampled = stats.bootstrap((100.0 * hits,), np.mean, method="percentile", rng=np.random.default_rng(1))
    assert found == pytest.approx(resampled.confidence_interval, abs=0.4)
    half = 1.96 * 100 * np.sqrt(hits.mean() * (1 - hits.mean()) / 1000)
    assert found == pytest.approx((100 * hits.mean() - half, 100 * hits.mean() + half), abs=0.4)


def test_the_same_images_are_drawn_for_all_rows_scored_on_them_and_others_for_others():
    hits = hits_of(500, 0.7)
    assert top1_rounds(hits) + top1_rounds(~hits) == pytest.approx(np.full(ROUNDS, 100))
    correlation = np.corrcoef(top1_rounds(hits), top1_rounds(hits, label=1))[0, 1]
    assert abs(correlation) < 0.1


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("image_sd", [0.0, 1.0, 3.0])
def test_about_95_of_100_intervals_of_few_seeds_hold_the_true_mean(seeds, image_sd):
    generator = np.random.default_rng(0)
    held, trials = 0, 400
    for _ in range(trials):
        points = 50 + generator.normal(0, image_sd) + generator.normal(0, 1, seeds)
        low, high = interval(points, points[:, None] + generator.normal(0, image_sd, ROUNDS))
        held += low <= 50 <= high
    assert held / trials > 0.93


@pytest.mark.parametrize("seeds", [2, 5, 10])
def test_where_images_have_no_noise_the_interval_is_students(seeds):
    points = 50 + np.random.default_rng(2).normal(0, 1, seeds)
    found = interval(points, np.tile(points[:, None], ROUNDS))
    expected = stats.t.interval(0.95, seeds - 1, points.mean(), stats.sem(points))
    assert found == pytest.approx(expected)


def test_an_interval_stays_within_0_and_100_percent():
    assert interval(np.array([0.5, 99.5]), np.array([[0.5], [99.5]]) + np.zeros(ROUNDS)) == (0, 100)


def test_rows_that_differ_on_few_images_have_a_paired_error_far_below_the_unpaired():
    one = hits_of(2000, 0.7)
    two = one.copy()
    two[:20] = ~two[:20]

    def compared(images):
        return Comparison("ab", [twice(one, images[0]), twice(two, images[1])])

    covariance = 100**2 * np.cov(one, two) / 2000
    unpaired = np.sqrt(np.trace(covariance))
    paired = np.sqrt(np.trace(covariance) - 2 * covariance[0, 1])
    assert compared("xx").image_variance[0, 1] ** 0.5 == pytest.approx(paired, rel=0.06)
    assert compared("xy").image_variance[0, 1] ** 0.5 == pytest.approx(unpaired, rel=0.06)
    assert paired < unpaired / 5
    assert compared("xx").pair("a", "b").paired and not compared("xy").pair("a", "b").paired


def test_two_rows_without_noise_of_images_are_compared_as_by_welch():
    one, two = [60.0, 61.0, 62.5], [62.0, 63.5, 64.0]
    expected = stats.ttest_ind(one, two, equal_var=False)
    pair = exact(one, two).pair("a", "b")
    assert pair.p_holm == pytest.approx(expected.pvalue)
    assert (pair.low, pair.high) == pytest.approx(tuple(expected.confidence_interval()), abs=1e-4)
    assert pair.difference == pytest.approx(np.mean(one) - np.mean(two), abs=1e-4)


@pytest.mark.parametrize("size", [1, 2, 30])
def test_holms_adjusted_p_is_statsmodels(size):
    p = np.random.default_rng(size).random(size) ** 4
    for some in (p, np.repeat(p, 2)):
        assert holm(some) == pytest.approx(multipletests(some, method="holm")[1], abs=0)


def test_p_is_holms_over_all_pairs():
    rows = [60.0, 61.0, 62.0], [62.0, 62.5, 63.6], [62.2, 63.0, 65.0]
    own = np.array([np.var(row, ddof=1) for row in rows])
    of_mean = (2 * own + own.mean()) / 3 / 3  # the pooled variance counts as a third degree of freedom, of three runs
    pairs = list(combinations(range(3), 2))

    def p(a, b):
        freedom = min(6, (of_mean[a] + of_mean[b]) ** 2 / (of_mean[a] ** 2 / 3 + of_mean[b] ** 2 / 3))
        error = np.sqrt(of_mean[a] + of_mean[b])
        return 2 * stats.t.sf(abs(np.mean(rows[a]) - np.mean(rows[b])) / error, freedom)

    raw = [p(*pair) for pair in pairs]
    order, adjusted, largest = np.argsort(raw), {}, 0.0
    for place, at in enumerate(order):  # Holm (1979): the smallest times 3, the next times 2, never falling
        largest = adjusted[pairs[at]] = max(largest, min(1.0, (3 - place) * raw[at]))
    found = exact(*rows).p_holm
    assert [found[pair] for pair in pairs] == pytest.approx([adjusted[pair] for pair in pairs])


def test_a_rows_noise_is_its_own_and_a_third_of_the_pooled_one_and_one_run_borrows():
    # Variances 2, 8 and 2 of two runs each, so 4 is pooled, which counts as one of then two degrees of freedom.
    noise = moderated([np.array(row, float) for row in ([1, 3], [2, 6], [5, 7], [9])])
    assert noise.variance == pytest.approx([3, 6, 3, 4]) and list(noise.freedom) == [2, 2, 2, 1]
    two_rows = moderated([np.array([1.0, 3.0]), np.array([2.0, 6.0])])
    assert two_rows.variance == pytest.approx([2, 8]) and list(two_rows.freedom) == [1, 1]


def test_rows_that_are_the_same_and_have_no_noise_are_alike_and_others_are_not():
    compared = exact([60.0, 60.0], [60.0, 60.0], [61.0, 61.0])
    assert compared.p_holm[0, 1] == 1 and compared.p_holm[0, 2] == 0


def test_one_run_borrows_the_pooled_noise_as_of_one_degree_of_freedom():
    rows = [[50.0, 52.0], [60.0, 62.0], [70.0, 72.0], [61.0]]
    borrowed = exact(*rows).placed("cdba", 1)["d"]
    half = stats.t.ppf(0.975, 1) * 2**0.5
    assert (borrowed.low, borrowed.high) == pytest.approx((61 - half, 61 + half))
    assert (borrowed.level, borrowed.rank_low, borrowed.rank_high) == ("borrowed seed and image", 1, 4)


def test_cochrans_test_finds_the_noisy_row():
    # Cochran (1941), 5 % point of the largest share of 10 variances: 0.6020 for 1 degree of freedom, 0.3311 for 4.
    def p(share, runs):
        rest = np.sqrt((1 - share) / 9)
        pattern = np.array([-1.0, 1.0] + [0.0] * (runs - 2))
        return homogeneity([share**0.5 * pattern] + 9 * [rest * pattern] + [np.array([5.0])])

    assert p(0.6020, 2) == pytest.approx(0.05, abs=2e-3) and p(0.3311, 5) == pytest.approx(0.05, abs=2e-3)
    assert p(0.1, 2) == 1 and homogeneity([np.array([1.0, 2.0]), np.array([1.0])]) is None


def test_rows_share_a_letter_if_they_are_not_separated_and_ranks_are_intervals():
    # Neighbours are 1 apart, ends 2, one row 10; with a standard error of about 0.5 only neighbours are alike.
    rows = [[centre - 0.6, centre, centre + 0.6] for centre in (60, 61, 62, 50)]
    placed = exact(*rows).placed("cbad", 1)
    assert {name: each.group for name, each in placed.items()} == {"c": "a", "b": "a b", "a": "b", "d": "c"}
    ranks = {name: (each.rank_low, each.rank_high) for name, each in placed.items()}
    assert ranks == {"c": (1, 2), "b": (1, 3), "a": (2, 3), "d": (4, 4)}
    assert exact(*rows).placed("dabc", -1)["d"][-3:] == ("a", 1, 1)


def test_letters_go_on_after_z():
    assert [letters(place) for place in (0, 25, 26, 27, 52)] == ["a", "z", "aa", "ab", "ba"]


# Cohen, "Statistical Power Analysis", 1988, table 2.4.1 (two-sided 5 %, power 80 %): n of each group by d; 0.2: 393.
@pytest.mark.parametrize("d, needed", [(0.5, 64), (0.8, 26), (1.0, 17), (0.2, None)])
def test_seeds_needed_are_cohens(d, needed):
    compared = exact([50.0], [50.0 + 2 * d], [50 - 2**0.5, 50 + 2**0.5])  # of standard deviation 2
    assert compared.pair("a", "b").seeds_needed == needed


@pytest.mark.parametrize("d", [1.5, 2.0, 3.0])
def test_seeds_needed_are_the_fewest_with_80_percent_power_of_the_noncentral_t(d):
    def power(seeds):
        freedom, shift = 2 * seeds - 2, d * np.sqrt(seeds / 2)
        border = stats.t.ppf(0.975, freedom)
        return stats.nct.sf(border, freedom, shift) + stats.nct.cdf(-border, freedom, shift)

    compared = exact([50.0], [50.0 + d], [50 - 0.5**0.5, 50 + 0.5**0.5])
    needed = compared.pair("a", "b").seeds_needed
    assert power(needed) >= 0.8 > power(needed - 1)


def chance_row(chances, seeds, generator):
    """A row whose runs are right on each image by chance, which is all the noise between them."""
    hits = generator.random((seeds, len(chances))) < chances
    return Sample(100 * hits.mean(1), np.array([top1_rounds(each) for each in hits]), "same")


def test_the_interaction_of_seed_and_image_counts_once_in_the_error_of_a_difference():
    chances = np.random.default_rng(3).beta(2, 1, 500)  # of both rows: no image is harder for one of them
    rows = [chance_row(chances, 4, np.random.default_rng(seed)) for seed in (4, 5)]
    variance = 100**2 * np.mean(chances * (1 - chances)) / 500  # the variance of a sum of independent draws
    assert interaction([row.rounds for row in rows]) == pytest.approx(variance, rel=0.1)
    assert Comparison("ab", rows).image_variance[0, 1] < 0.3 * 2 * variance / 4  # about all of it, if it counted twice


def test_seeds_reduce_the_interaction_but_not_the_images_that_suit_one_row():
    generator = np.random.default_rng(6)
    even = generator.beta(2, 2, 400) * 0.94
    suits_one = (generator.random(400) < 0.5).astype(float)  # right on other images, every time
    suits_other = np.where(generator.random(400) < 0.1, suits_one, 1 - suits_one)
    repeated = chance_row(even, 5, generator)

    def pair(one, other):
        rows = (chance_row(one, 1, generator), chance_row(other, 1, generator), repeated)
        return Comparison("abc", rows).pair("a", "b")

    assert pair(even, even + 0.06).seeds_needed <= 20
    images_only = pair(suits_one, suits_other)
    assert images_only.low < 0 < images_only.high and images_only.seeds_needed is None


def test_variance_is_that_of_a_nested_analysis_by_hand():
    # Within backbones: 4 pairs 2 apart, squares 8 over 4. Between: 2 rows of means 4 apart, squares 2 * (4 + 4) * 2
    # over 2, so 16 = 2 + 2 * 7.
    row = [np.array([1.0, 3.0]), np.array([5.0, 7.0])]
    found = components([row, [10 + backbone for backbone in row]])
    assert astuple(found.fine_tuning) == pytest.approx((2**0.5, 4))
    assert astuple(found.pre_training) == pytest.approx((7**0.5, 2))
    assert astuple(found.seed) == pytest.approx((3.0, 2))


def test_variance_without_repeated_runs_is_none_and_none_is_negative():
    alone = components([[np.array([1.0]), np.array([4.0])], [np.array([9.0])]])
    assert astuple(alone.seed) == pytest.approx((np.std([1, 4], ddof=1), 1))
    assert alone.pre_training is None and alone.fine_tuning is None
    of_one_backbone = components([[np.array([1.0, 4.0])]])
    assert of_one_backbone.seed is None and of_one_backbone.fine_tuning.freedom == 1
    assert components([[np.array([1.0, 9.0]), np.array([5.0, 5.0])]]).pre_training.sd == 0


def test_the_papers_top1_predicts_voc_but_not_ade20k():
    found = {each.metric: each for each in published()[0].correlations}
    # Tables 8 and 9, from top to bottom.
    columns = {
        "map_voc07": [77.54, 78.30, 79.23, 80.71, 80.96, 81.10, 81.33],
        "pix_acc": [78.08, 78.88, 79.25, 78.64, 78.97, 78.47, 78.72],
        "miou": [37.05, 38.88, 39.33, 38.75, 38.90, 37.99, 38.40],
    }
    expected = {"map_voc07": 1.00, "pix_acc": 0.07, "miou": -0.04}
    for metric, column in columns.items():
        rising = sum(np.sign(b - a) for a, b in combinations(column, 2)) / 21  # top-1 rises from row to row
        assert found[metric].n == 7 and round(found[metric].spearman, 2) == expected[metric]
        assert found[metric].kendall == pytest.approx(rising)
        assert found[metric].spearman_low <= found[metric].spearman <= found[metric].spearman_high


def test_a_correlation_that_does_not_exist_is_none():
    assert correlate("miou", [1, 2, 3, 4, 5], [7, 7, 7, 7, 7]).spearman is None
    assert correlate("miou", [1, 2], [1, 2]).kendall is None, "two rows have no other order than both or the reverse"
    few = correlate("miou", [1, 2, 3, 4], [1, 2, 4, 3])
    assert few.spearman == pytest.approx(1 - 6 * 2 / (4 * 15)) and few.spearman_low is None


def stored(root, hits, **changes):
    """A result with its outputs on disk."""
    made = arrays(hits)
    scores = {"top1": 100 * float(hits.mean()), "top5": 100 * float((made["ranked"] == 0).any(1).mean())}
    result = a_result(metrics=scores, samples_scored=len(hits), **changes)
    path = store(root, result).with_name("outputs.npz")
    np.savez(path, **made)
    result = replace(result, outputs_sha256=sha256(path.read_bytes()).hexdigest())
    write(result, path.with_name("metrics.json"))
    return result


def with_outputs(results, root):
    runs, problems = load_all(Stored(result, root / result.folder) for result in results)
    return analyse(runs, problems)


def cell_of(analysis):
    return analysis.tables[0].rows[0].cells["top1"]


def test_the_level_names_what_an_interval_covers_and_one_run_is_starred(tmp_path):
    runs = [stored(tmp_path, hits_of(300, 0.6, seed), seed=seed) for seed in (0, 1)]
    one, two, without = with_outputs(runs[:1], tmp_path), with_outputs(runs, tmp_path), analysed(runs)
    assert cell_of(one).level == "none" and "(n=1)" in markdown(one) and cell_of(one).low is None
    other = stored(tmp_path, hits_of(300, 0.9), recipe="other")
    borrowed = with_outputs([*runs, other], tmp_path)
    assert cell_of(borrowed).level == "borrowed seed and image" and "]* (n=1)" in markdown(borrowed)
    assert cell_of(two).level == "seed and image" and "] (n=2)" in markdown(two)
    assert cell_of(without).level == "none" and cell_of(without).low is None


def test_fine_tunings_of_one_backbone_are_not_seeds_of_the_whole(tmp_path):
    rounds = top1_rounds(hits_of(300, 0.6))

    def run(**seeds):
        stored = Stored(a_detection(**seeds), tmp_path)
        return Scored(stored, {"map_area": rounds.mean()}, {"map_area": rounds}, "same")

    of_one = [run(seed=seed, backbone_seed=0) for seed in (0, 1)]
    assert cell(of_one, "map_area").level == "fine-tuning seed and image"
    assert cell(of_one[:1], "map_area").level == "none"
    (row,) = analyse([*of_one, run(seed=2, backbone_seed=1)]).tables[0].rows
    assert (row.cells["map_area"].level, row.cells["map_area"].n) == ("seed and image", 2)
    beside = run(seed=0, recipe="other"), run(seed=1, backbone_seed=1, recipe="other")
    levels = {row.recipe: row.cells["map_area"].level for row in analyse([*of_one, *beside]).tables[0].rows}
    assert levels == {of_one[0].result.recipe: "fine-tuning seed and image", "other": "seed and image"}


@pytest.mark.parametrize(
    ("recipe", "depth", "settings", "told"),
    [
        ("resnet50d_best", 18, {}, "ResNet-18 stands in for ResNet-50."),
        ("resnet152d_mixup", 34, {}, "ResNet-34 stands in for ResNet-152."),
        ("resnet50d_best", 50, {}, None),
        ("resnet50d_best+model.backbone.depth-18", 18, {"model.backbone.depth": "18"}, None),  # the row's name says it
        ("mobilenet_best", None, {}, None),
        ("a_recipe_that_is_gone", 18, {}, None),
    ],
)
def test_a_tier_that_trains_shallower_networks_under_recipes_names_says_so(recipe, depth, settings, told):
    config = {"model": {"backbone": {"depth": depth}}}
    result = a_result(recipe=recipe, tier="garden", config=config, settings=settings)
    analysis = analysed([result])
    notes = footnotes(analysis.tables[0], analysis.runs)
    assert [note for note in notes if "stands in" in note] == ([told] if told else [])


def test_tiers_share_neither_a_table_nor_noise(tmp_path):
    runs = [stored(tmp_path, hits_of(300, 0.6, seed), seed=seed, tier="smoke") for seed in (0, 1)]
    runs += [stored(tmp_path, hits_of(300, share), recipe=name) for name, share in (("a", 0.9), ("b", 0.1))]
    mini, smoke, *paper = with_outputs(runs, tmp_path).tables
    assert (mini.tier, smoke.tier, {each.tier for each in paper}) == ("mini", "smoke", {"published"})
    assert [len(table.rows) for table in (mini, smoke)] == [2, 1]
    assert not mini.pairs and mini.rows[0].cells["top1"].low is None and smoke.variance["top1"].seed.freedom == 1
    assert "top1" not in mini.variance


def test_without_results_the_papers_tables_are_still_there():
    analysis = analysed([])
    assert [table.tier for table in analysis.tables] == ["published", "published"]
    assert analysis.runs == {} and analysis.problems == ()
