import sys
from dataclasses import asdict, replace
from hashlib import sha256
from math import cos, log, pi
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from rich.console import Console
from test_results import a_detection, a_result, read_all, store
from test_statistics import analysed

import classification.config
from classification.given import find_once
from trick_transfer.leaderboard.paper import figures
from trick_transfer.leaderboard.paper.figures import FIGURES, outputs, schedule
from trick_transfer.leaderboard.paper.tables import TABLES
from trick_transfer.leaderboard.rendering.beside_paper import beside, noise
from trick_transfer.leaderboard.rendering.markdown import markdown
from trick_transfer.runs import study
from trick_transfer.runs.identity import fingerprint
from trick_transfer.runs.result import OUTPUTS, Result
from trick_transfer.runs.run import Run, plain
from trick_transfer.runs.store import Stored
from trick_transfer.stages import usual

ROOT = Path(__file__).parents[1]
# typed from the paper's text: table, recipe, heading (and how many columns right of it), the text there
PAPER = [
    ("table1", "resnext50_baseline", "GMACs", 1, "4.2"),
    ("table1", "resnext50_baseline", "top-5", 1, "–"),
    ("table1", "seresnext50_baseline", "top-1", 1, "78.90"),
    ("table1", "resnet50d_best", "top-5", 1, "94.63"),
    ("table2", "inception_v3_baseline", "top-1", 1, "77.32"),
    ("table2", "inception_v3_baseline", "paper, reference top-1", 0, "78.80"),
    ("table2", "mobilenet_baseline", "paper, reference top-5", 0, "–"),
    ("table3", "inception_v3_baseline", "min/epoch", 1, "19.8"),
    ("table3", "resnet50_efficient", "min/epoch", 1, "4.4"),
    ("table3", "mobilenet_efficient", "top-5", 1, "90.47"),
    ("table4", "resnet50_zero_gamma_1024", "top-1", 1, "76.37"),
    ("table4", "resnet50_amp_256", "top-5", 1, "93.09"),
    ("table5", "resnet50b_efficient", "GMACs", 1, "4.1"),
    ("table5", "resnet50c_efficient", "top-1", 1, "76.87"),
    ("table6", "inception_v3_distill", "top-5", 1, "94.01"),
    ("table6", "mobilenet_efficient", "top-5", 1, "90.53"),
    ("table6", "resnet50d_smooth", "top-1", 1, "78.31"),
    ("table7", "resnet50d_efficient_places365", "top-1", 1, "56.34"),
    ("table7", "resnet50d_best_places365", "paper, test top-5", 0, "87.82"),
    ("table8", "resnet50b_standard", "top-1", 1, "76.14"),
    ("table8", "resnet50d_smooth", "top-1", 1, "78.34"),
    ("table8", "resnet50d_mixup", "VOC mAP (11-point)", 1, "81.10"),
    ("table9", "resnet50d_cosine", "pixAcc", 1, "79.25"),
    ("table9", "resnet50d_best", "mIoU", 1, "38.40"),
]


def made(name, results, tier="mini"):
    """A table beside the paper's, from results of its stages."""
    some = [result for result in results if result.stage in TABLES[name].stages]
    return beside(name, [table for table in analysed(some).tables if table.tier == tier], tier)


def shown(name, results, recipe, heading, right=0):
    """The text in a table's row, at a heading or right of it."""
    head, *rows = made(name, results).lines
    (row,) = (row for row in rows if row[0].removesuffix(" *") == recipe)
    return row[head.index(heading) + right]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_shows_what_the_paper_says(name):
    for recipe, heading, right, text in (row[1:] for row in PAPER if row[0] == name):
        assert shown(name, [], recipe, heading, right) == text, (recipe, heading)


def test_every_row_of_the_paper_is_there_and_is_a_recipe():
    rows = {"table1": 6, "table2": 3, "table3": 6, "table4": 10, "table5": 4, "table6": 18, "table7": 2}
    assert {name: len(table.rows) for name, table in TABLES.items()} == rows | {"table8": 7, "table9": 7}
    recipes = {recipe for table in TABLES.values() for recipe in table.rows}
    assert recipes | {recipe for pair in FIGURES.values() for recipe in pair} <= set(classification.config.names())


def test_the_downstream_tables_need_their_stage_and_the_others_do_not():
    stages = {name: table.stages for name, table in TABLES.items()}
    assert stages.pop("table8") == ["classification", "detection"]
    assert stages.pop("table9") == ["classification", "segmentation"]
    assert all(each == ["classification"] for each in stages.values())


def test_a_cell_is_the_mean_and_deviation_over_seeds_and_a_dash_where_nothing_was_run():
    results = [a_detection(seed=seed, metrics={"map_voc07": 50.0 + 2 * seed, "map_area": 1.0}) for seed in (0, 1)]
    assert shown("table8", results, "resnet50d_best", "VOC mAP (11-point)") == "51.00 (sd 1.41, n=2)"  # 2 / sqrt(2)
    assert shown("table8", results[:1], "resnet50d_best", "VOC mAP (11-point)") == "50.00 (n=1)"
    assert shown("table8", results, "resnet50d_mixup", "VOC mAP (11-point)") == "–"
    assert shown("table8", results, "resnet50d_best", "top-1") == "–"


def test_sizes_have_no_seeds_and_an_epochs_minutes_come_from_the_receipt():
    config = {"max_epochs": 4}
    one = a_result(recipe="resnet50_efficient", config=config, config_hash=fingerprint(config), seconds=600.0)
    assert shown("table3", [one], one.recipe, "min/epoch") == "2.50"
    assert shown("table5", [one, replace(one, seed=1, backbone_seed=1)], one.recipe, "GMACs") == "4.33"


def test_a_row_under_other_rules_has_a_star_and_the_reason_below():
    recipes = ("resnet50_baseline", "mobilenet_baseline", "inception_v3_baseline")
    results = [a_result(recipe=recipe, protocol_hash=digit * 64) for recipe, digit in zip(recipes, "aab", strict=True)]
    rows = [row[0] for row in made("table2", results).lines[1:]]
    assert rows == ["resnet50_baseline", "inception_v3_baseline *", "mobilenet_baseline"]
    assert any("has no places" in note for note in made("table7", []).notes)
    assert not any("has no places" in note for note in made("table7", [], "paper").notes)
    assert any(note.startswith("*") for note in made("table2", results).notes)
    assert not any(note.startswith("*") for note in made("table2", results[:2]).notes)


def beside_the_paper(results):
    """What LEADERBOARD.md says of the paper's Tables 8 and 9, by tier."""
    return "".join(part for part in markdown(analysed(results)).split("## ") if part.startswith("Table "))


def test_the_papers_protocol_goes_before_another_beside_the_paper():
    other = a_detection(
        protocol="faster_rcnn_fpn_voc", protocol_hash="f" * 64, metrics={"map_voc07": 7.0, "map_area": 7.0}
    )
    text = beside_the_paper([other, a_result(), a_detection()])
    assert "40.50 (n=1)" in text and "7.00" not in text


def test_the_leaderboard_has_the_downstream_tables_beside_the_paper_for_each_tier():
    results = [a_result(tier="mini"), a_detection(tier="mini"), a_detection(tier="paper", recipe="resnet50d_cosine")]
    paper, mini = beside_the_paper(results).split("Table 8 (mini)")
    assert "| `resnet50d_best` | 61.50 (n=1) | 79.29 | 40.50 (n=1) | 81.33 |" in mini
    assert "| `resnet50d_cosine` | – | 77.91 | – | 79.23 |" in mini, "another tier's"
    assert "| `resnet50d_cosine` | – | 77.91 | 40.50 (n=1) | 79.23 |" in paper
    other = "Our numbers are of other data than the paper's"
    assert other in mini and other not in paper and "Table 9" in mini


def test_noise_is_mean_deviation_and_range_of_each_metric():
    results = [
        a_result(seed=seed, metrics={"top1": top1, "top5": 90.0}) for seed, top1 in enumerate((60.0, 63.0, 61.5))
    ]
    assert noise(results)[1:] == [
        ["top1", "61.50", "1.50", "60.00 to 63.00", "3"],
        ["top5", "90.00", "0.00", "90.00 to 90.00", "3"],
    ]


@pytest.mark.parametrize("decay", ["step", "cosine"])
def test_the_drawn_schedule_is_the_papers(decay):
    """sec. 3.1: i eta / m at batch i of the first m; eq. 1 over the T batches after; or a tenth at 30, 60 and 90."""
    recipe = {"step": "resnet50d_efficient", "cosine": "resnet50d_cosine"}[decay]
    epochs, found = schedule(Run("classification", recipe, "paper", sets={"follow": "text"}))
    per_epoch, eta = 1281167 // 1024, 0.4
    m, total = 5 * per_epoch, 120 * per_epoch
    assert len(found) == total and epochs[-1] == pytest.approx(120, abs=1e-3)
    assert found[:m] == pytest.approx([i * eta / m for i in range(1, m + 1)])
    for step in (m, m + 1, 29 * per_epoch, 30 * per_epoch, 77_777, 90 * per_epoch, total - 1):
        rate = (1 + cos((step - m) * pi / (total - m))) * eta / 2
        if decay == "step":
            rate = eta * 0.1 ** (step // (30 * per_epoch))
        assert found[step] == pytest.approx(rate, rel=1e-6, abs=1e-12)


def test_the_best_gap_is_the_papers():
    assert figures.best_gap(0.1, 1000) == pytest.approx(9.1, abs=0.01)  # "the theoretical gap is around 9.1"
    assert figures.best_gap(0.999, 1000) == pytest.approx(0, abs=1e-9)  # "all optimal z will be identical"
    assert figures.best_gap(0.1, 10) == pytest.approx(log(81))


def test_the_gap_of_stored_outputs_is_that_of_the_logits():
    logits = np.random.default_rng(0).normal(size=(7, 12))
    ordered = -np.sort(-logits, 1)
    expected = ordered[:, 0] - ordered[:, 1:].mean(1)
    assert figures.gap(ordered[:, :5], logits.mean(1), 12) == pytest.approx(expected)


@pytest.fixture
def tool(monkeypatch, tmp_path, tmp_path_factory, capsys):
    """tools/ablate.py on tier smoke within this process: what it prints."""

    from trick_transfer.commands import ablate

    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))  # not where the clone's results and data are
    monkeypatch.setattr(ablate, "console", Console(width=200))

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["ablate", *map(str, words), "--work-dir", str(tmp_path)])
        for module in ("runs.plan", "runs.execute", "leaderboard.paper.report"):
            monkeypatch.setattr(f"trick_transfer.{module}.console", Console(width=200))
        ablate.main()
        return capsys.readouterr().out

    return run


def a_kept(work, recipe, stage="classification", **changes) -> Result:
    """A stored result of a smoke run, as of today's recipe."""
    run = Run(stage, recipe, "smoke", work_dir=work)
    config = plain(run.draft())
    fields = dict(tier="smoke", recipe=recipe, config=config, config_hash=fingerprint(config))
    fields["protocol_hash"] = run.protocol_hash()
    make = a_result if stage == "classification" else a_detection
    result = make(**fields | changes)
    store(work / "results", result)
    return result


def states(text):
    """(recipe, stage): state, from a printed plan."""
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if line.startswith("│")]
    return {(line[0], line[2]): line[3] for line in lines if len(line) == 6}


def test_the_plan_of_an_empty_tree_is_all_rows_and_their_teachers(tool, tmp_path):
    text = tool("table8", "--tier", "smoke", "--plan")
    found = states(text)
    assert set(found.values()) == {"missing"} and len(found) == 2 * 7 + 2
    assert list(found).index(("resnet152d_smooth", "classification")) < list(found).index(
        ("resnet50d_distill", "classification")
    )
    assert "81.33" in text, "the table is shown"
    assert not list(tmp_path.iterdir())


def test_rows_of_ones_own_choice_are_planned_and_shown_with_the_stages_named(tool, tmp_path):
    a_kept(tmp_path, "resnet50d_distill")
    text = tool("resnet50d_distill", "resnet50d_mixup", "--stages", "classification", "--tier", "smoke", "--plan")
    assert states(text) == {
        ("resnet50d_distill", "classification"): "done",
        ("resnet50d_mixup", "classification"): "missing",
    }
    assert "61.50" in text and "1 of 1" in text, "the row that is there is shown"
    both = states(tool("resnet50d_mixup", "table5", "--tier", "smoke", "--plan"))
    assert {stage for recipe, stage in both if recipe == "resnet50d_mixup"} == {*usual()}
    assert {stage for recipe, stage in both if recipe == "resnet50c_efficient"} == {"classification"}


@pytest.fixture
def weights(tmp_path_factory):
    """The options that name a file of a network's weights."""
    path = tmp_path_factory.mktemp("weights") / "mine.pth"
    torch.save(timm.create_model("mobilenetv2_035", num_classes=10).state_dict(), path)
    feeding = ["--mean", "1", "2", "3", "--std", "4", "5", "6"]
    return ["--backbone", str(path), "--arch", "timm/mobilenetv2_035", *feeding, "--tier", "smoke"]


def test_weights_from_elsewhere_are_rows_alone_and_below_recipes(tool, weights):
    found = states(tool(*weights, "--seeds", "0-1", "--stages", "segmentation", "--plan"))
    assert found == {("mine", "classification"): "missing", ("mine", "segmentation"): "missing"}
    both = states(tool("resnet50_baseline", "table9", *weights, "--plan"))
    assert {stage for row, stage in both if row == "resnet50_baseline+given-mine"} == {*usual()}
    assert ("resnet50d_cosine", "segmentation") in both
    assert "mine (smoke): no results yet" in tool("noise", *weights, "--seeds", "2", "--plan")


@pytest.mark.slow
def test_rows_of_weights_from_elsewhere_are_run_once_and_shown(tool, weights, tmp_path):
    words = [*weights, "--stages", "segmentation"]
    text = tool(*words)
    results, problems = read_all(tmp_path / "results")
    assert not problems and {(r.recipe, r.stage) for r in results} == {
        ("mine", stage) for stage in ("classification", "segmentation")
    }
    assert "mIoU" in text and "n=1" in text
    again = tool(*words)
    assert "[1/" not in again and "n=1" in again, "all is there"
    find_once.cache_clear()
    torch.save(timm.create_model("mobilenetv2_035", num_classes=10).state_dict(), weights[1])
    with pytest.raises(ValueError, match="is of other weights under the same name; give these another --row NAME"):
        tool(*words, "--plan")


def test_protocols_are_told_apart_in_the_plan(tool):
    protocols = ["--protocol", "faster_rcnn_voc", "faster_rcnn_voc_frozen"]
    text = tool("resnet50d_mixup", "--stages", "detection", *protocols, "--tier", "smoke", "--plan")
    assert {"detection", "detection-faster_rcnn_voc_frozen"} <= {stage for _, stage in states(text)}


def test_noise_wants_two_seeds_and_says_where_there_is_none_yet(tool):
    with pytest.raises(ValueError, match="at least two seeds"):
        tool("noise", "resnet50d_mixup", "--seeds", "1", "--tier", "smoke", "--plan")
    assert tool("noise", "resnet50d_mixup", "--seeds", "2", "--tier", "smoke", "--plan").endswith("no results yet\n")


def test_sizes_are_shown_before_anything_is_trained(tool):
    text = tool("table5", "--tier", "paper", "--plan")
    table = [[cell.strip() for cell in line.split("│")] for line in text[text.index("Table 5") :].splitlines()]
    rows = [row for row in table if len(row) == 11]
    # Table 5: "25 M" each (its authors' first network has biases); multiply-adds of 3.8, 4.1, 4.3 and 4.3
    assert [row[6] for row in rows] == ["25.58", "25.56", "25.58", "25.58"]
    assert [row[8] for row in rows] == ["3.86", "4.09", "4.33", "4.33"]


def test_the_plan_knows_results_that_are_there_and_whose_they_are(tool, tmp_path, monkeypatch):
    a_kept(tmp_path, "resnet50d_distill")
    a_kept(tmp_path, "resnet50d_distill", "detection")
    text = tool("table8", "--tier", "smoke", "--plan")
    found = states(text)
    assert [key for key, state in found.items() if state == "done"] == [
        ("resnet50d_distill", "classification"),
        ("resnet50d_distill", "detection"),
    ]
    assert ("resnet152d_smooth", "classification") not in found, "nothing needs it any more"
    assert "the reference result" not in text
    reference = (tmp_path / "results").rename(tmp_path / "reference")
    monkeypatch.setattr(study, "reference", lambda: reference)
    assert tool("table8", "--tier", "smoke", "--plan").count("the reference result") == 2
    assert "61.50 (n=1)" in text and "40.50 (n=1)" in text


def test_another_protocol_and_another_seed_of_fine_tuning_are_not_in_the_table(tool, tmp_path):
    a_kept(tmp_path, "resnet50d_best")
    a_kept(tmp_path, "resnet50d_best", "detection")
    for other in ({"protocol": "faster_rcnn_fpn_voc"}, {"seed": 5, "backbone_seed": 0}):
        a_kept(tmp_path, "resnet50d_best", "detection", metrics={"map_voc07": 7.0, "map_area": 7.0}, **other)
    assert "40.50 (n=1)" in tool("table8", "--tier", "smoke", "--plan")


def test_a_result_of_another_config_is_not_shown_and_its_key_is_named(tool, tmp_path):
    result = a_kept(tmp_path, "resnet50d_smooth")
    result.config["optim_wrapper"]["optimizer"]["lr"] = 7.0
    store(tmp_path / "results", Result(**asdict(result) | {"config_hash": fingerprint(result.config)}))
    a_kept(tmp_path, "resnet50d_smooth", "detection")
    text = tool("table8", "--tier", "smoke", "--plan")
    assert "the result differs in optim_wrapper.optimizer.lr" in text
    assert "61.50" not in text and "40.50" not in text, "nor what was fine-tuned from it"


def test_what_is_missing_is_run_once_teachers_and_backbones_first(tool, tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr("trick_transfer.runs.execute.launch", lambda words, count: ran.append(words[1:]) or 0)
    monkeypatch.setattr("trick_transfer.commands.ablate.check_data", lambda planned: None)
    a_kept(tmp_path, "resnet50d_cosine")
    tool("table5", "table9", "--tier", "smoke", "--seeds", "0", "1")
    runs = [(words[1], words[0], words[words.index("--seed") + 1]) for words in ran]
    assert len(runs) == len(set(runs))
    assert ("resnet50d_cosine", "classification", "1") in runs
    assert ("resnet50d_cosine", "classification", "0") in runs, "its weights are not here, and the segmenter needs them"
    for recipe, teacher in {"resnet50d_best": "resnet152d_mixup", "resnet50d_distill": "resnet152d_smooth"}.items():
        for seed in ("0", "1"):  # each student has the teacher of its own seed
            assert runs.index((teacher, "classification", seed)) < runs.index((recipe, "classification", seed))
    assert runs.index(("resnet50d_best", "classification", "1")) < runs.index(("resnet50d_best", "segmentation", "1"))
    # for each seed: 4 rows of Table 5 and 7 of Table 9 with one in common; 2 teachers; 7 segmenters
    assert len(runs) == 2 * (10 + 2 + 7)


def test_the_figures_show_what_was_run(tool, tmp_path):
    random = np.random.default_rng(0)
    for recipe in ("resnet50d_cosine", "resnet50d_smooth"):
        result = a_kept(tmp_path, recipe)
        path = tmp_path / "results" / result.folder / OUTPUTS
        np.savez(path, logits=-np.sort(-random.normal(size=(50, 5)), 1), logits_mean=np.zeros(50))
        a_kept(tmp_path, recipe, outputs_sha256=sha256(path.read_bytes()).hexdigest())
    text = tool("figure3", "figure4", "--tier", "smoke", "--plan", "--png", "--out", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"figure{number}_smoke.{suffix}" for number in (3, 4) for suffix in ("png", "svg")
    ]
    assert "figure4_smoke.svg" in text
    svg = (tmp_path / "out/figure4_smoke.svg").read_text()
    assert "resnet50d_smooth" in svg and "K = 1000" in svg and f"{log(81):.2f}" in svg


def test_outputs_of_another_run_are_not_drawn(tmp_path):
    result = a_kept(tmp_path, "resnet50d_cosine")
    (tmp_path / "results" / result.folder / OUTPUTS).write_bytes(b"others")
    with pytest.raises(ValueError, match=f"{result.folder}/outputs.npz"):
        outputs(Stored(result, tmp_path / "results" / result.folder))


def test_figure_3_draws_each_schedule_and_every_seeds_accuracy():
    figure = figures.schedules(
        {"a": ([0, 1], [0.1, 0.2]), "b": ([0, 1], [0.1, 0.0])}, {"a": [[[1, 30.0], [2, 50.0]]] * 2, "b": []}, "mini"
    )
    above, below = figure.axes
    assert [list(line.get_ydata()) for line in above.lines] == [[0.1, 0.2], [0.1, 0.0]]
    assert [list(line.get_ydata()) for line in below.lines] == [[30.0, 50.0]] * 2
    assert [text.get_text() for text in below.get_legend().get_texts()] == ["a"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("tabel8",), "'tabel8'.*'table8'"),
        (("noise", "resnet50d_bets", "--seeds", "2"), "'resnet50d_best'"),
        (("noise", "--seeds", "2"), "noise .*recipe"),
        ((), "name a table, a figure or a recipe, or give --backbone SOURCE"),
        (("table8", "--mean", "1", "2", "3"), "--mean goes with --backbone SOURCE"),
        (("table2", "--seeds", "-1"), "seed.* -1"),
        (("table8", "--protocol", "fcn_ade20k_frozen"), "is of segmentation, which is not run"),
        (("agreement", "mini", "photos100", "--protocol", "knn"), "^agreement takes two tiers, or a tier and two"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_nearest_name(tool, words, message):
    with pytest.raises(ValueError, match=message):
        tool(*words)


@pytest.mark.parametrize(("name", "option"), [("table7", "places365"), ("table2", "imagenet")])
def test_missing_data_of_the_paper_tier_are_named_before_anything_is_trained(tool, tmp_path, name, option):
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path}/none/train does not exist; expected .*/<class>/\*\.jpg"):
        tool(name, "--tier", "paper", f"--{option}-root", tmp_path / "none")
    assert not list(tmp_path.iterdir())


def test_a_missing_teacher_is_named_with_the_command_that_makes_it(tmp_path):
    run = Run("classification", "resnet50d_best", "paper", seed=3, work_dir=tmp_path)
    command = f"tools/train.py classification resnet152d_mixup --tier paper --seed 3 --work-dir {tmp_path}"
    with pytest.raises(FileNotFoundError, match=f"the teacher resnet152d_mixup is missing; make it with: {command}"):
        run.check_teacher()


def test_each_of_several_seeds_and_protocols_is_a_run_and_each_protocol_has_its_scatter(tool):
    words = ("--seeds", "3-4", "--protocol", "faster_rcnn_voc_frozen", "faster_rcnn_voc_scratch")
    text = tool("noise", "resnet50d_efficient", "--tier", "smoke", "--plan", *words)
    lines = [line.split("│")[2:4] for line in text.splitlines() if line.startswith("│ resnet50d_efficient")]
    runs = sorted((int(seed), stage.strip()) for seed, stage in lines)
    protocols = [f"detection-{name}" for name in ("faster_rcnn_voc_frozen", "faster_rcnn_voc_scratch")]
    assert runs == [(seed, stage) for seed in (3, 4) for stage in ("classification", *protocols, "segmentation")]
    assert text.count("resnet50d_efficient (smoke)") == 2


@pytest.mark.slow
def test_noise_runs_a_recipe_for_each_seed_and_once_only(tool, tmp_path):
    text = tool("noise", "resnet50d_efficient", "--tier", "smoke", "--seeds", "2")
    results, problems = read_all(tmp_path / "results")
    assert not problems and {(r.stage, r.seed) for r in results} == {
        (stage, seed) for stage in ("classification", "detection", "segmentation") for seed in (0, 1)
    }
    assert "miou" in text and " 2 " in text
    assert "[1/" not in tool("noise", "resnet50d_efficient", "--tier", "smoke", "--seeds", "2"), "all is there"
