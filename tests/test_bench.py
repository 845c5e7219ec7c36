"""The benchmarks run; what they measure is for people, so nothing here looks at a time."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from trick_transfer.engine.receipt import ROOT
from trick_transfer.leaderboard.scores.load import audit
from trick_transfer.runs.store import read_stored, reference
from trick_transfer.speed import figures
from trick_transfer.speed.epoch import Epoch, bench_epoch
from trick_transfer.speed.figures import Figures, Ratio, record, write_page
from trick_transfer.speed.gpu import LOOPS, Setup, measured, seconds_of
from trick_transfer.speed.input import REFERENCES
from trick_transfer.speed.leaderboard import RECIPE, make_up
from trick_transfer.speed.training import settings_of, write_photos
from trick_transfer.stages import STAGES

BENCH = str(Path(__file__).parents[1] / "tools" / "bench.py")


def bench(*words):
    return subprocess.run([sys.executable, BENCH, *words], capture_output=True, text=True, check=False, timeout=900)


@pytest.mark.slow
def test_baseline_and_efficient_training_are_compared_from_jpegs():
    run = bench("classification", "--backbone", "timm/mobilenetv3_small_050", "--batch", "2")
    assert run.returncode == 0, run.stderr
    for setting, batch in (("baseline", 2), ("efficient", 8)):
        line = re.search(rf"{setting} +batch +{batch} +(\S+) images/s +(\S+) MB +waits for data +(\S+) %", run.stdout)
        rate, megabytes, share = map(float, line.groups())
        assert rate > 0 and megabytes > 50 and 0 <= share <= 100


def test_an_unknown_backbone_is_refused_with_the_nearest_name():
    run = bench("classification", "--backbone", "timm/mobilnetv3")
    assert run.returncode == 2 and "mobilenetv3" in run.stderr.splitlines()[-1]


@pytest.mark.parametrize(("backbone", "px"), [("inception_v3", 299), ("resnet50d", 224), ("mobilenet", 224)])
def test_a_recipes_backbone_brings_its_input_size_and_differs_in_the_setting_only(backbone, px):
    found = settings_of(backbone)
    assert [each.train_dataloader.dataset.dataset.crop.size_px for each in found.values()] == [px, px]
    one, other = (each.model.backbone.to_dict() for each in found.values())
    assert one == other
    assert (found["baseline"].optim_wrapper.type, found["efficient"].optim_wrapper.type) == (
        "OptimWrapper",
        "trick_transfer.LowPrecisionOptimWrapper",
    )


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_reference_reads_a_photograph_as_a_normalised_tensor(tmp_path, reference):
    write_photos(tmp_path, 1)
    image = REFERENCES[reference](32)(str(next(tmp_path.rglob("*.jpg"))))
    assert image.shape == (3, 32, 32) and image.dtype == torch.float32 and -3 < image.min() < 0 < image.max() < 3


def test_the_committed_page_is_that_of_the_committed_figures(tmp_path):
    write_page(tmp_path / "page.md")
    assert (tmp_path / "page.md").read_text("utf-8") == (ROOT / "docs" / "performance.md").read_text("utf-8")


def test_the_page_shows_each_figure_with_its_command_and_its_goal(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench.py", "input", "--px", "64"])
    found = Figures(
        "reading", "images/s", {"ours": 300.0, "theirs": 200.0}, [Ratio("ours / theirs", 1.5, "at least 1")]
    )
    record(found, "input")
    write_page(tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert "| reading | ours / theirs | 1.5 | at least 1 |" in page and "- theirs: 200 images/s" in page
    assert "`tools/bench.py input --px 64`" in page
    assert str(found).splitlines()[-1] == "ours / theirs: 1.5 (at least 1)"


EAGER = [loop for loop in LOOPS if "compiled" not in loop]


@pytest.mark.parametrize("loop", EAGER)
def test_ours_and_the_scripts_of_timm_and_torchvision_take_steps_in_low_precision(loop, device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: device == "cuda")
    kept = set()
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.add(tensor.dtype) or tensor, lambda tensor: tensor
    ):
        LOOPS[loop](Setup(32, 2, "bf16", device))()
    assert torch.bfloat16 in kept, "for the backward pass"


def test_the_time_of_a_step_is_that_between_two_events_of_the_gpu(monkeypatch):
    clock = [0.0]

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            self.at = clock[0]

        def elapsed_time(self, later):
            return later.at - self.at  # milliseconds

    def step():
        clock[0] += 5 + clock[0]

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    assert seconds_of(step, repeats=2, warm_up=1) == [0.010, 0.020]  # 5 ms after one step, 15 after two, 35 after three


@pytest.mark.gpu
def test_a_step_of_ours_takes_no_more_memory_than_one_of_timms_script():
    setup = Setup(224, 32)
    ours, theirs = (measured(loop, setup, 2)[1] for loop in ("ours", "timm's script"))
    assert ours < 1.1 * theirs


def test_the_gpus_bench_is_refused_without_one(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    run = bench("gpu")
    assert run.returncode == 2 and "tools/bench.py step" in run.stderr.splitlines()[-1]


def test_made_up_results_are_valid_worse_and_each_their_own(tmp_path):
    known = [each for each in read_stored(reference())[0] if each.name.startswith(f"mini/{RECIPE}/seed0/")]
    for each in known:
        make_up(each, 0, 0.5, tmp_path)
        make_up(each, 1, 0.5, tmp_path)
    stored, faults = read_stored(tmp_path)
    assert not faults and len(stored) == 2 * len(known) == 6
    assert len({each.result.outputs_sha256 for each in stored}) == 6
    before = {each.result.stage: each.result.metrics for each in known}
    for each in stored:
        assert not audit(each.result, each.outputs)[1]
        headline = next(metric.name for metric in STAGES[each.result.stage].metrics if metric.headline)
        assert each.result.metrics[headline] < before[each.result.stage][headline]


def test_an_epoch_tells_how_long_it_waited():
    updates = []
    epoch = Epoch(iter([1, 2, 3]), updates.append)
    epoch()
    assert updates == [1, 2, 3] and 0 <= epoch.waited <= epoch.lasted


def test_an_epoch_of_ours_and_of_timms_reads_jpegs_on_each_device(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: device == "cuda")
    monkeypatch.setattr("trick_transfer.speed.epoch.STEPS", {device: 2})
    found = bench_epoch(Setup(64, 2, "bf16", device), repeats=1, workers=0)
    assert found.values.keys() == {"ours", "timm's"} and all(rate > 0 for rate in found.values.values())
    assert [0 < each.value < 100 for each in found.ratios if "waits" in each.of] == [True, True]


@pytest.mark.slow
def test_fine_tuning_is_compared_with_mmdets_and_mmsegs():
    run = bench("downstream", "--repeats", "1")
    assert run.returncode == 0, run.stderr
    assert len(re.findall(r"^(?:detection|segmentation): ours, .* / mmdet's or mmseg's", run.stdout, re.M)) == 4
