"""The main job end to end on the smoke tier, in processes of its own, as a user runs it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from test_results import read_all

from trick_transfer.commands import pipeline as command
from trick_transfer.engine.claim import alone
from trick_transfer.runs.identity import plain
from trick_transfer.runs.plan import check, processes, state
from trick_transfer.runs.run import Run
from trick_transfer.runs.state import state as state_of

ROOT = Path(__file__).parents[1]
STAGES = ("classification", "detection", "segmentation")


def pipeline(*words, folder=None):
    """tools/pipeline.py in a process of its own."""
    command = [sys.executable, str(ROOT / "tools" / "pipeline.py"), *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def done(home, tmp_path_factory):
    """The work folder and output of a whole run of the best recipe, teacher included."""
    work = tmp_path_factory.mktemp("work")
    run = pipeline("resnet50d_best", "--tier", "smoke", "--work-dir", work, "--tracker", "none", folder=home)
    assert run.returncode == 0, run.stderr[-2000:]
    return work, run


@pytest.mark.slow
def test_one_command_trains_the_teacher_then_all_stages_and_prints_the_row(done):
    work, run = done
    results, problems = read_all(work / "results")
    assert not problems
    assert {(r.recipe, r.stage) for r in results} == {
        ("resnet152d_mixup", "classification"),
        *(("resnet50d_best", stage) for stage in STAGES),
    }
    assert "1 of 2" in run.stdout or "2 of 2" in run.stdout
    for stage in STAGES:
        assert f"resnet50d_best seed 0 {stage} train  step 2/2" in run.stderr
    assert not list(work.rglob("events.out.tfevents*"))  # TensorBoard's, which --tracker switched off


@pytest.mark.gpu
def test_the_whole_pipeline_runs_on_a_gpu_in_fp16(done):
    results, problems = read_all(done[0] / "results")
    assert not problems and len(results) == 4
    assert {result.device for result in results} == {torch.cuda.get_device_name()}
    assert {result.low_precision for result in results} == {result.precision for result in results} == {"float16"}


@pytest.mark.gpu
def test_a_gpu_trains_compiled_steps_in_bf16_and_the_result_says_so(home, tmp_path):
    words = ("resnet50d_smooth", "--tier", "smoke", "--stages", "classification", "--tracker", "none")
    run = pipeline(*words, "--compile", "--precision", "bf16", "--work-dir", tmp_path, folder=home)
    assert run.returncode == 0, run.stderr[-2000:]
    (result,) = read_all(tmp_path / "results")[0]
    assert result.compiled and result.precision == "bfloat16"


@pytest.mark.slow
def test_every_exported_tensor_arrives_bit_for_bit_and_the_features_are_the_classifiers(done):
    results, _ = read_all(done[0] / "results")
    downstream = [result for result in results if result.stage != "classification"]
    assert [result.arrived_percent for result in downstream] == [100.0, 100.0]
    assert all(result.feature_error == 0 for result in results)


@pytest.mark.slow
@pytest.mark.parametrize("to", ["timm", "mm", "onnx"])
def test_a_run_is_exported_by_its_name(done, home, to):
    work, tool = done[0], str(ROOT / "tools" / "export.py")
    words = [sys.executable, tool, "resnet50d_best", "--tier", "smoke", "--work-dir", str(work), "--to", to]
    run = subprocess.run(words, cwd=home, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    out = work / "smoke/resnet50d_best/seed0/exports" / to
    assert f"{out}: {to}, read again and compared" in run.stdout and (out / "README.md").is_file()


@pytest.mark.slow
def test_a_second_run_says_that_all_is_done_and_does_nothing(done, home):
    work, _ = done
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*.*")}
    again = pipeline("resnet50d_best", "--tier", "smoke", "--work-dir", work, folder=home)
    assert again.returncode == 0 and "all is done already" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in work.rglob("*.*")} == before


@pytest.mark.slow
def test_weights_of_others_get_a_row_in_all_stages_which_feed_images_by_them(home, tmp_path):
    torch.save(timm.create_model("resnet18d", num_classes=10).state_dict(), tmp_path / "theirs.pth")
    grey = ["127.5"] * 3
    words = ["--backbone", tmp_path / "theirs.pth", "--arch", "timm/resnet18d", "--mean", *grey, "--std", *grey]
    words += ["--licence", "mit", "--tier", "smoke", "--tracker", "none", "--work-dir", tmp_path / "work"]
    run = pipeline(*words, folder=home)
    assert run.returncode == 0, run.stderr[-2000:]
    results, problems = read_all(tmp_path / "work/results")
    of_stage = {result.stage: result for result in results}
    assert not problems and of_stage.keys() == {*STAGES} and {result.recipe for result in results} == {"theirs"}
    assert of_stage["classification"].steps == 0 and "top1" in of_stage["classification"].metrics
    for stage in STAGES[1:]:
        assert of_stage[stage].arrived_percent == 100 and of_stage[stage].steps == 2
        assert of_stage[stage].config["model"]["data_preprocessor"]["mean"] == [127.5] * 3
    assert {result.licences["weights"] for result in results} == {"mit"}
    assert re.search(r"theirs .* \d", run.stdout), "its row is shown"


def test_a_backbone_that_a_later_stage_cannot_take_is_refused_before_it_is_trained(tmp_path):
    run = pipeline("inception_v3_efficient", "--tier", "smoke", "--work-dir", tmp_path)
    assert run.returncode == 2 and not list(tmp_path.iterdir())
    line = run.stderr.splitlines()[-1]
    assert "timm/inception_v3 has no output_stride=8" in line and "leave segmentation out (--stages)" in line


@pytest.mark.slow
def test_a_plan_names_what_is_done_what_changed_and_what_is_missing_and_trains_nothing(done, home):
    work, _ = done
    words = ("resnet50d_best", "--tier", "smoke", "--work-dir", work, "--plan")
    assert pipeline(*words, folder=home).stdout.count("done") == 4
    config = work / "smoke/resnet50d_best/seed0/detection/config.json"
    text = config.read_text()
    data = json.loads(text)
    data["optim_wrapper"]["optimizer"]["lr"] *= 2
    config.write_text(json.dumps(data))
    assert "optim_wrapper.optimizer.lr" in pipeline(*words, folder=home).stdout.replace("\n", "")
    config.write_text(text)
    other = pipeline(*words, "--seed", 1, folder=home)
    assert other.stdout.count("missing") == 4 and not (work / "smoke/resnet50d_best/seed1").exists()


def test_missing_data_is_named_with_its_layout_before_anything_is_trained(tmp_path):
    run = pipeline("resnet50d_best", "--tier", "paper", "--work-dir", tmp_path, "--imagenet-root", tmp_path / "none")
    assert run.returncode == 2
    assert run.stderr.startswith("error: ") and run.stderr.count("\n") == 1
    assert str(tmp_path / "none") in run.stderr and "train/<class>/*.jpg" in run.stderr
    assert not (tmp_path / "paper").exists()


def test_a_plan_tells_which_data_are_missing_and_ends_well(tmp_path):
    places = ("--work-dir", tmp_path, "--imagenet-root", tmp_path / "none")
    run = pipeline("resnet50d_best", "--tier", "paper", "--plan", *places)
    assert run.returncode == 0
    told = [line for line in run.stdout.splitlines() if line.startswith(STAGES)]
    assert [line.split(":")[0] for line in told] == list(STAGES)
    assert f"{tmp_path}/none/train does not exist; expected" in told[0]
    assert "data/voc0712" in told[1] and "data/ade20k" in told[2]
    assert not list(tmp_path.iterdir())


def test_a_plan_says_which_process_trains_a_run_now():
    run = Run("classification", "resnet50d_mixup", "smoke")
    assert state(run) == ("missing", "")
    with alone(run.folder):
        word, remark = state(run)
        assert word == "missing" and remark.startswith(f"process {os.getpid()} on ") and remark.endswith(" trains it")


def test_a_finished_run_is_stale_where_another_precision_or_compiled_steps_are_asked_for():
    run = Run("segmentation", "resnet50d_best", "mini")
    cfg = run.draft()
    begun = dict(machine=dict(low_precision="bfloat16", compiled=False)) | plain(cfg)
    run.folder.mkdir(parents=True)
    (run.folder / "config.json").write_text(json.dumps(begun))
    asked = {(precision, compiled): replace(run, precision=precision, compiled=compiled)
             for precision in (None, "bf16", "fp32") for compiled in (False, True)}  # fmt: skip
    assert {state_of(each, cfg)[0] for each in asked.values()} == {"missing"}
    (run.folder / "metrics.json").touch()
    found = {how: state_of(each, cfg) for how, each in asked.items()}
    assert [how for how, (word, _) in found.items() if word == "done"] == [(None, False), ("bf16", False)]
    assert found["fp32", True] == ("stale", ["--precision", "--compile"])


@pytest.fixture
def plan(monkeypatch):
    """The runs that a command line means, and its options, within this process."""

    def made(*words):
        monkeypatch.setattr(sys, "argv", ["pipeline", *words])
        args = command.options()
        planned = command.once(run for each in command.chains(args) for run in each)
        check(planned, args)
        return [(run.recipe, run.stage, processes(run, args)) for run in planned]

    return made


FPN, AUTHORS = ("--protocol", "faster_rcnn_fpn_voc"), ("--follow", "authors")
CODE = "resnet50d_best+follow-authors", "detection-faster_rcnn_voc_authors", "segmentation-fcn_ade20k_authors"


@pytest.mark.parametrize(
    ("words", "recipe", "detection", "segmentation"),
    [
        (FPN, "resnet50d_best", "detection-faster_rcnn_fpn_voc", "segmentation"),
        (AUTHORS, *CODE),
        ((*AUTHORS, *FPN), CODE[0], "detection-faster_rcnn_fpn_voc", CODE[2]),
        (("--follow", "text", "--tier", "paper"), "resnet50d_best+follow-text", "detection", "segmentation"),
        (("--tier", "paper"), "resnet50d_best", "detection", "segmentation"),
    ],
)  # fmt: skip
def test_a_protocol_is_that_of_its_stage_or_of_whom_to_follow(monkeypatch, words, recipe, detection, segmentation):
    monkeypatch.setattr(sys, "argv", ["pipeline", "resnet50d_best", *words])
    args = command.options()
    ((*_, first, second, third),) = command.chains(args)
    assert [run.folder.name for run in (first, second, third)] == ["classification", detection, segmentation]
    assert {run.name for run in (first, second, third)} == {recipe}


@pytest.mark.slow
def test_following_the_authors_trains_and_scores_their_protocols(home, tmp_path):
    words = ("--tier", "smoke", "--follow", "authors", "--work-dir", tmp_path, "--tracker", "none")
    run = pipeline("resnet50_baseline", *words, folder=home)
    assert run.returncode == 0, run.stderr[-2000:]
    results, problems = read_all(tmp_path / "results")
    assert not problems
    assert {(r.recipe, r.protocol) for r in results if r.stage != "classification"} == {
        (CODE[0].replace("resnet50d_best", "resnet50_baseline"), protocol)
        for protocol in ("faster_rcnn_voc_authors", "fcn_ade20k_authors")
    }


SPELT = [
    ({"tricks.mixup": None}, "tricks.mixup-None"),
    ({"model.backbone": "timm/resnet18", "max_epochs": 3}, "max_epochs-3+model.backbone-timm_resnet18"),
]
HASHED = [{"a.classes": ("cup", "pen")}, {"a.classes": ("cup", "p en")}, {f"a.key{i}": 1.5 for i in range(20)}]


def test_settings_name_a_run_by_their_words_or_where_these_make_no_name_by_a_hash():
    for sets, words in SPELT:
        assert Run("classification", "resnet50d_best", sets=sets).name == f"resnet50d_best+{words}"
    names = [Run("detection", "resnet50d_best+max_epochs-3", sets=sets).name for sets in HASHED]
    assert len(set(names)) == len(names), "each is an experiment of its own"
    assert all(re.fullmatch(r"resnet50d_best\+max_epochs-3\+[0-9a-f]{8}", name) for name in names)
    assert Run("detection", "resnet50d_best", sets={"a.classes": ["cup"]}).own == {"detection.a.classes": "['cup']"}


def test_eight_devices_share_the_detectors_batch_of_four_as_four(plan, capsys):
    assert plan("resnet50d_mixup", "--tier", "paper", "--gpus", "8") == [
        ("resnet50d_mixup", "classification", 8),
        ("resnet50d_mixup", "detection", 4),
        ("resnet50d_mixup", "segmentation", 8),
    ]
    assert capsys.readouterr().err == "detection: 4 of --gpus 8, as its batch has 4 images\n"


def test_recipes_seeds_and_protocols_are_all_combined_and_what_is_shared_runs_once(plan):
    words = ("resnet50d_mixup", "--seeds", "0-1", "--protocol", "faster_rcnn_voc", "faster_rcnn_fpn_voc")
    found = plan("resnet50d_cosine", *words)
    stages = ["classification", "detection", "segmentation", "detection"]
    assert [(recipe, stage) for recipe, stage, _ in found] == [
        (recipe, stage) for recipe in ("resnet50d_cosine", "resnet50d_mixup") for _ in range(2) for stage in stages
    ]
    one_teacher = plan("resnet50d_best", "mobilenet_best", "--stages", "classification")
    assert [recipe for recipe, *_ in one_teacher] == ["resnet152d_mixup", "resnet50d_best", "mobilenet_best"]


def test_stages_run_in_their_order_and_a_teachers_teacher_comes_first(plan):
    words = ("--stages", "detection", "classification", "--set", "tricks.distillation.teacher=resnet50d_distill")
    recipes = ["resnet152d_smooth", "resnet50d_distill", "resnet50d_mixup"]
    name = "resnet50d_mixup+tricks.distillation.teacher-resnet50d_distill"
    assert plan("resnet50d_mixup", *words) == [
        *((recipe, "classification", 1) for recipe in recipes),
        (name, "detection", 1),
    ]


def test_seeds_that_are_given_twice_are_all_run(plan):
    found = plan("resnet50d_cosine", "--seeds", "0-1", "--seed", "1", "5", "--stages", "classification")
    assert len(found) == 3


def test_a_plan_names_the_backbone_that_nothing_of_it_makes(monkeypatch, capsys):
    words = ["pipeline", "resnet50d_cosine", "--tier", "smoke", "--stages", "detection", "--plan"]
    monkeypatch.setattr(sys, "argv", words)
    assert command.main() == 0
    assert (
        "detection: work/smoke/resnet50d_cosine/seed0/card.json does not exist; with --stages"
        in capsys.readouterr().out
    )


def test_a_work_folder_that_cannot_be_written_is_named_before_anything_runs(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    monkeypatch.setattr(sys, "argv", ["pipeline", "resnet50d_cosine", "--tier", "smoke", "--work-dir", "a/b", "--plan"])
    with pytest.raises(OSError, match="--work-dir a/b cannot be written: .*; name another folder"):
        command.main()


def test_a_teacher_learns_from_its_students_data():
    data = {"data.num_train": 99999, "model.num_classes": 100}
    assert Run("classification", "resnet50d_best", sets=data | {"tricks.amp": None}).upstream().sets == data


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--gpus", "3"), "32 does not divide over 3 devices"),
        (("--gpus", "0"), "at least 1"),
        (("--set", "model.backbone.depth=51"), "depth=51 does not exist"),
        (("--set", "detection.optim_wraper.type=x"), "did you mean 'optim_wrapper'"),
        (("--set", "detecton.x=1"), "stage 'detecton' does not exist; did you mean 'detection'"),
        (("--stages", "classification", "--set", "detection.train_cfg.max_epochs=3"), "detection is not run; add it"),
        (("--seeds", "0-4", "seven"), "^--seeds takes .* ranges such as 0-4, not 'seven'"),
        (("--seeds", "4-0"), "^--seeds 4-0: the range goes down; write 0-4$"),
        (("--backbone", "a/net.pth", "b/net.pth"), "^--backbone a/net.pth b/net.pth: both are called net; run them"),
        (("--jobs", "0"), "^--jobs must be at least 1, got 0$"),
        (
            ("--protocol", "knn"),
            "^--protocol knn is of probing, which is not run; add it to --stages, or leave it out$",
        ),
        (("--protocol", "few_shots"), "^--protocol 'few_shots' does not exist; did you mean 'few_shot'"),
        (("--set", "global_batch=-4"), "global_batch .*-4"),
        (("--set", "schedule.decay=cosin"), "did you mean 'cosine'"),
        (("--set", "detection.optim_wrapper.optimizer.type=Adm"), "'Adm' does not exist; did you mean 'Adam'"),
        (("--set", "detection.model.type=FasterRCN"), "'FasterRCN' does not exist; did you mean 'mmdet.FasterRCNN'"),
        (("--set", "segmentation.train_cfg.max_epochs=1.5"), "max_epochs .*1.5"),
        (("--set", "detection.optim_wrapper.optimizer.lr=1e999"), "optimizer.lr must be .*finite, got inf"),
        (("--set", "segmentation.optim_wrapper.optimizer.weight_decay=1e999"), "weight_decay must be .*finite"),
        (("--set", "detection.param_scheduler=[]"), r"param_scheduler must be .*, got \[\]"),
        (
            ("--set", "detection.param_scheduler=[{'type': 'LinerLR'}]"),
            "'LinerLR' does not exist; did you mean 'LinearLR'",
        ),
        (
            ("--set", "detection.param_scheduler=[{'type': 'LinearLR', 'stop': 3}]"),
            "param_scheduler.0.stop' does not exist",
        ),
        (("--set", "segmentation.param_scheduler.0.end=0"), "param_scheduler.0: end should be larger"),
        (
            ("--set", "detection.model.roi_head.bbox_head.num_classes=-5"),
            "bbox_head.num_classes must be .*>= 1, got -5",
        ),
        (("--set", "segmentation.model.decode_head.num_classes=0"), "decode_head.num_classes must be .*>= 1, got 0"),
        (
            ("--set", "segmentation.model.decode_head={'chanels': 3}"),
            "chanels' does not exist; did you mean 'channels'",
        ),
        (("--set", "segmentation.train_dataloader.batch_size=1.5"), "batch_size must be a whole number"),
        (("--set", "detection.val_dataloader.batch_size=0"), "val_dataloader.batch_size must be .*>= 1, got 0"),
        (("--set", "detection.val_dataloader.num_workers=-1"), "num_workers must be .*>= 0, got -1"),
        (
            ("--set", "detection.train_cfg={'max_epoch': 3}"),
            "'train_cfg.max_epoch' does not exist; did you mean 'max_epochs'",
        ),
        (("--set", "detection.model.backbone={}"), "model.backbone is an empty dict"),
        (("--set", "tricks.distillation.teacher=resnet50d_best"), "cannot be its own teacher"),
    ],
)
def test_what_no_stage_can_do_is_refused_before_the_first_one(plan, words, message):
    with pytest.raises(ValueError, match=message):
        plan("resnet50d_best", *words)


@pytest.mark.parametrize(
    "settings",
    [
        "train_dataloader={'pin_memory': True, 'prefetch_factor': 4}",
        "optim_wrapper.optimizer={'_delete_': True, 'type': 'AdamW', 'lr': 0.001, 'betas': (0.9, 0.99)}",
        "optim_wrapper={'clip_grad': {'max_norm': 1}}",
        "detection.optim_wrapper.clip_grad={'_delete_': True, 'max_norm': 5, 'norm_type': 2}",
        "detection.param_scheduler=[{'type': 'CosineAnnealingLR', 'T_max': 3, 'by_epoch': True}]",
        "segmentation.param_scheduler=[{'type': 'LinearLR', 'by_epoch': False, 'begin': 0, 'end': 9}]",
        "segmentation.optim_wrapper.paramwise_cfg.custom_keys={'backbone': {'lr_mult': 0.1}}",
        "segmentation.model.decode_head={'num_convs': 2, 'concat_input': True, 'kernel_size': 3}",
        "detection.train_cfg={'dynamic_intervals': [(1, 2)]}",
    ],
)
def test_a_whole_dict_may_have_what_its_class_takes(plan, settings):
    assert len(plan("resnet50d_mixup", "--set", settings)) == 3


@pytest.mark.parametrize(
    ("place", "said"),
    [("file", "file is a file"), ("file/below", "file is a file"), ("link", "is a link to gone, which")],
)
def test_a_work_folder_that_can_be_none_is_told_in_words(tmp_path, place, said):
    Path("file").touch()
    Path("link").symlink_to("gone")
    with pytest.raises(ValueError, match=f"--work-dir {place}: .*{said}"):
        Run("classification", "resnet50d_best", work_dir=Path(place))


def test_a_stage_without_its_backbone_is_refused_in_one_line(tmp_path):
    run = pipeline("resnet50d_best", "--stages", "detection", "--work-dir", tmp_path)
    assert run.returncode == 2 and run.stderr.count("\n") == 1 and "card.json does not exist; make it" in run.stderr
    assert not list(tmp_path.iterdir())


SETS = ["model.backbone.depth=18", "data.num_train=20", "data.num_val=11", "val_dataloader.num_batch_per_epoch=None"]


def in_two_processes(root, work, *sets):
    """The words of a pipeline that trains ResNet-18-D on a folder of photographs, in two processes."""
    words = ["resnet50d_mixup", "--tier", "smoke", "--stages", "classification", "--gpus", "2", "--tracker", "none"]
    return [*words, "--imagenet-root", str(root), "--work-dir", str(work), "--set", *SETS, *sets]


@pytest.mark.slow
def test_what_fails_in_one_of_two_processes_is_one_line_and_the_same_exit_code(photos, tmp_path):
    root = shutil.copytree(photos, tmp_path / "photos")
    path = sorted((root / "val").rglob("*.jpg"))[1]  # the second process scores it, while the first one waits
    path.write_bytes(path.read_bytes()[:-200])
    run = pipeline(*in_two_processes(root, tmp_path / "work"))
    assert run.returncode == 2 and "Traceback" not in run.stderr
    errors = [line for line in run.stderr.splitlines() if "error" in line]
    assert errors == [f"error: {path} is a truncated JPEG; replace the file, or set skip_broken=True"]


def alive(pid):
    """Whether a process is there, and no zombie."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.is_file() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def offspring(pid):
    """All processes that one has started, and they in turn."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return children + [each for child in children for each in offspring(child)]


def until(condition, seconds=120):
    """Wait for something to become true, and return it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


def awake():
    """Called in a new process: a background job is deaf to Ctrl-C, and one under nohup to SIGHUP."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
@pytest.mark.parametrize(
    ("number", "group", "options"),
    [
        ("KILL", False, ()),
        ("INT", True, ()),
        ("HUP", True, ()),
        ("TERM", False, ()),
        ("KILL", False, ("--jobs", "2")),
        ("TERM", False, ("--jobs", "2")),
    ],
)
def test_a_pipeline_that_is_killed_or_stopped_leaves_no_process_and_says_so_once(
    photos, tmp_path, number, group, options
):
    number = signal.Signals[f"SIG{number}"]
    words = [*in_two_processes(photos, tmp_path, "max_epochs=1000"), *options]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tools" / "pipeline.py"), *words], stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=awake,
    )  # fmt: skip
    until(lambda: list(tmp_path.rglob("latest.pth")))  # it trains
    children = offspring(process.pid)
    assert len(children) >= 3 and all(map(alive, children))  # torchrun, and two that train
    if group:  # as a terminal does
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    if number != signal.SIGKILL:
        _, told = process.communicate(timeout=60)
        assert process.returncode == 128 + number and "Traceback" not in told
        stopped = [line for line in told.splitlines() if "stopped" in line]
        assert stopped == [f"stopped by {number.name}; the same command resumes"]
    until(lambda: not any(map(alive, children)), seconds=20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_first_second_ends_a_command_in_one_line(tmp_path, number):
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tools" / "pipeline.py"), "resnet50d_best"], stderr=subprocess.PIPE, text=True,
        cwd=tmp_path, preexec_fn=awake,
    )  # fmt: skip
    until(lambda: "torch" in Path(f"/proc/{process.pid}/maps").read_text(), seconds=30)  # it imports
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (128 + number, f"stopped by {number.name}; the same command resumes\n")


def test_an_unknown_recipe_gets_the_nearest_name():
    run = pipeline("resnet50d_bets", "--plan")
    assert run.returncode == 2 and "did you mean 'resnet50d_best'?" in run.stderr


@pytest.mark.slow
def test_one_backbone_is_fine_tuned_with_another_seed_into_a_place_of_its_own(done, home):
    work, _ = done
    words = [
        "segmentation",
        "resnet50d_best",
        "--tier",
        "smoke",
        "--work-dir",
        work,
        "--seed",
        "5",
        "--backbone-seed",
        "0",
    ]
    command = [sys.executable, str(ROOT / "tools" / "train.py"), *map(str, words)]
    run = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    results, problems = read_all(work / "results")
    assert not problems
    seeds = {(each.seed, each.backbone_seed): str(each.folder) for each in results if each.stage == "segmentation"}
    assert seeds[0, 0].endswith("seed0/segmentation") and seeds[5, 0].endswith("seed0/segmentation-seed5")
