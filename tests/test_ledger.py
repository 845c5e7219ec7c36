import pytest
from test_results import a_result
from test_statistics import analysed

from classification.config import load
from classification.tricks import BAG, SLOTS
from trick_transfer.engine.layers import changed_keys
from trick_transfer.leaderboard.paper.as_leaderboard import published
from trick_transfer.leaderboard.paper.ladder import Step, entry, paper_effect, steps, verdict
from trick_transfer.leaderboard.rendering.markdown import effect

CHAIN = ("efficient", "cosine", "smooth", "distill", "mixup", "best")


@pytest.fixture(scope="module")
def configs():
    return {f"resnet50d_{name}": load(f"resnet50d_{name}").to_dict() for name in CHAIN}


def test_the_papers_stack_is_found_in_the_configs_of_its_recipes(configs):
    assert {(trick, without[10:], with_it[10:]) for trick, without, with_it in steps(configs)} == {
        ("cosine decay", "efficient", "cosine"),
        ("label smoothing", "cosine", "smooth"),
        ("distillation", "smooth", "distill"),
        ("mixup", "smooth", "mixup"),
        ("distillation", "mixup", "best"),
        ("mixup", "distill", "best"),
    }


@pytest.mark.parametrize(
    "trick, key", [("mixup", "mixup"), ("label smoothing", "label_smoothing"), ("distillation", "distillation")]
)
def test_a_recipe_with_one_trick_left_out_is_a_step_to_the_whole(configs, trick, key):
    without = f"resnet50d_best+tricks.{key}-None"
    shorter = load("resnet50d_best", {f"tricks.{key}": None}).to_dict()
    assert steps({"resnet50d_best": configs["resnet50d_best"], without: shorter}) == [
        Step(trick, without, "resnet50d_best")
    ]


def test_recipes_that_differ_in_two_tricks_or_only_the_seed_are_no_step(configs):
    one = configs["resnet50d_smooth"]
    assert steps({"a": configs["resnet50d_efficient"], "b": one}) == []
    assert steps({"a": one, "b": one | {"randomness": {"seed": 7}}}) == []


NAMES = {"amp": "low precision", "schedule": "warm-up and cosine decay"}


@pytest.mark.parametrize("trick", BAG)
def test_a_trick_sets_the_slots_that_its_file_declares_and_no_others(trick):
    options = {"teacher": "resnet152d_smooth"} if trick == "distillation" else {}
    before = load("resnet50_baseline").to_dict()
    after = load("resnet50_baseline", {f"tricks.{trick}": options}).to_dict()
    assert set(changed_keys(before, after)) == set(SLOTS[NAMES.get(trick, trick.replace("_", " "))])


# Tables 6 (top-1, top-5), 8 (mAP) and 9 (pixAcc, mIoU), ResNet-50-D.
SAID = {
    "efficient": (77.16, 93.52, 78.30, 78.88, 38.88),
    "cosine": (77.91, 93.81, 79.23, 79.25, 39.33),
    "smooth": (78.31, 94.09, 80.71, 78.64, 38.75),
    "distill": (78.67, 94.36, 80.96, 78.97, 38.90),
    "mixup": (79.15, 94.58, 81.10, 78.47, 37.99),
    "best": (79.29, 94.63, 81.33, 78.72, 38.40),
}
COLUMNS = ("top1", "top5", "map_voc07", "pix_acc", "miou")


def test_the_papers_effect_is_the_difference_of_its_rows(configs):
    for step in steps(configs):
        ends = SAID[step.with_it[10:]], SAID[step.without[10:]]
        for metric, after, before in zip(COLUMNS, *ends, strict=True):
            assert paper_effect(step, metric) == pytest.approx(after - before, abs=1e-9)
    assert paper_effect(Step("cosine decay", "resnet50d_efficient", "resnet50d_cosine"), "ece") is None
    assert paper_effect(Step("mixup", "mine", "mine_too"), "top1") is None


@pytest.mark.parametrize(
    "said, low, high, expected",
    [
        (0.75, 0.1, 2.0, "agrees"),
        (-0.61, -2.0, -0.1, "agrees"),
        (0.75, -2.0, -0.1, "disagrees"),
        (-0.61, 0.1, 2.0, "disagrees"),
        (0.75, -0.1, 2.0, "not decidable"),
        (-0.61, -1.0, 0.0, "not decidable"),
    ],
)
def test_a_verdict_compares_the_signs_where_the_interval_leaves_out_0(said, low, high, expected):
    assert verdict(said, low, high) == expected


def test_no_verdict_without_the_papers_word_and_none_is_decidable_without_the_seeds_noise():
    step = Step("cosine decay", "resnet50d_efficient", "resnet50d_cosine")
    assert entry(step, "top1", 1.0, (0.5, 1.5), 2, "paper").verdict == "agrees"
    assert entry(step, "top1", 1.0, None, 1, "paper").verdict == "not decidable"
    assert entry(step, "ece", 1.0, (0.5, 1.5), 2, "paper").verdict is None


@pytest.mark.parametrize("tier", ["mini", "smoke", "my_tier"])
def test_outside_the_papers_tier_its_effect_stands_beside_ours_without_a_verdict(tier):
    step = Step("cosine decay", "resnet50d_efficient", "resnet50d_cosine")
    line = entry(step, "top1", 10.45, (6.65, 14.25), 2, tier)
    assert (line.paper_effect, line.verdict) == (0.75, None)
    assert effect(line, tier) == "+10.45 [+6.65, +14.25], paper +0.75"
    assert effect(entry(step, "top1", 10.45, (6.65, 14.25), 2, "paper"), "paper").endswith("paper +0.75: agrees")


def test_the_published_ledger_has_the_papers_effects_and_decides_nothing():
    ledger = published()[0].ledger
    assert all(line.effect == line.paper_effect and line.verdict is None for line in ledger)
    # Table 5: ResNet-50-D less ResNet-50-C, top-1 77.16 - 76.87; Table 6: MobileNet with distillation, 71.97 - 72.93.
    found = {(line.trick, line.with_it, line.metric): line.effect for line in ledger}
    assert found["ResNet-D", "resnet50d_efficient", "top1"] == 0.29
    assert found["distillation", "mobilenet_distill", "top1"] == -0.96


@pytest.mark.parametrize("tier, verdict", [("paper", "not decidable"), ("mini", None)])
def test_the_ledger_of_results_has_our_effect_with_the_fewer_seeds(configs, tier, verdict):
    def run(recipe, seed, top1):
        return a_result(
            recipe=recipe, tier=tier, seed=seed, config=configs[recipe], metrics={"top1": top1, "top5": 80.0}
        )

    results = [run("resnet50d_cosine", 0, 51.0), run("resnet50d_cosine", 1, 53.0), run("resnet50d_smooth", 0, 50.0)]
    (line,) = (line for line in analysed(results).tables[0].ledger if line.metric == "top1")
    assert (line.trick, line.effect, line.n, line.verdict) == ("label smoothing", -2.0, 1, verdict)
    assert line.low is None and line.paper_effect == 0.40


def test_ones_own_steps_pair_own_rows_and_reach_for_the_references_where_there_is_none(configs):
    def run(name):
        return a_result(recipe=f"resnet50d_{name}", config=configs[f"resnet50d_{name}"])

    reference, own = [run("efficient"), run("cosine"), run("smooth")], [run("cosine"), run("smooth"), run("mixup")]
    lines = [line for line in analysed(reference, own).tables[0].ledger if line.metric == "top1"]
    found = {tuple(end.removeprefix("resnet50d_") for end in (line.without, line.with_it)) for line in lines}
    assert found == {
        ("efficient", "cosine"),
        ("cosine", "smooth"),
        ("cosine (yours)", "smooth (yours)"),
        ("smooth (yours)", "mixup (yours)"),
    }
    assert all(line.paper_effect is not None for line in lines)
