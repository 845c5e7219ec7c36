import csv
import io
import json
import os
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from test_results import a_detection, a_result
from test_statistics import analysed, hits_of, stored

from trick_transfer.command_line import tool
from trick_transfer.commands import leaderboard
from trick_transfer.leaderboard.rendering.exports import as_json, comma_separated, latex
from trick_transfer.leaderboard.rendering.markdown import markdown, readme
from trick_transfer.leaderboard.rendering.page import render
from trick_transfer.leaderboard.rendering.terminal import rows_of, screens
from trick_transfer.leaderboard.rendering.text import PROBLEMS, title
from trick_transfer.leaderboard.scores.controls import controls
from trick_transfer.runs.identity import fingerprint
from trick_transfer.runs.result import UNSCORED, read


def a_segmentation(**changes):
    scores = {"pix_acc": 70.5, "miou": 30.5}
    return a_detection(**dict(stage="segmentation", protocol="fcn_ade20k", metrics=scores) | changes)


def a_run(recipe="resnet50d_best", seed=0, tier="mini", top1=60.0):
    who = dict(recipe=recipe, seed=seed, tier=tier)
    scores = {"top1": top1, "top5": 90.0}
    return [a_result(metrics=scores, **who), a_detection(**who), a_segmentation(**who)]


def ours(results, own=(), **options):
    """The tables of results, without the paper's."""
    return [table for table in analysed(results, own, **options).tables if table.tier != "published"]


def numbers(table, metric="map_voc07"):
    return {row.recipe: row.cells[metric].mean for row in table.rows if metric in row.cells}


def changed(analysis, recipe, metric, **changes):
    """The analysis with another cell in its first table."""
    first, *others = analysis.tables
    rows = [
        replace(row, cells=row.cells | {metric: replace(row.cells[metric], **changes)}) if row.recipe == recipe else row
        for row in first.rows
    ]
    return replace(analysis, tables=(replace(first, rows=tuple(rows)), *others))


def doubts(results):
    return analysed(results).problems


def only_ours(text):
    """A Markdown text without the tables of the paper's columns."""
    return text.split("## published")[0]


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def grids(text):
    """The pipe tables of a Markdown text, as lists of cells."""
    blocks = re.findall(r"(?:^\|.*\n?)+", text, re.M)
    return [[cells(line) for line in block.strip().splitlines()] for block in blocks]


def test_mean_and_deviation_are_numpys_over_seeds():
    top1 = [60.0, 61.5, 64.25]
    (table,) = ours(result for seed, value in enumerate(top1) for result in a_run(seed=seed, top1=value))
    cell = table.rows[0].cells["top1"]
    assert cell.n == 3
    assert cell.mean == pytest.approx(np.mean(top1)) and cell.sd == pytest.approx(np.std(top1, ddof=1))


def test_one_run_has_no_deviation_and_says_so():
    analysis = analysed(a_run())
    assert analysis.tables[0].rows[0].cells["top1"].sd is None
    assert "60.00 (n=1)" in markdown(analysis)


def test_seeds_that_differ_in_more_than_the_seed_are_named():
    configs = [
        {"lr": lr, "randomness": {"seed": seed}, "teacher": {"sha256": str(seed)}}
        for seed, lr in ((0, 1), (1, 1), (2, 9))
    ]
    results = [a_result(seed=seed, config=config) for seed, config in enumerate(configs)]
    (line,) = doubts(results)
    assert "resnet50d_best/seed2" in line and line.endswith("in lr")
    (line,) = doubts([a_result(), a_result(seed=1, precision="float32")])
    assert "resnet50d_best/seed1" in line and line.endswith("in precision")


def test_a_row_that_averages_over_several_devices_is_named_below_its_table_and_is_no_fault():
    card, cpu = dict(device="NVIDIA H200"), dict(device="AMD EPYC")
    runs = [
        a_result(**card),
        a_result(seed=1, **cpu),
        a_result(recipe="alone", **card),
        a_result(recipe="alone", seed=1, **card),
    ]
    assert doubts(runs) == ()
    (said,) = re.findall("Trained on: .*", markdown(analysed(runs)))
    assert said == "Trained on: NVIDIA H200 (3), AMD EPYC (1); averaged over several of these: `resnet50d_best`."


def test_a_backbone_without_a_result_is_named_where_other_seeds_have_theirs():
    (line,) = doubts([*a_run(), a_detection(seed=1)])
    assert line.startswith("mini/resnet50d_best/seed1/detection") and "backbone's result is missing" in line
    assert doubts([a_detection(seed=1)]) == ()  # its backbone came from elsewhere


def test_device_hours_are_the_backbones_with_its_teachers_and_in_a_downstream_metric_the_fine_tunings_too():
    config = {"model": {"teacher": {"recipe": "teacher"}}}
    runs = [a_result(config=config, seconds=3600.0, devices=2), a_result(config=config, seed=1, seconds=7200.0)]
    runs += [a_detection(seconds=1800.0)]
    row, _ = ours([*runs, a_result(recipe="teacher", seconds=900.0, devices=4)])[0].rows
    (alone,) = ours(runs)[0].rows
    assert row.device_hours == row.cells["top1"].device_hours == (2 + 2) / 2 + 1
    assert row.cells["map_area"].device_hours == (2 + 2) / 2 + 1 + 0.5
    assert alone.device_hours is alone.cells["map_area"].device_hours is None  # the teacher's are not known


def test_a_students_teacher_is_the_one_that_was_trained_without_its_held_out_images():
    config, share = {"model": {"teacher": {"recipe": "teacher"}}}, {"held_out.share": "0.1"}
    student = a_result(recipe="r+held_out.share-0.1", config=config, seconds=3600.0, settings=share | {"lr": "1"})
    runs = [student, a_result(recipe="teacher", seconds=900.0)]
    (row,) = (row for table in ours(runs) for row in table.rows if row.recipe == student.recipe)
    assert row.device_hours is None
    runs.append(a_result(recipe="teacher+held_out.share-0.1", seconds=1800.0, settings=share))
    (row,) = (row for table in ours(runs) for row in table.rows if row.recipe == student.recipe)
    assert row.device_hours == 1 + 0.5


def test_rows_are_ordered_by_top1_and_gaps_come_last():
    results = a_run("low", top1=50.0) + a_run("high", top1=70.0) + [a_detection(recipe="none")]
    (table,) = ours(results)
    assert [row.recipe for row in table.rows] == ["high", "low", "none"]


def test_tiers_never_mix():
    made = ours(a_run(tier="mini") + a_run(tier="smoke") + a_run(tier="paper"))
    assert [table.tier for table in made] == ["paper", "mini", "smoke"]
    assert all(cell.n == 1 for table in made for row in table.rows for cell in row.cells.values())


@pytest.mark.parametrize("change", [dict(protocol_hash="b" * 64), dict(data_manifest="d" * 64), dict(samples_scored=7)])
def test_seeds_scored_under_two_protocols_are_in_two_tables(change):
    first, second = a_run(seed=0), a_run(seed=1)
    second[1] = a_detection(seed=1, metrics={"map_voc07": 80.5, "map_area": 81.5}, **change)
    made = ours(first + second)
    assert sorted(numbers(table)["resnet50d_best"] for table in made) == [40.5, 80.5]
    assert all(cell.n == 1 for table in made for cell in table.rows[0].cells.values())


def test_a_second_protocol_of_a_stage_gets_its_own_table():
    scores = {"map_voc07": 50.5, "map_area": 51.5}
    fpn = a_detection(protocol="faster_rcnn_fpn_voc", protocol_hash="f" * 64, metrics=scores)
    made = ours([*a_run(), fpn, *a_run("other", top1=10.0)])
    found = {table.protocols[1].name: numbers(table) for table in made}
    assert found["faster_rcnn_fpn_voc"] == {"resnet50d_best": 50.5}
    assert found["faster_rcnn_voc"] == {"resnet50d_best": 40.5, "other": 40.5}


def test_each_other_protocol_has_one_table_beside_classification_however_many_a_row_was_scored_under():
    """Three probes and two protocols of two stages would be twelve tables, if each met each."""
    names = ("knn", "linear_probe", "few_shot")
    metrics = ("knn_top1", "linear_top1", "shots1_top1")
    probes = [
        a_detection(stage="probing", protocol=name, metrics={metric: 20.0 + place})
        for place, (name, metric) in enumerate(zip(names, metrics, strict=True))
    ]
    frozen = [a_detection(protocol="faster_rcnn_voc_frozen"), a_segmentation(protocol="fcn_ade20k_frozen")]
    others = [*a_run("other", top1=10.0), *a_run("third", top1=20.0), a_result(recipe="unfinished")]
    first, *made = ours([*a_run(), *probes, *frozen, *others])
    assert [each.name for each in first.protocols] == ["imagenet", "faster_rcnn_voc", "fcn_ade20k"]
    assert {row.recipe for row in first.rows} == {"resnet50d_best", "other", "third", "unfinished"}
    assert {tuple(each.name for each in table.protocols) for table in made} == {
        ("imagenet", name) for name in (*names, "faster_rcnn_voc_frozen", "fcn_ade20k_frozen")
    }
    assert len(made) == 5 and all([row.recipe for row in table.rows] == ["resnet50d_best"] for table in made)


def test_the_usual_protocol_of_a_tier_is_that_of_most_rows():
    small = dict(protocol="faster_rcnn_voc_small")
    results = [each for name in "abc" for each in a_run(name)]
    results = [replace(each, **small) if each.stage == "detection" else each for each in results]
    first, other = ours([*results, a_detection(recipe="a")])
    assert [each.name for each in first.protocols] == ["imagenet", "faster_rcnn_voc_small", "fcn_ade20k"]
    assert [row.recipe for row in other.rows] == ["a"] and other.protocols[1].name == "faster_rcnn_voc"


def test_a_recipe_with_one_stage_shares_the_table_with_gaps():
    unfinished = a_result(recipe="unfinished", metrics={"top1": 1.5, "top5": 5.0})
    head, _, *rows = grids(markdown(analysed([*a_run(), unfinished])))[0]
    missing = {name for name, cell in zip(head, rows[-1], strict=True) if cell == "–"}
    assert missing == {"VOC mAP (11-point)", "VOC mAP (area)", "pixAcc", "mIoU"}


def test_weights_from_elsewhere_without_a_fitting_head_are_a_row_of_the_same_table_beside_their_control():
    network = dict(type="backbones.Timm", model="mobilenetv2_100", zero_gamma=False)
    configs = [dict(max_epochs=0, model=dict(backbone=network) | more) for more in (dict(given=dict(sha256="f")), {})]
    given, control = (dict(config=each, config_hash=fingerprint(each)) for each in configs)
    unscored = dict(metrics={}, samples_scored=0, outputs_sha256=UNSCORED, curves={}, params_m=3.5)
    results = a_run("ours") + a_run("random")[1:] + [a_result(recipe="random", **control)]
    results += [a_result(recipe="theirs", **unscored, **given), *a_run("theirs")[1:]]
    analysis = analysed(results)
    (table,) = [each for each in analysis.tables if each.tier != "published"]
    rows = {row.recipe: row for row in table.rows}
    assert rows["theirs"].cells.keys() == rows["ours"].cells.keys() - {"top1", "top5"}
    assert rows["theirs"].trained and not rows["random"].trained and rows["theirs"].params_m == 3.5
    assert controls(dict(theirs=given["config"], random=control["config"])) == {"theirs": "random"}
    assert not any("theirs" in line and "classification" in line for line in analysis.problems)


def test_a_title_names_tier_protocols_hashes_and_samples():
    named = title(ours(a_run())[0])
    for word in ("mini", "faster_rcnn_voc", "fcn_ade20k", "aaaaaaaa", "500 scored"):
        assert word in named


def test_markdown_has_equal_column_counts_and_says_it_is_generated():
    text = markdown(analysed(a_run() + a_run("b") + a_run("resnet50d_best", tier="paper")))
    assert "Generated by `tools/leaderboard.py`" in text.splitlines()[0]
    assert all(len({len(line) for line in grid}) == 1 for grid in grids(text))
    paper_tier, mini_tier = only_ours(text).split("## mini")
    assert "synthetic" in mini_tier and "synthetic" not in paper_tier


def test_csv_and_json_parse_and_hold_the_mean_to_ten_digits():
    made = analysed(a_run(seed=0, top1=60.0) + a_run(seed=1, top1=60.001))
    line, *rest = csv.DictReader(io.StringIO(comma_separated(made)))
    assert float(line["top1"]) == pytest.approx(60.0005)
    assert (line["top1_n"], line["recipe"], line["tier"]) == ("2", "resnet50d_best", "mini")
    assert {each["tier"] for each in rest} == {"published"}
    table = json.loads(as_json(made))["tables"][0]
    assert table["rows"][0]["cells"]["top1"]["mean"] == pytest.approx(60.0005)
    assert [each["name"] for each in table["protocols"]] == ["imagenet", "faster_rcnn_voc", "fcn_ade20k"]


def test_a_row_with_more_than_six_letters_shows_its_ranks_instead():
    cell = dict(recipe="resnet50d_best", metric="top1", n=2, low=58.0, high=62.0, rank_low=3, rank_high=250)
    made = changed(analysed(a_run()), **cell, group="a b c d e f")
    assert "60.00 [58.0, 62.0] (n=2) a b c d e f |" in markdown(made)
    made = changed(analysed(a_run()), **cell, group="a b c d e f g")
    assert "60.00 [58.0, 62.0] (n=2) rank 3–250 |" in markdown(made)
    assert "60.00 [58.0, 62.0] (n=2) rank 3--250 &" in latex(made)


def test_files_are_the_same_where_the_last_bits_of_a_sum_differ():
    first = second = analysed(a_run())
    for metric, cell in first.tables[0].rows[0].cells.items():
        second = changed(second, "resnet50d_best", metric, mean=cell.mean * (1 + 4e-15))
    assert first.tables != second.tables
    assert comma_separated(first) == comma_separated(second) and as_json(first) == as_json(second)


def test_receipts_in_json_keep_all_digits_since_their_hashes_are_of_all():
    result = a_result(config={"lr": 1 / 3})
    (receipt,) = json.loads(as_json(analysed([result])))["receipts"].values()
    assert receipt["config"] == {"lr": 1 / 3} and fingerprint(receipt["config"]) == result.config_hash


def test_a_row_with_uncommitted_changes_is_marked_and_the_mark_explained():
    runs = [*a_run(), *a_run("clean", top1=1.0)]
    assert "†" not in markdown(analysed(runs)) + latex(analysed(runs))
    made = analysed([replace(runs[0], dirty=True), *runs[1:]])
    text = markdown(made)
    assert "`resnet50d_best` † |" in text and "`clean` |" in text and "\n\n†: " in text
    assert r"resnet50d\_best \textdagger  &" in latex(made) and "% †: " in latex(made)


def test_problems_are_listed_below_the_tables_if_there_are_any():
    problem = "left out: results/mini/broken.json: not a result"
    text = markdown(analysed(a_run(), problems=[problem]))
    assert PROBLEMS not in markdown(analysed(a_run()))
    assert text.endswith(f"## {PROBLEMS}\n\n```text\n{problem}\n```\n")


def test_what_outputs_cannot_verify_is_marked_in_its_column():
    scores = {"top1": 60.0, "top5": 90.0, "follows_shape": 5.0, "follows_coat": 60.0}
    made = analysed([a_result(metrics=scores)])
    head = grids(markdown(made))[0][0]
    assert {name for name in head if "‡" in name} == {f"swapped coat: says {what} ‡" for what in ("shape", "coat")}
    assert "\n\n‡: " in markdown(made) and "‡" not in markdown(analysed(a_run()))


def test_the_papers_own_table_does_not_compare_the_paper_with_itself():
    text = markdown(analysed([]))
    (ledger,) = [grid for grid in grids(text) if grid[0][0] == "trick"]
    step = next(line for line in ledger if line[:2] == ["warm-up", "resnet50_baseline"])
    assert step[3:5] == ["+0.16", "+0.11"]  # Table 4: 75.87 to 76.03, 92.70 to 92.81
    assert "paper +" not in text and "not decidable" not in text


def test_latex_has_a_booktabs_table_each_with_every_row_and_nothing_that_latex_would_read_otherwise():
    text = latex(analysed(a_run()))
    first = text.split(r"\end{tabular}")[0]
    assert first.count(r"\toprule") == first.count(r"\midrule") == first.count(r"\bottomrule") == 1
    row = next(line for line in first.splitlines() if line.startswith(r"resnet50d\_best"))
    columns = re.search(r"begin\{tabular\}\{(.*)\}", first)[1]
    assert row.endswith(r"\\") and row.count("&") == len(columns) - 1 and "60.00" in row
    assert not re.search(r"(?<!\\)_", "".join(line for line in text.splitlines() if not line.startswith("%")))


def test_what_was_set_stands_below_the_table_where_the_rows_name_does_not_say_it():
    said = {"a.classes": "('cup', 'pen')"}
    runs = [a_result(recipe="r+0a1b2c3d", settings=said), a_result(recipe="r+lr-1", settings={"lr": "1"})]
    text = markdown(analysed(runs))
    assert "`r+0a1b2c3d`: a.classes = ('cup', 'pen')." in text and "`r+lr-1`:" not in text


def test_the_papers_values_are_beside_ours_in_its_tier_only():
    results = a_run(tier="paper") + a_run("ours_alone", tier="paper", top1=1.0)
    (head, _, row, other) = grids(markdown(analysed(results)))[0]
    assert row[head.index("top-1") + 1] == "79.29 (Table 6)" and head[head.index("top-1") + 1] == "paper"
    assert row[head.index("mIoU") + 1] == "38.40 (Table 9)" and other[head.index("mIoU") + 1] == "–"
    assert "paper" not in grids(markdown(analysed(a_run())))[0][0]


def test_the_readme_block_is_renewed_and_nothing_else():
    text = "# Us\n\n<!-- leaderboard -->\nold\n<!-- /leaderboard -->\nthe rest\n"
    made = analysed(result for place in range(10) for result in a_run(f"r{place}", top1=10.0 + place))
    new = readme(text, made)
    assert new.startswith("# Us\n\n<!-- leaderboard -->\n") and new.endswith("\n<!-- /leaderboard -->\nthe rest\n")
    rows = [f"`r{place}`" for place in (9, 8, 7, 6, 5, 4, 3, 0)]  # eight: the best, and the last
    assert "old" not in new and [line[0] for line in grids(new)[0][2:]] == rows
    assert readme(new, made) == new
    assert readme("no markers", made) == "no markers"
    with pytest.raises(ValueError, match="README.md needs one"):
        readme("<!-- leaderboard --> and no end", made)


def test_the_terminal_row_shows_rank_and_every_metric():
    made = analysed(a_run() + a_run("other", top1=10.0))
    console = Console(width=250, record=True, file=io.StringIO())
    console.print(*screens(made, ["other"], "mini"))
    text = console.export_text()
    assert "2 of 2" in text and "10.00 (n=1)" in text and "30.50 (n=1)" in text and "aaaaaaaa" in text
    assert list(screens(made, ["other"], "paper")) == []


# one's own runs beside the reference's


def test_ones_own_runs_have_rows_of_their_own_that_say_so():
    (table,) = ours(a_run(top1=60.0), own=a_run(top1=50.0) + a_run("mine", top1=70.0))
    assert numbers(table, "top1") == {"mine (yours)": 70.0, "resnet50d_best": 60.0, "resnet50d_best (yours)": 50.0}
    assert len({run.path for row in table.rows for run in row.runs}) == 9, "two runs share a receipt"


def test_pooled_runs_of_one_seed_are_two_runs():
    (table,) = ours(a_run(top1=60.0), own=a_run(top1=50.0), pool=True)
    (row,) = table.rows
    assert (row.recipe, row.cells["top1"].n, row.cells["top1"].mean) == ("resnet50d_best", 2, 55.0)
    assert row.cells["top1"].sd == pytest.approx(np.std([60, 50], ddof=1))


@pytest.mark.parametrize(
    "change",
    [
        dict(protocol_hash="b" * 64),
        dict(data_manifest="d" * 64),
        dict(low_precision="float32"),
        dict(norm_parts=2),
        dict(compiled=True),
    ],
)
def test_runs_of_another_protocol_data_precision_compilation_or_batch_of_batch_norm_are_not_pooled(change):
    tables = ours([a_result()], own=[a_result(**change)], pool=True)
    assert {row.recipe for table in tables for row in table.rows} == {"resnet50d_best", "resnet50d_best (yours)"}
    assert all(row.cells["top1"].n == 1 for table in tables for row in table.rows)


def test_a_pooled_run_with_the_references_outputs_is_a_copy_and_is_left_out():
    made = analysed([a_result()], own=[replace(a_result(), seconds=99.0)], pool=True)
    assert made.tables[0].rows[0].cells["top1"].n == 1
    assert len(made.problems) == 1 and "copy" in made.problems[0]
    assert analysed([a_result()], own=[a_result()]).problems == (), "apart it is a row of its own"


def test_ones_own_distilled_run_counts_the_hours_of_its_own_teacher_or_the_references():
    config = {"model": {"teacher": {"recipe": "teacher"}}}
    own = [a_result(config=config, seconds=3600.0)]
    reference = [a_result(recipe="teacher", seconds=7200.0)]
    hours = {row.recipe: row.device_hours for row in ours(reference, own)[0].rows}
    assert hours == {"teacher": 2, "resnet50d_best (yours)": 3}
    own.append(a_result(recipe="teacher", seconds=1800.0))
    hours = {row.recipe: row.device_hours for row in ours(reference, own)[0].rows}
    assert hours["resnet50d_best (yours)"] == 1.5


def test_the_terminal_shows_the_run_just_made_and_the_references(tmp_path):
    for root, top1 in (("reference", 0.6), ("own", 0.5)):
        stored(tmp_path / root, hits_of(300, top1))
    console = Console(width=250, record=True, file=io.StringIO())
    console.print(*rows_of(tmp_path / "own", tmp_path / "reference", ["resnet50d_best"], "mini"))
    text = console.export_text()
    assert "resnet50d_best (yours)" in text and "2 of 2" in text and "1 of 2" in text
    (alone,) = rows_of(tmp_path / "none", tmp_path / "reference", ["resnet50d_best"], "mini")
    assert alone.row_count


ODD = {  # JSON of any form passes where a receipt's is not declared
    "a text for epochs": dict(config={"max_epochs": "many"}),
    "a list for a model": dict(config={"model": ["x"]}),
    "a text for a teacher": dict(config={"model": {"teacher": "x"}}),
    "a teacher without recipe": dict(config={"model": {"teacher": {"x": 1}}}),
    "branches of another form": dict(branches={"x": 1}),
    "curves without pairs": dict(curves={"top1": [[1.0]]}),
}


@pytest.mark.parametrize("odd", ODD)
def test_a_receipt_of_an_odd_form_is_left_out_by_name_and_the_rest_is_tabulated(odd):
    bad = a_result(recipe="odd", **ODD[odd])
    made = analysed([*a_run(), bad])
    (line,) = made.problems
    assert line.startswith(f"left out: {bad.folder}: its receipt has no usual form: ")
    assert {row.recipe for row in made.tables[0].rows} == {"resnet50d_best"}
    assert as_json(made) and render(made, [{} for _ in made.tables])


# the tool


@pytest.fixture
def run_tool(monkeypatch, capfd):
    """tools/leaderboard.py in this process: its exit code, stdout and stderr."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["leaderboard", *map(str, words)])
        return tool(leaderboard.main), *capfd.readouterr()

    return run


def test_pooled_a_row_of_yours_and_the_references_are_one(tmp_path, run_tool):
    for seed in (0, 1):
        stored(tmp_path / "results", hits_of(300, 0.6, seed), seed=seed)
    stored(tmp_path / "own", hits_of(300, 0.5, 2), seed=2)
    (tmp_path / "out").mkdir()
    places = [word for name in ("results", "own", "out") for word in (f"--{name}", tmp_path / name)]
    for more, seeds in (
        ([], {"resnet50d_best": "2", "resnet50d_best (yours)": "1"}),
        (["--pool"], {"resnet50d_best": "3"}),
    ):
        assert run_tool(*places, *more)[0] == 0
        with (tmp_path / "out/leaderboard.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["tier"] == "mini"]
        assert {row["recipe"]: row["top1_n"] for row in rows} == seeds


@pytest.fixture
def folders(tmp_path):
    """Two reference results and one's own of another recipe, with their outputs."""
    for seed in (0, 1):
        stored(tmp_path / "results", hits_of(300, 0.6, seed), seed=seed)
    stored(tmp_path / "own", hits_of(300, 0.5), recipe="mine")
    places = {"results": tmp_path / "results", "own": tmp_path / "own", "out": tmp_path / "out", "data": tmp_path}
    return tmp_path, [word for name, path in places.items() for word in (f"--{name}", path)]


def test_the_tool_writes_all_files_and_names_what_it_left_out(folders, run_tool):
    root, options = folders
    (root / "out").mkdir()
    (root / "out/README.md").write_text("<!-- leaderboard --><!-- /leaderboard -->")
    assert run_tool(*options) == (0, "", "")
    suffixes = ("csv", "html", "json", "tex")
    names = {"LEADERBOARD.md", "README.md", *(f"leaderboard.{each}" for each in suffixes)}
    assert {path.name for path in (root / "out").iterdir()} == names
    written = (root / "out/LEADERBOARD.md").read_text()
    assert "`mine (yours)`" in written and "`resnet50d_best`" in written
    assert "mine" not in (root / "out/README.md").read_text(), "README shows the reference only"
    (root / "results/mini" / os.fsdecode(b"broken\xff.json")).write_text("{")  # a name that UTF-8 does not have
    (root / "own/mini/mine/seed0/classification/outputs.npz").write_bytes(b"PK")
    code, _, lines = run_tool(*options)
    assert code == 1 and "broken?.json" in lines and "mine/seed0/classification/outputs.npz" in lines
    assert "broken\\udcff.json" in (root / "out/leaderboard.html").read_text()
    written = (root / "out/LEADERBOARD.md").read_text()
    assert "resnet50d_best" in written
    code, _, line = run_tool(*options, "--tier", "mnii")
    assert code == 2 and "'mnii'" in line and "mini" in line
    assert (root / "out/LEADERBOARD.md").read_text() == written
    code, _, line = run_tool("--results", root / "nowhere")
    assert code == 2 and "nowhere" in line and line.count("\n") == 1


def test_publishing_moves_ones_own_results_into_the_reference(folders, run_tool):
    root, options = folders
    place = "mini/mine/seed0/classification"
    before = {name: (root / "own" / place / name).read_bytes() for name in ("metrics.json", "outputs.npz")}
    code, printed, _ = run_tool("publish", "mine", *options)
    assert code == 0 and str(root / "results" / place) in printed
    assert {name: (root / "results" / place / name).read_bytes() for name in before} == before
    assert not [path for path in (root / "own").rglob("*") if path.is_file()]
    code, _, line = run_tool("publish", "mine", *options)
    assert code == 2 and "'mine'" in line


def test_publishing_overwrites_a_reference_result_only_if_asked_to(folders, run_tool):
    root, options = folders
    own = stored(root / "own", hits_of(300, 0.7))
    place = root / "results" / own.folder / "metrics.json"
    before = place.read_bytes()
    code, _, line = run_tool("publish", *options)
    assert code == 2 and str(place) in line and "--replace" in line
    assert place.read_bytes() == before and (root / "own/mini/mine/seed0/classification/metrics.json").is_file()
    assert run_tool("publish", "--replace", *options)[0] == 0
    assert read(place) == own


def test_a_result_that_its_outputs_contradict_is_not_published(folders, run_tool):
    root, options = folders
    (root / "own/mini/mine/seed0/classification/outputs.npz").write_bytes(b"others")
    code, _, line = run_tool("publish", *options)
    assert code == 2 and "outputs.npz" in line
    assert not (root / "results/mini/mine").exists()


def test_the_terminal_says_why_a_run_is_beside_no_reference_row():
    own = [replace(each, low_precision="float32") for each in a_run("mine")]
    made = analysed(a_run(), own)
    *_, said = screens(made, ("mine (yours)",), "mini")
    assert said.startswith("not comparable with the reference rows (--precision takes another): ")
    assert "detection low_precision float32, theirs bf16" in said and "hash" not in said
    *_, said = screens(analysed((), [*a_run("first"), *a_run("first", seed=1), *own]), ("mine (yours)",), "mini")
    assert said.startswith("not comparable with your other rows (--precision takes another): ")
    compiled = [replace(each, compiled=True) for each in a_run("mine")]
    *_, said = screens(analysed(a_run(), compiled), ("mine (yours)",), "mini")
    assert "(--compile decides)" in said and "classification compiled True, theirs False" in said
    assert not any(
        isinstance(each, str) for each in screens(analysed(a_run(), a_run("mine")), ("mine (yours)",), "mini")
    )
