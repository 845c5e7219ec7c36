"""Each row is held against its own control, and a network that is no deeper than its shortcuts is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from test_results import a_result
from test_tables import a_run, a_segmentation, doubts, ours

from classification.config import load
from trick_transfer.leaderboard.analysis import analyse
from trick_transfer.leaderboard.rendering.text import HARMS, NO_GAIN, ONE_SEED, no_help
from trick_transfer.leaderboard.scores.controls import controls
from trick_transfer.leaderboard.scores.load import load_all, means_only
from trick_transfer.leaderboard.table import Gain, Table
from trick_transfer.runs.store import read_stored

ROOT = Path(__file__).parents[1]
D, D_ZERO, B = dict(tweak="bcd", zero_gamma=False), dict(tweak="bcd", zero_gamma=True), dict(tweak="b")


def config(backbone, max_epochs):
    return dict(model=dict(backbone=backbone), max_epochs=max_epochs)


def test_a_control_has_the_rows_network_and_initialisation():
    rows = {"best": config(D_ZERO, 200), "standard": config(B, 120), "odd": config(dict(tweak=""), 120)}
    untrained = {"d": config(D, 0), "d_zero": config(D_ZERO, 0), "b": config(B, 0)}
    assert controls(rows | untrained) == {"best": "d_zero", "standard": "b"}


def test_ones_own_control_comes_first_and_the_reference_has_the_references():
    own = {"best (yours)": config(B, 9), "random (yours)": config(B, 0)}
    assert controls(own | {"best": config(B, 9)}) == {"best (yours)": "random (yours)"}
    assert controls({"best (yours)": config(B, 9), "random": config(B, 0)}) == {"best (yours)": "random"}


@pytest.mark.parametrize(
    ("recipes", "control"),
    [
        (("resnet50_baseline", "resnet50_linear_1024"), "resnet50_random"),
        (("resnet50b_standard",), "resnet50b_random"),
        (("resnet50d_efficient", "resnet50d_cosine", "resnet50d_smooth"), "resnet50d_random_zero_gamma"),
        (("resnet50d_distill", "resnet50d_mixup", "resnet50d_best"), "resnet50d_random_zero_gamma"),
    ],
)
def test_the_rows_of_tables_8_and_9_have_a_control_each(recipes, control):
    names = [*recipes, "resnet50_random", "resnet50b_random", "resnet50d_random", "resnet50d_random_zero_gamma"]
    configs = {name: load(name).to_dict() for name in names}
    assert {name: controls(configs)[name] for name in recipes} == dict.fromkeys(recipes, control)


def rows(miou):
    """A row and its control, of three seeds, with these means."""
    for recipe, epochs, mean in (("trained", 5, miou), ("random", 0, 30.0)):
        for seed in range(3):
            who = dict(recipe=recipe, seed=seed)
            yield a_result(config=config(B, epochs), **who)
            yield a_segmentation(metrics={"pix_acc": 70.0, "miou": mean + 0.1 * seed}, **who)


CHOSEN = ("resnet50d_best", "resnet50d_efficient", "resnet50d_random_zero_gamma")


def minis():
    """The committed results of `mini`; other tiers have rows of the same names."""
    return [each for each in read_stored(ROOT / "results")[0] if each.result.tier == "mini"]


@pytest.fixture(scope="module")
def committed():
    """Two rows of `mini` and their control."""
    return load_all(each for each in minis() if each.result.recipe in CHOSEN)[0]


def test_a_gain_is_the_difference_of_the_means_and_its_interval_the_pairs(committed):
    """Of committed runs; the means are NumPy's over what each run reports."""
    (table, *_) = analyse(committed).tables
    results = [run.result for run in committed]
    scores = {name: [e.metrics["miou"] for e in results if e.recipe == name and "miou" in e.metrics] for name in CHOSEN}
    for name in CHOSEN[:2]:
        (gain,) = (each for each in table.gains if (each.recipe, each.metric) == (name, "miou"))
        assert gain.difference == pytest.approx(np.mean(scores[name]) - np.mean(scores[CHOSEN[2]]), abs=1e-3)
        (pair,) = (each for each in table.pairs["miou"] if {each.a, each.b} == {name, CHOSEN[2]})
        assert {gain.low, gain.high} in ({pair.low, pair.high}, {-pair.low, -pair.high})


def test_from_scratch_there_is_no_gain_by_pre_training(committed):
    """Of a run that the card's weights did not reach, as under `fcn_ade20k_scratch`."""
    scratch = [
        replace(run, stored=replace(run.stored, result=replace(run.result, arrived_percent=0.0)))
        if run.result.stage == "segmentation"
        else run
        for run in committed
    ]
    assert {each.metric for each in analyse(scratch).tables[0].gains} == {"map_voc07", "map_area", "map_coco"}


def test_of_one_seed_a_gain_has_the_interval_of_its_images_and_it_is_said(committed):
    """The images' own noise: by scipy, the quantiles of the resampled differences."""
    once = [run for run in committed if run.result.seed == run.result.backbone_seed == 0]
    (table, *_) = analyse(once).tables
    (gain,) = (each for each in table.gains if (each.recipe, each.metric) == (CHOSEN[0], "miou"))
    (one,), (other,) = (
        [run for run in once if run.result.recipe == name and "miou" in run.points] for name in CHOSEN[::2]
    )
    assert gain.difference == pytest.approx(one.points["miou"] - other.points["miou"], abs=1e-3)
    drawn = one.rounds["miou"] - other.rounds["miou"]
    spread = stats.norm.ppf(0.975) * np.std(drawn, ddof=1)
    assert (gain.high - gain.low) / 2 == pytest.approx(spread, rel=0.01) and ONE_SEED in no_help(table)
    assert not table.pairs and ONE_SEED not in no_help(analyse(committed).tables[0])


def test_without_stored_outputs_no_gain_is_told():
    assert not ours(rows(40.0))[0].gains


def test_where_pre_training_does_harm_or_shows_no_gain_is_said():
    gains = tuple(
        Gain(name, "random", "miou", np.mean([low, high]), low, high)
        for name, low, high in (("a", 1.0, 3.0), ("b", -1.0, 2.0), ("c", -5.0, -2.0))
    )
    table = Table("mini", (), (), (), gains=gains)
    assert no_help(table) == f"{HARMS} in mIoU: `c`. {NO_GAIN} in mIoU: `b`."
    assert no_help(Table("mini", (), (), (), gains=gains[:1])) == "Every gain is above 0."


@pytest.mark.parametrize(("off", "named"), [(58.1, True), (57.9, False), (61.0, True)])
def test_a_network_that_does_without_its_branches_is_named(off, named):
    gammas = {"1": dict(largest=0.03, median=0.01)}
    (first, *others) = a_run(top1=60.0)
    lines = doubts([replace(first, branches=dict(top1_off=off, gammas=gammas)), *others])
    assert sum("residual branches are dead (top-1 60.0 -> " in line for line in lines) == named


def test_controls_are_no_tricks_and_not_in_the_correlation():
    stored = [each for each in minis() if each.result.recipe.startswith("resnet50")]
    (table, *_) = analyse([means_only(each) for each in stored]).tables
    untrained = {row.recipe for row in table.rows if not row.trained}
    assert untrained == {f"resnet50{kind}" for kind in ("_random", "b_random", "d_random", "d_random_zero_gamma")}
    assert not untrained & {name for line in table.ledger for name in (line.without, line.with_it)}
    assert {each.n for each in table.correlations} == {8}


def test_an_untrained_network_is_not_called_dead():
    (first, *others) = a_run(top1=10.0)
    assert not doubts([replace(first, steps=0, branches=dict(top1_off=10.0, gammas={})), *others])
