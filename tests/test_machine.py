"""tools/doctor.py: what a machine lacks is named with the mend, and the exit code says so."""

import sys
from collections import namedtuple

import pytest

from trick_transfer.commands import doctor
from trick_transfer.runs import machine

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def told(monkeypatch, capsys):
    def tell():
        monkeypatch.setattr(sys, "argv", ["doctor"])
        code = doctor.main()
        return code, {line[8:21].strip(): line for line in capsys.readouterr().out.splitlines()}

    return tell


def test_a_machine_with_room_can_train_and_every_check_says_what_it_found(told, monkeypatch, tmp_path):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: Usage(64e9, 0, 64e9))
    monkeypatch.setattr(machine, "MEMORY", tmp_path / "meminfo")
    machine.MEMORY.write_text("MemTotal: 16000000 kB\nMemAvailable:   8000000 kB\n")
    code, lines = told()
    assert lines.keys() == machine.CHECKS.keys()
    assert [line for line in lines.values() if not line.startswith("ok ")] == [] and code == 0
    assert "onedl-mmdetection 3." in lines["packages"] and "low precision: " in lines["processor"]
    assert "8.2 GB free" in lines["memory"] and "64.0 GB free" in lines["disk"]


def test_little_shared_memory_is_named_with_both_ways_out(told, monkeypatch):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: Usage(64e6, 0, 64e6))  # Docker's default
    code, lines = told()
    assert code == 1 and lines["shared memory"].startswith("failed")
    assert "--shm-size" in lines["shared memory"] and "train_dataloader.num_workers=0" in lines["shared memory"]
    assert lines["disk"].startswith("failed") and "--work-dir" in lines["disk"]


def test_packages_that_do_not_fit_each_other_are_a_failed_check(told, monkeypatch):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist\nmore")

    monkeypatch.setattr(machine, "import_module", broken)
    code, lines = told()
    assert code == 1 and "torchvision does not import (operator torchvision::nms does not exist)" in lines["packages"]
