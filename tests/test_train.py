"""tools/train.py as people run it: killed and run again, in two processes, and with what does not exist."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from safetensors.torch import load_file
from torch.utils.data import DataLoader, Dataset

from trick_transfer import command_line
from trick_transfer.runs import training
from trick_transfer.runs.recording import check_all_scored
from trick_transfer.runs.run import Run

ROOT = Path(__file__).parents[1]
TRAIN = str(ROOT / "tools" / "train.py")
STEPS_PER_EPOCH, EPOCHS = 3, 3
RUN = ["classification", "resnet50d_mixup", "--tier", "smoke"]
SET = ["--set", f"max_epochs={EPOCHS}", "model.backbone.depth=18", "data.num_train=20", "data.num_val=11"]
TRAIN_SET = "train_dataloader.dataset.dataset"
# Runs a tool, and sends itself a signal before a certain step.
INTERRUPTED = """
import os, runpy, sys
sys.path.insert(0, {root!r})
from signal import SIGINT, default_int_handler, signal as handle
handle(SIGINT, default_int_handler)  # a background job's children are born deaf to Ctrl-C
from trick_transfer.engine.seeding import SeedEachStep
before = SeedEachStep.before_train_iter

def interrupt(self, runner, *words, **options):
    if runner.iter == {step}:
        os.kill(os.getpid(), {signal})
    before(self, runner, *words, **options)

SeedEachStep.before_train_iter = interrupt
runpy.run_path({tool!r}, run_name="__main__")
"""


def run(folder, photos, *words, starter=(TRAIN,)):
    """A finished process, in a folder of its own so that nothing lands in the repository's results."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, *starter, *words, "--data-root", str(photos)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def train(folder, photos, more=(), **options):
    return run(folder, photos, *RUN, *more, *SET, f"train_dataloader.num_batch_per_epoch={STEPS_PER_EPOCH}", **options)


def only(folder, name):
    (found,) = (path for path in (folder / "work").rglob(name) if "results" not in path.parts)
    return found


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """The folder of a run that was never killed."""
    folder = tmp_path_factory.mktemp("whole")
    process = train(folder, photos)
    assert process.returncode == 0, process.stderr
    return folder


def rates_and_steps(folder):
    result = json.loads(only(folder, "metrics.json").read_text())
    return result["curves"]["lr"], result["steps"], result["norm_parts"]


def test_the_rate_follows_the_updates_however_they_are_accumulated(photos, tmp_path, whole):
    assert train(tmp_path, photos, more=("--accumulate", "2")).returncode == 0
    rates, steps, parts = rates_and_steps(tmp_path)
    assert (rates, steps) == rates_and_steps(whole)[:2] and parts == 2
    assert steps == STEPS_PER_EPOCH * EPOCHS and rates[-1][1] < 0.1 * rates[0][1]


@pytest.mark.slow
def test_devices_may_change_on_the_way_where_batch_norm_sees_the_same_images(photos, tmp_path, whole):
    scored = ("--set", "val_dataloader.num_batch_per_epoch=None")  # else mmengine asks for images that are not there
    code = INTERRUPTED.format(root=str(ROOT), step=2 * STEPS_PER_EPOCH + 1, signal=int(signal.SIGKILL), tool=TRAIN)
    train(tmp_path, photos, more=("--accumulate", "2", *scored), starter=("-c", code))
    assert only(tmp_path, "latest.pth").is_file()
    on_two = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", TRAIN)
    resumed = train(tmp_path, photos, more=scored, starter=on_two)
    assert resumed.returncode == 0, resumed.stderr
    rates, steps, parts = rates_and_steps(tmp_path)
    assert (rates, steps) == rates_and_steps(whole)[:2] and parts == 2


def test_a_run_is_not_carried_on_with_other_batches_in_batch_norm_another_precision_or_compiled(photos, tmp_path):
    code = INTERRUPTED.format(root=str(ROOT), step=STEPS_PER_EPOCH, signal=int(signal.SIGKILL), tool=TRAIN)
    begun = ("--precision", "bf16")
    train(tmp_path, photos, more=begun, starter=("-c", code))
    checkpoint = only(tmp_path, "latest.pth").read_bytes()
    for more, named in (
        ((*begun, "--accumulate", "2"), "with batch norm over 1/1 of a batch, this command has batch norm over 1/2 "),
        (("--precision", "fp32"), "with precision bf16, this command has precision fp32; "),
        ((*begun, "--compile"), "with no --compile, this command has --compile; "),
    ):
        refused = train(tmp_path, photos, more=more)
        (line,) = [line for line in refused.stderr.splitlines() if line.startswith("error: ")]
        assert refused.returncode == 2 and named in line
        assert "1 processes, --accumulate 1 and --precision bf16" in line and "--no-resume" in line
        assert only(tmp_path, "latest.pth").read_bytes() == checkpoint


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_stopped_at_any_step_goes_on_with_the_same_command_and_ends_with_the_same_weights(
    photos, tmp_path, whole, number
):
    step = random.randrange(STEPS_PER_EPOCH * EPOCHS)
    code = INTERRUPTED.format(root=str(ROOT), step=step, signal=int(number), tool=TRAIN)
    stopped = train(tmp_path, photos, starter=("-c", code))
    if number == signal.SIGINT:
        assert stopped.returncode == 130
        assert stopped.stderr.splitlines()[-1] == "stopped by SIGINT; the same command resumes"
        assert "Traceback" not in stopped.stderr
    else:
        assert stopped.returncode == -signal.SIGKILL
    assert not list(tmp_path.rglob("metrics.json"))
    again = train(tmp_path, photos)
    assert again.returncode == 0, again.stderr
    scalars = max(tmp_path.rglob("scalars.json")).read_text().splitlines()
    assert json.loads(scalars[0])["epoch"] == step // STEPS_PER_EPOCH + 1  # epochs that were whole are not done again
    weights = (only(folder, "model.safetensors").read_bytes() for folder in (tmp_path, whole))
    assert len({*weights}) == 1, f"stopped before step {step}"
    curves = json.loads(only(tmp_path, "metrics.json").read_text())["curves"]  # of both legs
    assert all([epoch for epoch, _ in curves[name]] == list(range(1, EPOCHS + 1)) for name in ("loss", "top1"))
    assert not list(tmp_path.rglob("latest.pth")) and not list(tmp_path.rglob("*.part"))


@pytest.mark.gpu
def test_on_cuda_a_killed_run_ends_nearly_where_it_would_have_and_its_rates_and_epochs_are_the_same(photos, tmp_path):
    """Not bit for bit: the gradient of overlapping max pooling is added up in no fixed order."""
    ends = {}
    for name, steps in (("whole", [-1]), ("killed", [2 * STEPS_PER_EPOCH + 1, -1])):
        for step in steps:
            code = INTERRUPTED.format(root=str(ROOT), step=step, signal=int(signal.SIGKILL), tool=TRAIN)
            process = train(tmp_path / name, photos, starter=("-c", code))
            assert process.returncode == (-signal.SIGKILL if step > 0 else 0), process.stderr
        result = json.loads(only(tmp_path / name, "metrics.json").read_text())
        assert (result["precision"], result["build"]["cuda"] != "none") == ("float16", True)
        ends[name] = load_file(only(tmp_path / name, "model.safetensors")), result["curves"]["lr"]
    (whole, rates), (killed, others) = ends.values()
    assert rates == others
    for name, tensor in whole.items():
        assert (tensor - killed[name]).float().norm() <= 0.01 * tensor.float().norm() + 1e-3, name


@pytest.mark.slow
def test_a_compiled_run_says_so_and_changes_nothing_else(photos, tmp_path, whole):
    """With a compiler that leaves the network as it is."""
    script = f"import runpy, sys, torch; sys.path.insert(0, {str(ROOT)!r}); torch.compile = lambda run: run\n"
    script += f"runpy.run_path({TRAIN!r}, run_name='__main__')"
    process = train(tmp_path, photos, more=("--compile",), starter=("-c", script))
    assert process.returncode == 0, process.stderr
    told = [json.loads(only(folder, "metrics.json").read_text())["compiled"] for folder in (tmp_path, whole)]
    assert told == [True, False]
    weights = (only(folder, "model.safetensors").read_bytes() for folder in (tmp_path, whole))
    assert len({*weights}) == 1


def test_a_scoring_that_leaves_samples_out_makes_no_result():
    cfg = Config({"val_dataloader": {"dataset": {"skip_broken": False}}})
    with pytest.raises(ValueError, match="10 samples were scored, the data set has 11"):
        check_all_scored(cfg, 10, 11)
    cfg.val_dataloader.dataset.skip_broken = True
    check_all_scored(cfg, 10, 11)


def test_two_processes_score_each_image_once_and_as_one_process_does(photos, tmp_path, device):
    sets = [*SET, "val_dataloader.num_batch_per_epoch=None"]  # all 11 images
    starter = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", TRAIN)
    process = run(tmp_path, photos, *RUN, *sets, starter=starter)
    assert process.returncode == 0, process.stderr
    result = json.loads(only(tmp_path, "metrics.json").read_text())
    assert (result["samples_scored"], result["devices"], result["global_batch"]) == (11, 2, 4)
    assert result["data_manifest"] == sha256((photos / "manifest.sha256").read_bytes()).hexdigest()
    outputs = sha256(only(tmp_path, "outputs.npz").read_bytes()).hexdigest()
    assert result["outputs_sha256"] == outputs
    again = run(tmp_path, photos, *RUN, *sets, "--outputs", "again.npz", starter=(str(ROOT / "tools" / "test.py"),))
    assert again.returncode == 0, again.stderr
    assert (result["build"]["cuda"] != "none") == (device == "cuda")  # where both may share one GPU
    rounding = 0 if device == "cpu" else 0.2  # of the calibration error: a batch's size decides which kernel adds it up
    assert json.loads(again.stdout) == pytest.approx(result["metrics"] | {"samples_scored": 11}, abs=rounding)
    assert (tmp_path / "again.npz").is_file()  # and the run's own are as they were
    assert sha256(only(tmp_path, "outputs.npz").read_bytes()).hexdigest() == outputs


@pytest.fixture
def tool(monkeypatch, tmp_path, capsys):
    """tools/train.py within this process, in an empty folder: its exit code and its lines on stderr."""

    monkeypatch.chdir(tmp_path)
    from trick_transfer.commands import train

    def start(*words):
        monkeypatch.setattr(sys, "argv", [TRAIN, *words])
        return command_line.tool(train.main), capsys.readouterr().err.splitlines()

    return start


SMOOTH = "resnet50d_smooth"


@pytest.mark.parametrize(
    ("words", "named"),  # the thing, and the fix
    [
        (["resnet50d_bset"], ("resnet50d_bset", "resnet50d_best")),
        ([SMOOTH, "--set", "max_epoch=3"], ("max_epoch", "max_epochs")),
        ([SMOOTH, "--set", "trick.mixup=None"], ("trick.mixup", "'tricks'")),
        ([SMOOTH, "--set", "tricks.mixpu.alpha=3"], ("mixpu", "'mixup'")),
        ([SMOOTH, "--set", "model.backbone.dept=18"], ("model.backbone.dept", "'depth'")),
        ([SMOOTH, "--protocol", "other"], ("classification", "--protocol other")),
        ([SMOOTH, "--seed", "-1"], ("seed", "2**32 - 1", "-1")),
        ([SMOOTH, "--set", "model.backbone.depth=51"], ("depth=51", "18, 26, 34, 50,")),
        ([SMOOTH, "--set", "model=None"], ("model ", "None")),
        ([SMOOTH, "--set", "schedule=None"], ("schedule ", "None")),
        ([SMOOTH, "--set", "tricks=None"], ("tricks ", "--set tricks.NAME=None")),
        ([SMOOTH, "--set", "optim_wrapper.optimizer.lr=fast"], ("optimizer.lr", "'fast'", "float")),
        ([SMOOTH, "--set", "param_scheduler.0.end=1"], ("param_scheduler.0.end",)),
        ([SMOOTH, "--set", "tricks.mixup.alpha=much"], ("mixup", "alpha", "float", "'much'")),
        ([SMOOTH, "--set", "max_epochs=1.5"], ("max_epochs", "whole number", "1.5")),
        ([SMOOTH, "--set", "schedule.decay=cosin"], ("decay", "'cosin'", "'cosine'")),
        ([SMOOTH, "--set", "schedule.warmup_epochs=-3"], ("warmup_epochs", ">= 0", "-3")),
        ([SMOOTH, "--set", "model.smoothing.form=papr"], ("'papr'", "'paper'")),
        (
            [SMOOTH, "--set", "model.smoothing={'eps': 0.1, 'from': 'paper'}"],
            ("'model.smoothing.from'", "'form'"),
        ),
        (["resnet50d_best", "--set", "model.teacher.form=author"], ("'author'", "'authors'")),
        ([SMOOTH, "--set", "model.teacher=resnet152d_smooth"], ("distillation", "recipe, temperature, form", "None")),
        ([SMOOTH, "--set", "optim_wrapper.optimizer.type=Adm"], ("'Adm'", "'Adam'")),
        ([SMOOTH, "--set", "optim_wrapper.optimizer={'type':'Adm'}"], ("'Adm'", "'Adam'")),
        ([SMOOTH, "--set", "optim_wrapper.optimizer.type=Adam"], ("optim_wrapper.optimizer", "'momentum'")),
        ([SMOOTH, "--set", "optim_wrapper.optimizer.lr=-1"], ("optimizer.lr", ">= 0", "-1")),
        ([SMOOTH, "--set", "optim_wrapper.optimizer.lr=1e999"], ("optimizer.lr", "finite", "inf")),
        ([SMOOTH, "--set", "tricks.mixup.alpha=1e999"], ("model.mix.alpha", "finite")),
        ([SMOOTH, "--set", "tricks.distillation.temperature=3"], ("distillation needs teacher",)),
        ([SMOOTH, "--set", "optim_wrapper.optimizer.weight_decay=1e999"], ("optimizer.weight_decay", "finite", "inf")),
        ([SMOOTH, "--set", "optim_wrapper.optimizer.momentum=5"], ("optimizer.momentum", "<= 1", "5")),
        ([SMOOTH, "--set", "schedule.milestones=['a']"], ("schedule.milestones", "'a'")),
        ([SMOOTH, "--set", "schedule.milestones=[]"], ("schedule.milestones", "[]")),
        ([SMOOTH, "--set", "model.data_preprocessor.std=[0,0,0]"], ("data_preprocessor.std", "0")),
        ([SMOOTH, "--set", f"{TRAIN_SET}.crop.size_px=1e999"], ("crop.size_px", "whole number", "inf")),
        ([SMOOTH, "--set", "val_dataloader.batch_size=1.5"], ("val_dataloader.batch_size", "whole number", "1.5")),
        ([SMOOTH, "--set", "model.backbone={}"], ("backbone '{}'", "timm/NAME")),
        ([SMOOTH, "--set", "model={}"], ("model is an empty dict",)),
        ([SMOOTH, "--set", "val_dataloader={'batch_sice': 4}"], ("'val_dataloader.batch_sice'", "'batch_size'")),
        (
            [SMOOTH, "--set", "val_dataloader.sampler={'shufle': True}"],
            ("'val_dataloader.sampler.shufle'", "'shuffle'"),
        ),
        ([SMOOTH, "--set", "optim_wrapper={'clip_grat': None}"], ("'optim_wrapper.clip_grat'", "'clip_grad'")),
        ([SMOOTH, "--set", "global_batch=0"], ("global_batch", ">= 1", "0")),
        ([SMOOTH, "--set", "model.num_classes=0"], ("model.num_classes", ">= 1", "0")),
        ([SMOOTH, "--set", "data.num_train=-1"], ("data.num_train", ">= 1", "-1")),
        ([SMOOTH, "--set", "train_dataloader.num_workers=-1"], ("num_workers", ">= 0", "-1")),
        ([SMOOTH, "--set", "model.type=Foo"], ("model.type", "'Foo'")),
        ([SMOOTH, "--set", f"{TRAIN_SET}.jitter.form=authos"], ("'authos'", "'authors'")),
        ([SMOOTH, "--set", f"{TRAIN_SET}.crop.type=randm"], ("'randm'", "'random'")),
        ([SMOOTH, "--set", "model.backbone=None"], ("backbone", "timm/NAME")),
        ([SMOOTH, "--set", "val_evaluator.k=(1,20)"], ("val_evaluator.k", "1 and 5")),
        ([SMOOTH, "--set", "max_epochs=5", "--tier", "paper"], ("max_epochs=5", "tricks.schedule.warmup_epochs")),
        ([SMOOTH, "--set", "max_epochs"], ("--set", "key=value", "'max_epochs'")),
        ([SMOOTH, "--tier", "papr"], ("'papr'", "'paper'")),
        ([SMOOTH, "--tier", "paper"], ("data/imagenet1k/train", "<class>/*.jpg")),
        ([SMOOTH, "--data-root", "gone"], ("gone/train", "<class>/*.jpg")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_does_not_exist_is_refused_in_one_line_before_anything_is_written(tool, tmp_path, words, named):
    code, lines = tool("classification", *words)
    assert code == 2 and len(lines) == 1 and lines[0].startswith("error: ")
    assert [each for each in named if each not in lines[0]] == [], lines[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet50d_bset", "recipe 'resnet50d_bset' does not exist; did you mean 'resnet50d_best'?"),
        (
            "resnet50d_best",
            "card work/smoke/resnet50d_best/seed3/card.json does not exist; make it with: "
            "tools/train.py classification resnet50d_best --tier smoke --seed 3 --work-dir work",
        ),
        ("resnet50d_best+tricks.mixup-None", "resnet50d_best+tricks.mixup-None/seed3/card.json does not exist"),
    ],
)
def test_a_missing_backbone_is_told_with_the_command_that_makes_it(tool, name, message):
    code, lines = tool("detection", name, "--tier", "smoke", "--seed", "3", "--data-root", "voc")
    assert code == 2 and len(lines) == 1 and message in lines[0] and "voc" not in lines[0]


def test_data_of_another_size_is_refused_before_anything_is_written(tool, tmp_path, photos):
    code, lines = tool("classification", "resnet50d_smooth", "--data-root", str(photos))
    assert code == 2 and "holds 20 images in 10 classes" in lines[0] and "--set data.num_train=20" in lines[0]
    assert not list(tmp_path.iterdir())


class Deadly(Dataset):
    """Its second sample kills the process that loads it."""

    def __len__(self):
        return 2

    def __getitem__(self, place):
        if place:
            os.kill(os.getpid(), signal.SIGKILL)
        return place


def test_a_killed_process_that_loads_data_is_one_line_with_what_to_set(capfd):
    def main():
        for _ in DataLoader(Deadly(), num_workers=1):
            pass

    assert command_line.tool(main) == 2
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "DataLoader worker" in line and "train_dataloader.num_workers=1" in line


SHARED = "unable to allocate shared memory(shm) for file </torch_2_3_0>: No space left on device (28)"


@pytest.mark.parametrize(
    ("words", "said"),  # torch's words
    [
        (f"Caught RuntimeError in DataLoader worker process 0.\nRuntimeError: {SHARED}\n", f"{SHARED}; memory or /dev"),
        ("DataLoader worker (pid(s) 7, 8) exited unexpectedly", "worker (pid(s) 7, 8) exited unexpectedly; memory"),
        ("DataLoader worker (pid 7) is killed by signal: Bus error. It is ...", "killed by signal: Bus error; memory"),
        ("CUDA out of memory. Tried to allocate 2 GiB. GPU 0 ...", "CUDA out of memory; --accumulate 2"),
        ("operator torchvision::nms does not exist", "does not exist; torch and torchvision are of two releases"),
    ],
)
def test_little_memory_is_one_line_with_what_to_set(capfd, words, said):
    def main():
        raise RuntimeError(words)

    assert command_line.tool(main) == 2
    assert said in capfd.readouterr().err


def test_a_run_that_another_driver_finished_meanwhile_is_not_trained_again(monkeypatch):
    run, states = Run("classification", "resnet50d_random", "smoke"), iter(["started", "done"])
    monkeypatch.setattr(training, "state", lambda run, cfg: (next(states), []))
    monkeypatch.setattr(training, "read", lambda path: f"the other's result in {path}")
    for name in ("check_data", "check_same_data"):
        monkeypatch.setattr(training, name, lambda run: None)
    for name in ("begin", "fit"):
        monkeypatch.setattr(training, name, lambda *_: pytest.fail("it is trained again"))
    assert training.train(run) == f"the other's result in {run.folder / 'metrics.json'}"
    assert not list(run.folder.parent.glob(".*")), "its claim is gone"


def test_a_fault_of_the_program_keeps_its_traceback():
    def main():
        raise RuntimeError("Caught RuntimeError in DataLoader worker process 0.\nTraceback ...\nRuntimeError: mat1 ...")

    with pytest.raises(RuntimeError, match="mat1"):
        command_line.tool(main)


def test_a_batch_that_does_not_divide_is_refused_before_anything_is_written(tool, tmp_path, photos):
    code, lines = tool(*RUN, *SET, "--accumulate", "3", "--data-root", str(photos))
    assert code == 2 and len(lines) == 1 and "4 does not divide over 1 devices x 3 accumulated" in lines[0]
    assert not list(tmp_path.iterdir())


def test_a_truncated_jpeg_ends_the_run_with_its_name_and_is_skipped_and_counted_if_asked(tool, tmp_path, photos):
    root = shutil.copytree(photos, tmp_path / "photos")
    path = min((root / "val" / "class0").iterdir())
    path.write_bytes(path.read_bytes()[:-200])
    sets = [*SET, "max_epochs=0", "val_dataloader.num_batch_per_epoch=None"]
    code, lines = tool(*RUN, *sets, "val_dataloader.num_workers=1", "--data-root", str(root))
    assert code == 2 and str(path) in lines[-1] and "skip_broken=True" in lines[-1]
    assert not list(tmp_path.rglob("metrics.json"))
    with pytest.warns(UserWarning, match=f"skipped: {path}"):
        code, _ = tool(*RUN, *sets, "val_dataloader.dataset.skip_broken=True", "--data-root", str(root))
    (result,) = tmp_path.glob("work/smoke/*/seed0/classification/metrics.json")
    assert code == 0 and json.loads(result.read_text())["samples_scored"] == 10


QUICK = [*RUN, *SET, "max_epochs=0"]


@pytest.fixture
def folder(tool, tmp_path):
    """The folder of the run QUICK; made after `tool`, which moves to an empty one."""
    from trick_transfer.runs.command import parse_sets
    from trick_transfer.runs.run import Run

    return tmp_path / Run(RUN[0], RUN[1], "smoke", sets=parse_sets(QUICK[QUICK.index("--set") + 1 :])).folder


@pytest.mark.parametrize(
    ("name", "message"), [("config.json", "is not JSON; move"), ("latest.pth", "is not a whole checkpoint;")]
)
def test_a_corrupt_file_of_a_run_is_named_and_left_alone(tool, folder, photos, name, message):
    folder.mkdir(parents=True)
    (folder / name).write_text("{half")
    code, lines = tool(*QUICK, "--data-root", str(photos))
    assert code == 2 and len(lines) == 1 and f"{folder.name}/{name} {message}" in lines[0]
    assert (folder / name).read_text() == "{half"


def test_a_checkpoint_that_holds_code_is_refused_on_a_resume_and_the_code_is_not_run(tool, folder, photos):
    class Malicious:
        def __reduce__(self):
            return Path.mkdir, (Path("pwned"),)

    folder.mkdir(parents=True)
    torch.save({"meta": {}, "state_dict": {}, "message_hub": Malicious()}, folder / "latest.pth")
    code, lines = tool(*QUICK, "--data-root", str(photos))
    assert code == 2 and "could run code" in lines[-1] and f"delete {folder.relative_to(Path.cwd())}" in lines[-1]
    assert (folder / "latest.pth").is_file() and not Path("pwned").exists()


def test_a_training_that_diverges_ends_at_its_first_loss_that_is_no_number_and_leaves_no_card(tool, tmp_path, photos):
    code, lines = tool(*RUN, *SET, "optim_wrapper.optimizer.lr=1e8", "--precision", "fp32", "--data-root", str(photos))
    told = r"error: the loss is (nan|inf) at step \d, in epoch [12], with a rate of [\d.e+]+; .* lower .*optimizer\.lr"
    assert code == 2 and re.match(told, lines[-1]), lines[-1]
    assert not [*tmp_path.rglob("card.json"), *tmp_path.rglob("metrics.json")]


def test_two_runs_at_once_in_one_folder_are_refused(tool, folder, photos):
    from trick_transfer.engine.claim import alone

    with alone(folder):
        code, lines = tool(*QUICK, "--data-root", str(photos))
    assert code == 2
    named = re.escape(str(folder.relative_to(Path.cwd())))
    assert len(lines) == 1 and re.match(rf"error: another process writes {named} \(process {os.getpid()} on ", lines[0])
    assert not folder.exists()


def test_what_another_config_made_is_kept_and_a_result_counts_once_it_stands_in_results(
    tool, folder, photos, tmp_path, monkeypatch
):
    # runs that begin within one second are runs of their own
    monkeypatch.setattr(time, "strftime", lambda *_: "20261125_004410")
    words = (*QUICK, "--data-root", str(photos))
    (tmp_path / "work" / "results").parent.mkdir()
    (tmp_path / "work" / "results").write_text("in the way")
    code, lines = tool(*words)
    assert code == 2 and "results" in lines[-1] and not (folder / "metrics.json").exists()
    (tmp_path / "work" / "results").unlink()
    assert tool(*words)[0] == 0
    assert len(list((tmp_path / "work" / "results").rglob("metrics.json"))) == 1 and (folder / "metrics.json").is_file()

    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"global_batch": 8}))
    code, lines = tool(*words)
    assert code == 0, lines
    assert "changed in global_batch" in lines[0] and "classification.20261125_004410" in lines[0]
    (kept,) = folder.parent.glob("classification.*")
    assert (kept / "model.safetensors").is_file() and (kept / "metrics.json").is_file()


def test_a_checkpoint_is_scored_without_the_teacher_and_one_that_does_not_fit_is_named(tool, photos, tmp_path):
    from classification.classifier import ImageClassifier
    from trick_transfer.engine.files import write_tensors
    from trick_transfer.runs.command import parse_sets
    from trick_transfer.runs.run import Run
    from trick_transfer.runs.scoring import score

    run = Run("classification", "resnet50d_best", "smoke", sets=parse_sets(SET[1:]), data_root=photos)
    for depth in (18, 34):
        model = ImageClassifier(dict(type="backbones.ResNet", depth=depth, tweak="bcd"), num_classes=10)
        write_tensors(tmp_path / f"{depth}.safetensors", model.state_dict())
    assert score(run, tmp_path / "18.safetensors")["samples_scored"] == 8  # two batches of four
    with pytest.raises(ValueError, match=r"34\.safetensors does not fit ImageClassifier: .* backbone\.stage1\.2"):
        score(run, tmp_path / "34.safetensors")
