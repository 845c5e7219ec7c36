"""tools/doctor.py: what a machine lacks is named with the mend, and the exit code says so, on any machine."""

import resource
import sys
import time
from collections import namedtuple

import pytest
import torch

from trick_transfer import command_line
from trick_transfer.commands import doctor
from trick_transfer.engine import limits, processes
from trick_transfer.engine.precision import low_precision
from trick_transfer.runs import devices, machine

Usage = namedtuple("Usage", "total used free")
GB = 10**9


@pytest.fixture
def sound(monkeypatch, tmp_path):
    """A machine that has all, whatever this one has; a test takes something away."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: Usage(64 * GB, 0, 64 * GB))
    monkeypatch.setattr(machine, "MEMORY", tmp_path / "MEMORY")
    monkeypatch.setattr(limits, "GROUPS", tmp_path / "cgroup")
    machine.MEMORY.write_text("MemTotal: 16000000 kB\nMemAvailable:   8000000 kB\n")
    monkeypatch.setattr(machine.resource, "getrlimit", lambda which: (4096, 4096))
    monkeypatch.setattr(machine, "git", lambda *words: str(int(time.time()) - 60))
    monkeypatch.setattr(devices, "DRIVER", tmp_path / "driver")
    monkeypatch.setattr(devices, "seconds_of", lambda dtype: 0.01 if dtype == low_precision() else 0.02)
    return monkeypatch


@pytest.fixture
def told(monkeypatch, capsys):
    def tell():
        monkeypatch.setattr(sys, "argv", ["doctor"])
        code = doctor.main()
        return code, {line[8:21].strip(): line for line in capsys.readouterr().out.splitlines()}

    return tell


def test_a_machine_with_room_can_train_and_every_check_says_what_it_found(sound, told):
    code, lines = told()
    assert lines.keys() == machine.CHECKS.keys()
    assert [line for line in lines.values() if not line.startswith("ok ")] == [] and code == 0
    assert "onedl-mmdetection 3." in lines["packages"] and "runs take " in lines["precisions"]
    assert "8.2 GB free" in lines["memory"] and "64.0 GB free" in lines["disk"]
    assert "4096" in lines["open files"] and "torchvision's" in lines["mmcv's ops"]


def small_disk(monkeypatch):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: Usage(64e6, 0, 64e6))  # Docker's default


def group_of(**files):
    """This process's control group, as the kernel shows it in a container."""
    limits.GROUPS.mkdir()
    for name, text in files.items():
        (limits.GROUPS / name.replace("_", ".", 1)).write_text(f"{text}\n")


def small_container(monkeypatch):
    group_of(memory_max=2 * GB, memory_current=GB, memory_stat="anon 0\ninactive_file 900000000")


def full_container(monkeypatch):
    group_of(memory_max=8 * GB, memory_current=7 * GB, memory_stat="anon 7000000000\ninactive_file 0")


def slow_container(monkeypatch):
    group_of(cpu_max="50000 100000")
    monkeypatch.setattr(devices.torch, "get_num_threads", lambda: 64)


def low_limit(monkeypatch):
    monkeypatch.setattr(machine.resource, "getrlimit", lambda which: (256, resource.RLIM_INFINITY))  # macOS's


def fixed_low_limit(monkeypatch):
    monkeypatch.setattr(machine.resource, "getrlimit", lambda which: (256, 512))


def read_only(monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(machine, "TemporaryFile", refuse)  # root may write everywhere


def clock_behind_the_disk(monkeypatch):
    now = time.time()
    monkeypatch.setattr(machine.time, "time", lambda: now - 3600)


def clock_behind_the_commit(monkeypatch):
    monkeypatch.setattr(machine, "git", lambda *words: str(int(time.time()) + 3600))


def hidden_gpu(monkeypatch):
    devices.DRIVER.touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def no_low_precision(monkeypatch):
    def refuse(dtype):
        if dtype == low_precision():
            raise RuntimeError("not implemented for this type\nmore")
        return 0.02

    monkeypatch.setattr(devices, "low_precision", lambda name=None: devices.PRECISIONS[name or "bf16"])
    monkeypatch.setattr(
        devices, "seconds_of", lambda dtype: refuse(low_precision()) if dtype != torch.float32 else 0.02
    )


def ops_of_another_release(monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("operator torchvision::nms does not exist\nmore")

    monkeypatch.setattr(devices, "roi_align", broken)


@pytest.mark.parametrize(
    ("fault", "check", "words"),
    [
        (small_disk, "shared memory", ["--shm-size", "train_dataloader.num_workers=0"]),
        (small_disk, "disk", ["--work-dir"]),
        (small_container, "memory", ["1.90 GB free", "--accumulate 2"]),
        (full_container, "memory", ["1.00 GB free", "--accumulate 2"]),
        (slow_container, "processor", ["threads: 64, cores: 1;", "OMP_NUM_THREADS=1"]),
        (low_limit, "open files", ["256", "ulimit -n 1024"]),
        (fixed_low_limit, "open files", ["256", "--ulimit nofile"]),
        (read_only, "write rights", ["work/", "Permission denied", "--work-dir"]),
        (clock_behind_the_disk, "clock", ["+3600 s", "NTP"]),
        (clock_behind_the_commit, "clock", ["commit", "NTP"]),
        (hidden_gpu, "processor", ["sees no GPU", "--gpus all", "--nv"]),
        (no_low_precision, "precisions", ["bf16", "not implemented for this type)", "--precision fp32"]),
        (ops_of_another_release, "mmcv's ops", ["nms does not exist)", "make setup"]),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_is_missing_is_named_with_the_way_out(fault, check, words, sound, told):
    fault(sound)
    code, lines = told()
    assert code == 1 and lines[check].startswith("failed")
    assert [word for word in words if word not in lines[check]] == []


def test_the_lowest_limit_of_a_group_and_those_above_counts(monkeypatch, tmp_path):
    monkeypatch.setattr(limits, "GROUPS", tmp_path)
    monkeypatch.setattr(limits, "OWN", tmp_path / "own")
    assert limits.cores_allowed() == limits.memory_free() == float("inf"), "no group, no limit"
    limits.OWN.write_text("0::/job.slice/step\n")
    step = tmp_path / "job.slice" / "step"
    step.mkdir(parents=True)
    (step / "cpu.max").write_text("max 100000\n")
    (step.parent / "cpu.max").write_text("250000 100000\n")
    assert limits.cores_allowed() == 2.5
    monkeypatch.setattr(processes.os, "sched_getaffinity", lambda pid: range(64), raising=False)
    assert processes.cores() == 3
    for folder, free in ((step, 900), (step.parent, 400)):
        (folder / "memory.max").write_text("1000\n")
        (folder / "memory.current").write_text(f"{1100 - free}\n")
        (folder / "memory.stat").write_text("inactive_file 100\n")
    assert limits.memory_free() == 400, "what the kernel holds of files is free"


def test_packages_that_do_not_fit_each_other_are_a_failed_check(sound, told):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist\nmore")

    sound.setattr(machine, "import_module", broken)
    code, lines = told()
    assert code == 1 and "torchvision does not import (operator torchvision::nms does not exist)" in lines["packages"]


def test_a_gpu_that_is_busy_or_broken_is_a_failed_check(sound, told):
    def busy():
        raise RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable\nCUDA kernel errors might ...")

    sound.setitem(machine.CHECKS, "processor", busy)
    code, lines = told()
    assert code == 1 and lines["processor"].endswith("busy or unavailable") and lines["packages"].startswith("ok")


def test_a_missing_package_is_one_line_in_every_command(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'mmdet'")

    monkeypatch.setattr(command_line, "import_module", missing)
    with pytest.raises(ValueError, match="No module named 'mmdet'; make setup installs"):
        command_line.imported("doctor")


def test_a_precision_that_does_not_pay_is_told_with_the_one_that_does(sound):
    sound.setattr(devices, "low_precision", lambda name=None: devices.PRECISIONS[name or "bf16"])
    sound.setattr(devices, "seconds_of", {torch.float32: 0.02, torch.bfloat16: 0.04, torch.float16: 0.2}.get)
    said = devices.precisions()
    assert "fp32 1.00 x, bf16 0.50 x, fp16 0.10 x" in said and "runs take bf16" in said and "--precision fp32" in said


def test_a_step_is_timed_without_the_first_one(monkeypatch):
    monkeypatch.setattr(devices, "TURN_SECONDS", 0.0)
    ticks = iter([0.0, 1.0, 9.0, 10.0, 10.5, 11.0])  # the turn's begin, begin and end of two steps, is it over?
    monkeypatch.setattr(devices.time, "perf_counter", lambda: next(ticks))
    assert devices.seconds_of(torch.float32) == 0.5
