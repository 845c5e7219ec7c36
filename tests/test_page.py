import io
import json
import os
import re
import shutil
import zlib
from base64 import b64decode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from test_results import a_detection, a_result

from detection.stage import TEST_IMAGES as VOC
from segmentation.stage import DATA as ADE20K
from trick_transfer.engine.details import Details
from trick_transfer.engine.files import file_sha256, read_arrays
from trick_transfer.engine.manifest import update_manifest
from trick_transfer.engine.pictures import Seen, photo
from trick_transfer.leaderboard.paper.as_leaderboard import published
from trick_transfer.leaderboard.rendering.page import render
from trick_transfer.leaderboard.rendering.side_by_side import collect, listed, of_the_data, side_by_side
from trick_transfer.leaderboard.statistics.comparison import MOST_SEEDS, letters
from trick_transfer.leaderboard.table import (
    Analysis,
    Cell,
    Correlation,
    LedgerLine,
    Noise,
    Pair,
    Protocol,
    Row,
    RunKey,
    Table,
    Variance,
    column,
)
from trick_transfer.runs.identity import fingerprint
from trick_transfer.runs.store import Stored
from trick_transfer.stages import STAGES, usual

TOP1 = {"resnet50d_best": 61.5, "resnet50d_mixup": 58.25, "resnet50_baseline": 40.0, "resnet101_mixup": 70.125}
MAP = {"resnet50d_best": 30.0, "resnet50d_mixup": 32.5, "resnet50_baseline": 12.0}  # one row has none
NASTY = "</script><script>document.title = 'owned'</script><img src='http://127.0.0.1:9/pixel'>"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--window-size=1280,900"),
)
NAMES = [f"kind {number}" for number in range(30)]
MASK = (np.arange(48 * 64).reshape(48, 64) % 3).astype(np.uint8)


def a_cell(mean, **changes):
    cell = Cell(mean, 1.0, 2, mean - 2, mean + 2, "seed and image", "a", 1, 3, device_hours=mean / 10)
    return replace(cell, **changes)


def a_row(recipe, results):
    cells = {"top1": a_cell(TOP1[recipe])} | ({"map_voc07": a_cell(MAP[recipe])} if recipe in MAP else {})
    runs = tuple(RunKey(0, 0, each.stage, str(each.folder)) for each in results)
    return Row(recipe, 25.6, 4.3, TOP1[recipe] / 10, cells, runs=runs)


def an_analysis(recipes=tuple(TOP1)):
    results = {
        recipe: [a_result(recipe=recipe, command=NASTY), *([a_detection(recipe=recipe)] if recipe in MAP else [])]
        for recipe in recipes
    }
    numbers = dict(difference=11.875, low=7.5, high=16.25, paired=True)
    table = Table(
        "mini",
        (Protocol("classification", "imagenet", "a" * 64, "d" * 64, 500),),
        (column("top1"), column("map_voc07")),
        tuple(a_row(*each) for each in sorted(results.items(), key=lambda each: -TOP1[each[0]])),
        pairs={
            "top1": (Pair("resnet101_mixup", "resnet50d_mixup", p_holm=0.0125, seeds_needed=3, **numbers),),
            "map_voc07": (Pair("resnet50d_best", "resnet50d_mixup", p_holm=0.903, seeds_needed=None, **numbers),),
        },
        ledger=(
            LedgerLine(*("mixup", "resnet50_baseline", "resnet50d_mixup", "top1"), 18.25, 9.5, 27.0, 2, -0.84, None),
        ),
        variance={"top1": Variance(Noise(1.5, 4), homogeneity=0.0281)},
    )
    runs = {str(each.folder): Stored(each, each.folder) for some in results.values() for each in some}
    return Analysis((table, *published()), runs)


def with_rows(analysis, rows):
    first, *others = analysis.tables
    return replace(analysis, tables=(replace(first, rows=tuple(rows)), *others))


def with_cell(analysis, place, metric, **changes):
    """Another cell in the row at this place of the first table."""
    rows = list(analysis.tables[0].rows)
    cells = rows[place].cells
    rows[place] = replace(rows[place], cells=cells | {metric: replace(cells[metric], **changes)})
    return with_rows(analysis, rows)


def with_result(analysis, path, **changes):
    """Another receipt of a run."""
    if "config" in changes:
        changes["config_hash"] = fingerprint(changes["config"])
    stored = analysis.runs[path]
    return replace(analysis, runs=analysis.runs | {path: replace(stored, result=replace(stored.result, **changes))})


def nothing(analysis):
    return [{} for _ in analysis.tables]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A browser and its driver, both of Debian; nothing is looked for on the network."""
    found = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if not all(found.values()):
        assert not os.environ.get("CI"), "CI has to have chromium and chromedriver: make setup-browser"
        pytest.skip("no chromium or no chromedriver on this machine (make setup-browser)")
    options = webdriver.ChromeOptions()
    options.binary_location = found["chromium"]
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(found["chromedriver"]))
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def page_file(tmp_path_factory):
    analysis = an_analysis()
    path = tmp_path_factory.mktemp("page") / "leaderboard.html"
    path.write_text(render(analysis, nothing(analysis)), "utf-8")
    return path


def open_page(browser, folder, analysis, drawn=None):
    """A page of its own in the browser."""
    path = folder / "page.html"
    path.write_text(render(analysis, drawn or nothing(analysis)), "utf-8")
    browser.get(path.as_uri())


@pytest.fixture
def browser(chromium, page_file):
    """The page, freshly opened; afterwards, that it wrote no error to the console and asked for nothing."""
    for kind in ("browser", "performance"):
        chromium.get_log(kind)  # empties it
    chromium.get(page_file.as_uri())
    yield chromium
    assert [line["message"] for line in chromium.get_log("browser")] == []
    messages = [json.loads(line["message"])["message"] for line in chromium.get_log("performance")]
    requests = [each["params"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    # A new browser may still ask for what is its own; the page's requests name the page.
    asked = {each["request"]["url"] for each in requests if each["documentURL"] == page_file.as_uri()}
    assert {url for url in asked if not url.startswith("data:")} == {page_file.as_uri()}


def shown(browser):
    """The recipes of the rows that are shown, from top to bottom."""
    rows = browser.find_elements(By.CSS_SELECTOR, ".board:not([hidden]) .rows tbody tr:not([hidden])")
    return [row.get_attribute("data-recipe") for row in rows]


def find(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, f".board:not([hidden]) {selector}")


def head(browser, label):
    headers = browser.find_elements(By.CSS_SELECTOR, ".board:not([hidden]) .rows th[data-first]")
    return next(each for each in headers if each.text.startswith(label))


def choose(browser, recipe):
    find(browser, f"[data-recipe={recipe}] .pick input").click()


def wait(browser, condition):
    return WebDriverWait(browser, 20).until(lambda _: condition())


def test_a_click_on_a_header_sorts_and_another_turns_the_order_with_missing_numbers_last(browser):
    assert shown(browser) == sorted(TOP1, key=TOP1.get, reverse=True)
    header = head(browser, "top-1")
    header.find_element(By.TAG_NAME, "button").click()
    assert shown(browser) == sorted(TOP1, key=TOP1.get) and header.get_attribute("aria-sort") == "ascending"
    head(browser, "recipe").find_element(By.TAG_NAME, "button").click()
    assert shown(browser) == sorted(TOP1) and header.get_attribute("aria-sort") is None
    for reverse in (True, False):
        head(browser, "VOC mAP").find_element(By.TAG_NAME, "button").click()
        assert shown(browser) == [*sorted(MAP, key=MAP.get, reverse=reverse), "resnet101_mixup"]


@pytest.mark.slow
def test_filters_keep_rows_with_every_stage_or_all_words_in_table_and_charts(browser):
    find(browser, ".whole").click()
    assert set(shown(browser)) == set(MAP)
    find(browser, ".filter").send_keys("MIXUP 50d")
    assert shown(browser) == ["resnet50d_mixup"]
    assert find(browser, "output").text == "1 of 4 rows"
    drawn = find(browser, ".intervals svg").text
    assert "resnet50d_mixup" in drawn and "resnet50_baseline" not in drawn


def test_the_keyboard_opens_a_receipt_and_escape_closes_it(browser):
    button = find(browser, "[data-recipe=resnet50d_best] .open")
    button.send_keys(Keys.ENTER)
    dialog = browser.find_element(By.ID, "receipt")
    wait(browser, lambda: dialog.find_elements(By.TAG_NAME, "dd"))
    outputs = a_result(recipe="resnet50d_best", command=NASTY).outputs_sha256
    for part in ("resnet50d_best", "61.5", "c0ffee", "torch 2.14.1", outputs, "c" * 64, "code: Apache-2.0", NASTY):
        assert part in dialog.text
    assert dialog.find_elements(By.CSS_SELECTOR, "svg"), "its training curve is not drawn"
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not dialog.is_displayed()
    assert browser.switch_to.active_element == button


@pytest.mark.slow
def test_uncommitted_runs_problems_and_what_cannot_be_verified_are_marked(chromium, tmp_path):
    analysis = an_analysis()
    first, *others = analysis.tables
    open_page(chromium, tmp_path, analysis)
    assert not re.search("[†‡]", find(chromium, ".rows").text) and not chromium.find_elements(
        By.CSS_SELECTOR, ".problems"
    )
    analysis = with_result(analysis, "mini/resnet50d_best/seed0/detection", dirty=True)
    first = replace(first, metrics=(*first.metrics, column("follows_coat")))
    analysis = replace(analysis, problems=(f"left out: {NASTY}",), tables=(first, *others))
    open_page(chromium, tmp_path, analysis)
    marked = {row: "†" in find(chromium, f"[data-recipe={row}] th").text for row in TOP1}
    assert marked == {row: row == "resnet50d_best" for row in TOP1}
    assert head(chromium, "swapped coat: says coat ‡")
    caption = find(chromium, "[aria-label=Table] .caption").text
    assert (
        "†: a run of this row was made with changes that were not committed." in caption
        and "‡: a diagnostic" in caption
    )
    chromium.find_element(By.CSS_SELECTOR, ".problems summary").click()
    assert chromium.find_element(By.CSS_SELECTOR, ".problems li").text == f"left out: {NASTY}"


@pytest.mark.slow
def test_each_run_of_a_row_has_its_receipt(browser):
    find(browser, "[data-recipe=resnet50d_best] .open").click()
    dialog = browser.find_element(By.ID, "receipt")
    runs = wait(browser, lambda: dialog.find_elements(By.CSS_SELECTOR, "input[name=run]"))
    assert len(runs) == 2 and "backbone's tensors" not in dialog.text
    runs[1].click()
    assert "100 %" in dialog.text and "map_voc07\n40.5" in dialog.text


CONFUSED = Details(
    *(
        "top-1",
        {"cat": 75.0, NASTY: 50.0},
        (("cat", "cat", 3), (NASTY, NASTY, 2), (NASTY, "cat", 2), ("cat", NASTY, 1)),
    ),
    *(("confidence", "accuracy"), {"calibration": ((0.25, 0.5), (0.75, 1.0))}),
)
MISTAKEN = Details("top-1", dict.fromkeys(NAMES, 0.0), (("cat", "dog", 7), *((name, name, 1) for name in NAMES)))


@pytest.mark.slow
def test_a_receipt_has_the_confused_classes_the_curve_and_the_scores_of_each_class(browser, tmp_path):
    analysis = an_analysis()
    rows = [replace(row, classes={"AP (11-point)": {"bear": 12.5}}) for row in analysis.tables[0].rows]
    analysis = with_rows(analysis, rows)
    paths = [run.path for row in rows if row.recipe == "resnet50d_best" for run in row.runs]
    open_page(browser, tmp_path, replace(analysis, details=dict(zip(paths, (CONFUSED, MISTAKEN), strict=True))))
    find(browser, "[data-recipe=resnet50d_best] .open").click()
    dialog = browser.find_element(By.ID, "receipt")
    lines = wait(browser, lambda: dialog.find_elements(By.CSS_SELECTOR, ".confusion tr"))
    assert [[cell.text for cell in line.find_elements(By.XPATH, "./*")] for line in lines[1:]] == [
        ["cat", "3", "1"],
        [NASTY, "2", "2"],
    ]
    assert dialog.find_elements(By.CSS_SELECTOR, "svg[aria-label='accuracy over confidence, calibration, in 2 points']")
    dialog.find_elements(By.CSS_SELECTOR, "input[name=run]")[1].click()
    assert "cat, taken for dog" in dialog.text and "7 images" in dialog.text
    assert not dialog.find_elements(By.CSS_SELECTOR, ".confusion")
    summary = dialog.find_element(By.CSS_SELECTOR, ".body > details summary")
    summary.click()
    assert summary.text.startswith("AP (11-point) of each class") and "bear\n12.50" in dialog.text


def distilled(teacher):
    return {"model": {"teacher": {"recipe": teacher}}}


@pytest.fixture(scope="module")
def receipts(tmp_path_factory):
    """A page whose rows have distilled runs with a teacher's result, without one, and of one's own."""
    analysis = an_analysis()
    teacher, best, mixup, baseline = analysis.tables[0].rows
    scores = {"top1": 56.99999999999999, "top5": 90.0}  # 570 of 1,000, as it is computed
    changes = (
        (best, dict(config=distilled(teacher.recipe), seconds=1800.0, devices=2, metrics=scores)),  # 1 device-hour
        (mixup, dict(config=distilled("resnet152d_mixup"), curves={"map_voc07": [[1, 9.0]]})),
        (baseline, dict(curves={"top1": [[1, 9.0], [2, 8.0], [3, 7.0]]})),
    )
    for row, change in changes:
        analysis = with_result(analysis, row.runs[0].path, **change)
    key = RunKey(0, 0, "classification", "yours/mini/resnet50d_best/seed0/classification")
    result = a_result(seconds=3600.0, config=distilled("t"))
    analysis = replace(analysis, runs=analysis.runs | {key.path: Stored(result, result.folder, own=True)})
    own = [replace(best, recipe="resnet50d_best (yours)", runs=(key,))]
    own += [replace(best, recipe=name, device_hours=hours) for name, hours in (("t", 1.0), ("t (yours)", 2.0))]
    best = replace(best, device_hours=1.0 + teacher.device_hours)
    path = tmp_path_factory.mktemp("receipts") / "page.html"
    analysis = with_rows(analysis, [teacher, best, mixup, baseline, *own])
    path.write_text(render(analysis, nothing(analysis)), "utf-8")
    return path.as_uri(), teacher.device_hours


@pytest.mark.slow
def test_a_distilled_rows_receipt_adds_its_teachers_hours_up_to_the_tables_or_says_that_they_are_unknown(
    chromium, receipts
):
    page, hours = receipts
    chromium.get(page)

    def opened(recipe):
        find(chromium, f"[data-recipe='{recipe}'] .open").click()
        text = wait(chromium, lambda: chromium.find_element(By.CSS_SELECTOR, "#receipt dl").text)
        curves = chromium.find_element(By.CSS_SELECTOR, "#receipt .multiples")
        ticks = curves.find_elements(By.CSS_SELECTOR, "[aria-label='x-axis tick label'] text")
        found = text, curves.text, [tick.text for tick in ticks]
        chromium.switch_to.active_element.send_keys(Keys.ESCAPE)
        return found

    text, *_ = opened("resnet50d_best")
    assert f"resnet101_mixup, {hours:.3f} device-hours" in text
    assert f"with its teacher\n{1 + hours:.3f} device-hours" in text and "top1\n57\n" in text
    text, curves, ticks = opened("resnet50d_mixup")
    assert "resnet152d_mixup, its result is missing" in text and "with its teacher" not in text
    assert curves and not ticks, "a run without curves says so"
    assert opened("resnet50_baseline")[2] == ["1", "2", "3"], "whole epochs only"
    assert "with its teacher\n3.000 device-hours" in opened("resnet50d_best (yours)")[0], "of one's own teacher"


@pytest.mark.slow
def test_the_arrow_keys_choose_the_papers_table_with_its_correlations_and_the_table_of_each_number(browser):
    browser.find_element(By.CSS_SELECTOR, "input[name=table]").send_keys(Keys.ARROW_RIGHT)
    assert "resnet50d_distill" in shown(browser) and "resnet101_mixup" not in shown(browser)
    captions = browser.find_elements(By.CSS_SELECTOR, ".board:not([hidden]) .transfer figcaption")
    found = [re.search(r"Spearman ρ (\S+)", caption.text)[1] for caption in captions]
    assert found == ["1.00", "0.07", "−0.04"]  # over Tables 8 and 9: VOC mAP, pixAcc, mIoU
    cell = find(browser, "[data-recipe=resnet50d_best] td[data-value]")
    assert cell.text.split("\n") == ["79.29", "Table 6"]
    for recipe in shown(browser)[:4]:
        choose(browser, recipe)
    boxes = browser.find_elements(By.CSS_SELECTOR, ".board:not([hidden]) .pick input")
    assert sum(box.is_enabled() for box in boxes) == 4, "more than four rows can be chosen"
    find(browser, "[data-recipe=resnet50d_best] .open").click()
    assert "No receipt" in browser.find_element(By.ID, "receipt").text


@pytest.mark.slow
def test_names_are_text_and_never_markup(chromium, tmp_path):
    first, *others = an_analysis().tables[0].rows
    image = dict(name=NASTY, width=8, height=6, source="data:,", truth="data:,")
    drawn = {"classes": [NASTY], "colours": ["#fff"], "images": [image], "rows": {NASTY: ["data:,"]}}
    analysis = with_rows(an_analysis(), [replace(first, recipe=NASTY), *others])
    open_page(chromium, tmp_path, analysis, [{"segmentation": drawn}, {}, {}])
    assert shown(chromium)[0] == NASTY and NASTY in find(chromium, ".legend").text
    assert chromium.title == "trick-transfer leaderboard"
    sources = [each.get_attribute("src") for each in chromium.find_elements(By.CSS_SELECTOR, "img")]
    assert sources == ["data:,"] * 4


@pytest.mark.slow
def test_intervals_are_drawn_from_low_to_high_and_the_ledger_shows_effect_interval_and_the_papers(browser):
    bars = browser.find_elements(By.CSS_SELECTOR, ".board:not([hidden]) .intervals svg [aria-label=rule] line")
    ends = np.array([[float(bar.get_attribute(name)) for name in ("x1", "x2")] for bar in bars])
    expected = np.array([[TOP1[name] - 2, TOP1[name] + 2] for name in sorted(TOP1, key=TOP1.get, reverse=True)])
    assert np.corrcoef(ends.ravel(), expected.ravel())[0, 1] == pytest.approx(1, abs=1e-6)
    cell = find(browser, ".ledger td.helps")
    assert cell.text.split("\n") == ["+18.25", "+9.50 to +27.00", "paper −0.84"]
    assert find(browser, ".noise tr:last-child td").text == "0.028", "p of Cochran's test"
    caption = find(browser, ".ledger .caption").text
    assert "not corrected for their number" in caption


@pytest.mark.slow
def test_an_interval_of_one_run_is_dashed_and_its_dot_hollow_in_table_and_charts(chromium, tmp_path):
    alone, repeated = (f".board:not([hidden]) .rows [data-recipe={name}] .ranged" for name in list(TOP1)[:2])
    analysis = an_analysis(tuple(MAP))
    for metric in ("top1", "map_voc07"):
        analysis = with_cell(analysis, 0, metric, n=1, sd=None, level="borrowed seed and image")
    first, *others = analysis.tables
    first = replace(first, correlations=(Correlation("map_voc07", 3),))
    analysis = replace(analysis, tables=(first, *others))
    open_page(chromium, tmp_path, analysis)
    drawn = [
        chromium.find_element(By.CSS_SELECTOR, each).value_of_css_property("background") for each in (alone, repeated)
    ]
    assert ["repeating" in each for each in drawn] == [True, False]
    for chart, bars in ((".intervals", 1), (".transfer", 2), (".compute", 1)):
        lines = chromium.find_elements(
            By.CSS_SELECTOR, f".board:not([hidden]) {chart} figure:first-of-type [stroke-dasharray] line"
        )
        hollow = f'.board:not([hidden]) {chart} figure:first-of-type [aria-label=dot][fill="var(--card)"] circle'
        assert (len(lines), len(chromium.find_elements(By.CSS_SELECTOR, hollow))) == (bars, 1), chart


def scatter_names(browser):
    """The names beside the dots of the first plot at equal compute, and their boxes."""
    names = browser.find_elements(By.CSS_SELECTOR, ".board:not([hidden]) .compute figure:first-of-type .dot-names text")
    return [each.text for each in names], [each.rect for each in names]


@pytest.mark.slow
def test_dots_are_named_where_there_is_room_and_always_when_chosen(chromium, tmp_path):
    low, *rest, high = an_analysis().tables[0].rows
    low = replace(low, cells=low.cells | {"top1": high.cells["top1"]})  # one dot on the other
    rows = [low, *rest, high, *(replace(high, recipe=f"{'twin' * 4}{place}") for place in range(6))]
    analysis = with_rows(an_analysis(), rows)
    open_page(chromium, tmp_path, analysis)
    names, boxes = scatter_names(chromium)
    assert 2 < len(names) < 10
    for at, one in enumerate(boxes):
        for two in boxes[at + 1 :]:
            apart = one["x"] + one["width"] <= two["x"] or two["x"] + two["width"] <= one["x"]
            assert apart or abs(one["y"] - two["y"]) >= 11
    unnamed = next(row.recipe for row in rows if row.recipe not in names)
    choose(chromium, unnamed)
    assert unnamed in scatter_names(chromium)[0]


@pytest.mark.slow
def test_the_view_at_equal_compute_has_each_metrics_own_hours(chromium, tmp_path):
    analysis = an_analysis(tuple(MAP))
    for place, hours in enumerate((100.0, 1.0, 10.0)):
        analysis = with_cell(analysis, place, "map_voc07", device_hours=hours)
    open_page(chromium, tmp_path, analysis)
    dots = chromium.find_elements(By.CSS_SELECTOR, ".board:not([hidden]) .compute [data-metric=map_voc07] circle")
    first, second, third = (float(dot.get_attribute("cx")) for dot in dots)
    assert first - third == pytest.approx(third - second, abs=1e-3) and first > second  # the axis is logarithmic


@pytest.mark.slow
def test_of_many_rows_only_the_chosen_dots_are_named(chromium, tmp_path):
    rows = an_analysis().tables[0].rows
    rows += tuple(replace(rows[-1], recipe=f"r{place}") for place in range(9))
    open_page(chromium, tmp_path, with_rows(an_analysis(), rows))
    choose(chromium, "r3")
    assert scatter_names(chromium)[0] == ["r3"]


@pytest.mark.slow
def test_the_sticky_column_keeps_the_rules_between_rows(chromium, page_file):
    size = {"width": 600, "height": 500, "deviceScaleFactor": 1.25, "mobile": False}  # rows of broken heights
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        chromium.get(page_file.as_uri())
        shot = Image.open(io.BytesIO(find(chromium, ".rows tbody").screenshot_as_png)).convert("L")
        sticky = find(chromium, ".rows tbody th").rect["x"] - find(chromium, ".rows tbody").rect["x"]
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    beside, under = (np.asarray(shot)[:, round(1.25 * (x + 4))] for x in (0, sticky))
    assert np.unique(beside).size > 1, "no rule at all"
    np.testing.assert_allclose(beside.astype(int), under.astype(int), atol=12)  # a rule is 25 darker


@pytest.mark.slow
def test_two_chosen_rows_show_their_difference_with_its_sign_and_the_seeds_that_would_separate_them(browser):
    choose(browser, "resnet50d_mixup")
    choose(browser, "resnet101_mixup")
    head(browser, "top-1").find_element(By.TAG_NAME, "button").click()  # turns their order
    choose(browser, "resnet50_baseline")
    choose(browser, "resnet50_baseline")
    cell = wait(browser, lambda: find(browser, ".differences td"))
    assert "minus resnet101_mixup" in find(browser, ".differences").text
    numbers = ["−11.88", "−16.25 to −7.50", "p (Holm, 6 pairs) 0.013", "3 seeds a row would separate them"]
    assert cell.text.split("\n") == numbers
    choose(browser, "resnet101_mixup")
    choose(browser, "resnet50d_best")
    wait(browser, lambda: "0.903" in find(browser, ".differences").text)
    _, _, p, seeds = find(browser, ".differences td:nth-child(3)").text.split("\n")
    assert p == "p (Holm, 3 pairs) 0.903" and seeds.startswith(f"no number of seeds up to {MOST_SEEDS} ")


@pytest.mark.slow
def test_dark_and_light_follow_the_system_until_one_is_chosen(browser):
    def background(scheme):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in re.findall(r"\d+", colour)[:3]) / 3

    assert background("light") > 200 and background("dark") < 60
    browser.find_element(By.ID, "theme").click()
    assert background("dark") > 200


@pytest.mark.slow
def test_a_phone_scrolls_sideways_only_inside_tables(browser):
    size = {"width": 360, "height": 780, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        browser.refresh()
        assert browser.execute_script("return document.documentElement.scrollWidth") == 360
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_page_forbids_itself_to_load_anything(chromium, page_file):
    chromium.get(page_file.as_uri())
    blocked = chromium.execute_async_script("""
        const done = arguments[0], blocked = [];
        document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
            blocked.push(effectiveDirective);
            if (blocked.length === 3) done(blocked.sort());
        });
        new Image().src = "http://127.0.0.1:9/pixel";
        fetch("http://127.0.0.1:9/data").catch(() => {});
        const script = document.createElement("script");
        script.textContent = "document.title = 'owned'";
        document.head.append(script);
    """)
    assert blocked == ["connect-src", "img-src", "script-src-elem"]
    assert chromium.title != "owned"


class Cells(HTMLParser):
    """Counts tags by name."""

    def __init__(self, text):
        super().__init__()
        self.found = {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found[tag] = self.found.get(tag, 0) + ("data-recipe" in dict(attributes))


def test_every_row_is_there_without_javascript(page_file):
    rows = sum(len(table.rows) for table in an_analysis().tables)
    assert Cells(page_file.read_text("utf-8")).found["tr"] == rows


def test_500_rows_weigh_less_than_10_megabytes():
    analysis = an_analysis()
    (table, *others), random = analysis.tables, np.random.default_rng(0)
    group = " ".join(letters(place) for place in range(380))  # of 500 rows with mixed n one can have as many
    shown = [metric.name for stage in usual() for metric in STAGES[stage].metrics]
    cells = {name: a_cell(40.0, group=group) for name in shown}

    def size(many):
        runs, details = {}, {}
        for number in range(many):
            curves = {name: [[each, random.random()] for each in range(120)] for name in ("loss", "lr", "top1", "top5")}
            for stage in ("classification", "detection", "segmentation"):
                config = {f"key{key}": f"value {key} of {stage}" for key in range(300)}  # 10 kB, as the real ones
                result = a_result(recipe=f"recipe{number}", curves=curves, config=config)
                runs[f"{number}/{stage}"] = Stored(result, result.folder)
                confusion = tuple((a, b, int(random.integers(99))) for a in NAMES for b in NAMES)
                curve = {"calibration": tuple(random.random((101, 2)).tolist())}
                details[f"{number}/{stage}"] = Details("top-1", dict.fromkeys(NAMES, 1.0), confusion, curves=curve)
        rows = tuple(replace(a_row("resnet50d_best", []), recipe=f"recipe{n}", cells=cells) for n in range(many))
        by_class = {
            "IoU": dict(zip([f"kind {at}" for at in range(150)], (100 * random.random(150)).tolist(), strict=True))
        }
        rows = tuple(replace(row, classes=by_class) for row in rows)
        made = Analysis((replace(table, metrics=tuple(map(column, shown)), rows=rows), *others), runs, (), details)
        return len(render(made, nothing(made)).encode())

    few, more = size(20), size(70)
    assert few + (more - few) * (500 - 20) / 50 < 10e6


@pytest.mark.slow
def test_a_row_with_hundreds_of_letters_shows_its_ranks_and_stays_narrow(chromium, tmp_path):
    many = " ".join(letters(place) for place in range(380))
    open_page(chromium, tmp_path, with_cell(an_analysis(), 0, "top1", group=many, rank_high=2))
    first, second = chromium.find_elements(By.CSS_SELECTOR, ".board:not([hidden]) .rows tbody td:nth-child(3)")[:2]
    assert "rank 1–2 of 4" in first.text and not first.find_elements(By.TAG_NAME, "sup")
    assert second.find_element(By.TAG_NAME, "sup").text == "a" and second.rect["width"] < 150
    assert "rank 1–2\na\na\na" in find(chromium, ".intervals svg").text


# pictures of predictions


@pytest.fixture
def stored(tmp_path):
    """Outputs of one detector and one segmenter for two images of 64x48 px, and the images: an analysis, the data."""
    root, data = tmp_path / "results", tmp_path / "data"
    analysis = an_analysis(("resnet50d_best",))
    (row,) = analysis.tables[0].rows
    config = {"val_dataloader": {"dataset": {"metainfo": {"classes": ["cat", "dog"]}}}}
    detected = a_detection(config=config)
    segmented = a_detection(stage="segmentation", protocol="fcn_ade20k", metrics={"pix_acc": 1.0, "miou": 1.0})
    places = [root / each.folder for each in (detected, segmented)]
    folders = [*places, data / "mini/voc0712" / VOC]
    folders += [data / "mini/ade20k" / ADE20K / part / "validation" for part in ("images", "annotations")]
    for folder in folders:
        folder.mkdir(parents=True)
    boxes = np.array([[1, 2, 30, 40], [0, 0, 9, 9]], np.float32)
    arrays = {"ids": ["007", "008"], "boxes": boxes, "scores": np.float32([0.9, 0.5]), "labels": [1, 0]}
    arrays |= {"gt_boxes": boxes[:1], "gt_labels": [1], "counts": [1, 1], "gt_counts": [1, 0]}
    np.savez(folders[0] / "outputs.npz", **{f"shown_{name}": values for name, values in arrays.items()})
    shown = {"shown_names": ["a", "b"], "shown_0": MASK, "shown_1": MASK * 0}
    np.savez(folders[1] / "outputs.npz", classes=["sky", "tree", "cat"], **shown)
    for folder, names in ((folders[2], ("007", "008")), (folders[3], ("a", "b"))):
        for name in names:
            Image.new("RGB", (64, 48), "green").save(folder / f"{name}.jpg")
    for name in ("a", "b"):
        Image.fromarray(MASK).save(folders[4] / f"{name}.png")
    runs = dict(analysis.runs)
    for result, part, folder in ((detected, "voc0712", places[0]), (segmented, "ade20k", places[1])):
        digest = sha256((folder / "outputs.npz").read_bytes()).hexdigest()
        result = replace(result, outputs_sha256=digest, data_manifest=update_manifest(data / "mini" / part))
        runs[str(result.folder)] = Stored(result, folder)
    keys = (*row.runs, RunKey(0, 0, "segmentation", str(segmented.folder)))
    return replace(with_rows(analysis, [replace(row, runs=keys)]), runs=runs), data


def changed(stored, stage, **arrays):
    """Other arrays in a stage's outputs, which the result states as its own."""
    analysis, data = stored
    name = f"mini/resnet50d_best/seed0/{stage}"
    path = analysis.runs[name].outputs
    np.savez(path, **read_arrays(path) | arrays)
    return with_result(analysis, name, outputs_sha256=file_sha256(path)), data


def drawn(*stored):
    """The pictures of the first table, where nothing is wrong."""
    made, faults = collect(*stored)
    assert faults == []
    return made[0]


def opened(uri):
    return Image.open(io.BytesIO(b64decode(uri.split(",")[1])))


def test_stored_boxes_come_with_their_image_and_the_truth(stored):
    found = drawn(*stored)["detection"]
    assert found["classes"] == ["cat", "dog"]
    assert found["rows"]["resnet50d_best"] == [[[1, 2, 30, 40, 1, 0.9]], [[0, 0, 9, 9, 0, 0.5]]]
    assert [image["truth"] for image in found["images"]] == [[[1, 2, 30, 40, 1]], []]
    assert opened(found["images"][0]["source"]).size == (64, 48)


def test_masks_are_stored_pixel_by_pixel_and_unlabelled_truth_is_transparent(stored):
    found = drawn(*stored)["segmentation"]
    np.testing.assert_array_equal(np.asarray(opened(found["rows"]["resnet50d_best"][0])), MASK)
    truth = np.asarray(opened(found["images"][0]["truth"]).convert("RGBA"))
    np.testing.assert_array_equal(truth[..., 3] == 0, MASK == 0)  # ADE20K's 0 is no class
    assert found["colours"][1] == "#" + bytes(truth[MASK == 2][0, :3]).hex()


def test_a_tier_of_ones_own_has_pictures_of_its_own_data(stored):
    analysis, data = stored
    (data / "evening").mkdir()
    (data / "mini/voc0712").rename(data / "evening/detection")
    made = drawn(replace(analysis, tables=(replace(analysis.tables[0], tier="evening"),)), data)
    assert [image["name"] for image in made["detection"]["images"]] == ["007", "008"]


@pytest.mark.parametrize("suffix", [".png", ".JPEG"])
def test_an_image_is_found_whatever_its_suffix(stored, suffix):
    analysis, data = stored
    for name, part in (
        ("detection", f"voc0712/{VOC}/007.jpg"),
        ("segmentation", f"ade20k/{ADE20K}/images/validation/a.jpg"),
    ):
        image = data / "mini" / part
        Image.open(image).save(image.with_suffix(suffix))
        image.unlink()
        digest = update_manifest(data / "mini" / part.split("/")[0])
        analysis = with_result(analysis, f"mini/resnet50d_best/seed0/{name}", data_manifest=digest)
    made = drawn(analysis, data)
    assert [[image["name"] for image in made[name]["images"]] for name in ("detection", "segmentation")] == [
        ["007", "008"],
        ["a", "b"],
    ]


@pytest.mark.parametrize(("stated", "expected"), [((48, 64), (48, 64)), ((64, 48), (64, 48))])
def test_an_image_is_turned_by_exif_only_where_its_boxes_are(stored, stated, expected):
    analysis, data = stored
    image = data / "mini/voc0712" / VOC / "007.jpg"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (64, 48)).save(image, exif=exif)
    xml = image.parents[1] / "Annotations/007.xml"
    xml.parent.mkdir()
    xml.write_text("<annotation><size><width>{}</width><height>{}</height></size></annotation>".format(*stated))
    update_manifest(data / "mini/voc0712")
    first, second = drawn(analysis, data)["detection"]["images"]
    assert (first["width"], first["height"]) == opened(first["source"]).size == expected
    assert (second["width"], second["height"]) == (64, 48)


def test_without_the_data_or_the_outputs_there_are_no_pictures_and_the_page_says_so(stored, tmp_path):
    analysis, data = stored
    moved = {path: replace(each, folder=tmp_path / "elsewhere") for path, each in analysis.runs.items()}
    for made in (collect(analysis, tmp_path / "elsewhere"), collect(replace(analysis, runs=moved), data)):
        assert made == (nothing(analysis), [])
        assert "No pictures" in render(analysis, made[0])


def test_outputs_of_another_run_are_not_shown_as_this_rows(stored):
    detections = stored[0].runs["mini/resnet50d_best/seed0/detection"].outputs
    detections.write_bytes(detections.read_bytes() + b" ")
    assert set(drawn(*stored)) == {"segmentation"}


def test_a_row_whose_outputs_hold_no_pictures_is_left_out_and_the_others_stay(stored, tmp_path):
    analysis, data = stored
    (row,) = analysis.tables[0].rows
    np.savez(tmp_path / "outputs.npz", image_ids=["007"])
    digest = sha256((tmp_path / "outputs.npz").read_bytes()).hexdigest()
    old = Stored(a_detection(recipe="old", outputs_sha256=digest), tmp_path)
    rows = [replace(row, recipe="old", runs=(RunKey(0, 0, "detection", "old"),)), row]
    made = drawn(replace(with_rows(analysis, rows), runs=analysis.runs | {"old": old}), data)
    assert list(made["detection"]["rows"]) == ["resnet50d_best"]


def test_rows_that_saw_other_images_are_left_out(stored):
    root = stored[1] / "mini/voc0712"
    files = listed(root)
    seen = {
        row: Seen([image], ["seen"], ["cat"], [f"{VOC}/{image}"], lambda *_: "truth")
        for row, image in (("a", "007"), ("b", "008"))
    }
    made = side_by_side(seen, files, [])
    assert made["rows"] == {"a": ["seen"]} and [image["name"] for image in made["images"]] == ["007"]


@pytest.mark.parametrize("name", ["../../../../../../../secret", "{root}/secret", "a\0", "a" * 300, "", ".", "\udcff"])
@pytest.mark.parametrize(("stage", "key"), [("detection", "shown_ids"), ("segmentation", "shown_names")])
def test_a_name_in_outputs_that_the_data_do_not_have_is_never_opened(stored, tmp_path, stage, key, name):
    Image.new("RGB", (64, 48), "red").save(tmp_path / "secret.jpg")
    shutil.copy(tmp_path / "secret.jpg", tmp_path / "secret.png")
    analysis, data = changed(stored, stage, **{key: np.array([name.format(root=tmp_path), "008"])})
    made, faults = collect(analysis, data)
    assert made[0].keys() == {"detection", "segmentation"} - {stage}
    (line,) = faults
    assert line.startswith("not drawn: resnet50d_best: '") and line.endswith(" is no file of the data")


def test_a_row_on_data_that_lie_elsewhere_has_no_pictures_which_is_no_fault(stored):
    analysis, data = changed(stored, "detection", shown_ids=np.array(["mine", "too"]))
    elsewhere = with_result(analysis, "mini/resnet50d_best/seed0/detection", data_manifest="f" * 64)
    made, faults = collect(elsewhere, data)
    assert faults == [] and made[0].keys() == {"segmentation"}


def test_a_row_that_names_other_files_does_not_hide_the_others(stored):
    root = stored[1] / "mini/voc0712"
    files = listed(root)
    foreign = Seen(["../x"], ["seen"], ["cat"], [f"{VOC}/../x"], lambda *_: "truth")
    own = Seen(["007"], ["seen"], ["cat"], [f"{VOC}/007"], lambda *_: "truth")
    faults = []
    assert [of_the_data(name, each, files, faults) for name, each in (("a", foreign), ("b", own))] == [False, True]
    assert faults == [f"not drawn: a: '{VOC}/../x' is no file of the data"]


ODD = {
    "detection": dict(
        infinite={"shown_boxes": np.full((2, 4), np.nan)},
        fewer={"shown_counts": [2]},
        text={"shown_labels": ["a", "b"]},
        flat={"shown_boxes": 1.0},
    ),
    "segmentation": dict(
        wide={"shown_0": np.zeros((2, 2), np.int64)},
        empty={"shown_0": np.zeros((0, 0), np.uint8)},
        flat={"shown_names": "a"},
        three={"shown_1": np.zeros((2, 2, 2), np.uint8)},
    ),
}


@pytest.mark.parametrize(("stage", "fault"), [(stage, fault) for stage, faults in ODD.items() for fault in faults])
def test_predictions_that_cannot_be_drawn_are_named_and_the_rest_is_drawn(stored, stage, fault):
    analysis, data = changed(stored, stage, **ODD[stage][fault])
    made, (line,) = collect(analysis, data)
    assert made[0].keys() == {"detection", "segmentation"} - {stage}
    path = analysis.runs[f"mini/resnet50d_best/seed0/{stage}"].outputs
    assert line.startswith(f"not drawn: {path}: no pictures: ") and "\n" not in line


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def huge(path):
    """A PNG whose header claims 60,000 x 60,000 pixels."""
    sides = b"IHDR" + (60_000).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    chunk = (13).to_bytes(4) + sides + zlib.crc32(sides).to_bytes(4)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + bytes(64))


@pytest.mark.parametrize("spoil", [truncated, huge, Path.unlink, lambda path: path.write_bytes(b"no image")])
@pytest.mark.parametrize(
    "part",
    [
        f"voc0712/{VOC}/007.jpg",
        f"ade20k/{ADE20K}/images/validation/a.jpg",
        f"ade20k/{ADE20K}/annotations/validation/a.png",
    ],
)
def test_a_broken_file_of_the_data_costs_one_picture_and_is_named(stored, part, spoil):
    analysis, data = stored
    spoil(path := data / "mini" / part)
    made, (line,) = collect(analysis, data)
    assert line.startswith(f"not drawn: {path} cannot be drawn: ") and "\n" not in line
    drawn = made[0]["detection" if "voc" in part else "segmentation"]
    assert [image["name"] for image in drawn["images"]] == ["008" if "voc" in part else "b"]
    assert [len(found) for found in drawn["rows"].values()] == [1]
    assert "b" in [image["name"] for image in made[0]["segmentation"]["images"]]


def test_a_mask_that_the_data_do_not_have_costs_one_picture(stored):
    analysis, data = stored
    root = data / "mini/ade20k"
    (root / ADE20K / "annotations/validation/a.png").unlink()
    update_manifest(root)
    made, (line,) = collect(analysis, data)
    assert re.fullmatch(rf"not drawn: {root}/.*/a\.jpg: its truth '.*/a\.png' is no file of the data", line)
    assert [image["name"] for image in made[0]["segmentation"]["images"]] == ["b"]


@pytest.mark.slow
def test_boxes_and_masks_are_drawn_beside_the_truth(chromium, stored, tmp_path):
    open_page(chromium, tmp_path, stored[0], collect(*stored)[0])
    heads = chromium.find_elements(By.CSS_SELECTOR, ".comparison .detection th")
    assert [head.text for head in heads] == ["truth", "resnet50d_best"]
    words = [each.text for each in chromium.find_elements(By.CSS_SELECTOR, ".comparison .detection text")]
    assert words == ["dog", "dog 0.90", "cat 0.50"]
    masks = chromium.find_elements(By.CSS_SELECTOR, ".comparison .segmentation .mask")
    assert len(masks) == 4 and all(mask.get_property("naturalWidth") == 64 for mask in masks)


@pytest.mark.slow
def test_a_label_at_the_right_edge_is_not_cut(chromium, stored, tmp_path):
    analysis, data = stored
    truth = [[60, 10, 64, 20, 0], [30, 10, 64, 40, 0]]
    image = photo(data / "mini/voc0712" / VOC / "007.jpg") | {"truth": truth}
    drawn = {"classes": ["pottedplant"], "colours": ["#fff"], "images": [image], "rows": {}}
    open_page(chromium, tmp_path, analysis, [{"detection": drawn}, {}, {}])
    picture = find(chromium, ".comparison .picture").rect
    labels = [each.rect for each in chromium.find_elements(By.CSS_SELECTOR, ".comparison .detection text")]
    assert len(labels) == 2 and all(label["width"] > 0.3 * picture["width"] for label in labels)
    assert all(label["x"] + label["width"] <= picture["x"] + picture["width"] for label in labels)
