"""A command as several processes: srun's tasks find each other as torchrun's processes do."""

import os
import socket
import stat
import subprocess
import sys
from argparse import ArgumentParser
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from trick_transfer.engine.processes import backend
from trick_transfer.runs.command import add_nodes, nodes_of
from trick_transfer.runs.launch import Nodes, first_node, launch, own_address, slurm_ranks

ROOT = str(Path(__file__).parents[1])
TRAIN = f"{ROOT}/tools/train.py"
STEP = {"SLURM_JOB_ID": "4711", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NODELIST": "localhost"}
TASKS = [STEP | {"SLURM_PROCID": str(task), "SLURM_LOCALID": str(task)} for task in range(2)]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost"}),
        ({"SLURM_LOCALID": "0", "MASTER_ADDR": "head", "MASTER_PORT": "1234"},
         {"RANK": "1", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "head", "MASTER_PORT": "1234"}),
        ({"SLURM_STEP_NUM_TASKS": "1"}, {}),  # a shell of srun's, or one process that starts others
        ({"RANK": "0"}, {}),  # torchrun, started by srun
    ],
)  # fmt: skip
def test_a_task_of_srun_has_torchruns_variables(changed, expected):
    found = slurm_ranks(TASKS[1] | changed)
    port = int(found.get("MASTER_PORT", "1024"))
    assert found | {"MASTER_PORT": ""} == expected | {"MASTER_PORT": ""} and 1023 < port < 32768
    assert expected.get("MASTER_PORT", str(port)) == str(port)


def test_a_batch_script_without_srun_is_one_process():
    assert slurm_ranks({"SLURM_JOB_ID": "4711", "SLURM_NTASKS": "8", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}) == {}


def test_two_steps_of_a_job_have_ports_of_their_own():
    assert len({slurm_ranks(TASKS[0] | {"SLURM_STEP_ID": str(step)})["MASTER_PORT"] for step in range(31)}) == 31


def test_scontrol_tells_the_first_of_several_nodes(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="MASTER_ADDR"):
        first_node("gpu[01-04,7]")
    scontrol = tmp_path / "scontrol"
    scontrol.write_text('#!/bin/sh\n[ "$*" = "show hostnames gpu[01-04,7]" ] && echo gpu01 && echo gpu02\n')
    scontrol.chmod(scontrol.stat().st_mode | stat.S_IXUSR)
    assert first_node("gpu[01-04,7]") == "gpu01"
    assert first_node("gpu01") == "gpu01"


def test_a_command_that_starts_others_is_refused_in_several_tasks(monkeypatch):
    for name, value in TASKS[0].items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ValueError, match="--ntasks 1.*--gpus 2"):
        launch(["train", "--help"])


@pytest.mark.parametrize(
    ("gpus", "processes", "expected"),
    [(0, "1", "gloo"), (0, "2", "gloo"), (1, "1", "nccl"), (8, "8", "nccl"), (1, "2", "gloo"), (1, None, "nccl")],
)  # the last: a task of srun that is shown one GPU of eight
def test_processes_talk_by_nccl_unless_they_share_a_gpu(monkeypatch, gpus, processes, expected):
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    if processes:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
    assert backend() == expected


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--nnodes", "2"], "--nnodes and --rdzv go together"),
        (["--rdzv", "node1:29400"], "--nnodes and --rdzv go together"),
        (["--nnodes", "2", "--rdzv", "node1"], "--rdzv takes HOST:PORT, such as node1:29400, not 'node1'"),
    ],
)
def test_nodes_need_a_place_to_meet(words, said):
    parser = ArgumentParser()
    add_nodes(parser)
    assert nodes_of(parser.parse_args([])) is None
    assert nodes_of(parser.parse_args(["--nnodes", "2", "--rdzv", "[::1]:29400"])) == (2, "[::1]", 29400)
    with pytest.raises(ValueError, match=said):
        nodes_of(parser.parse_args(words))


def test_a_place_to_meet_that_is_not_found_is_named():
    with pytest.raises(OSError, match="--rdzv no.such.host.invalid:29400: .*name one of the nodes"):
        own_address(Nodes(2, "no.such.host.invalid", 29400))
    assert own_address(Nodes(2, "localhost", 29400)) == "localhost", "the name by which the others reach it"


@pytest.mark.slow
def test_sruns_tasks_and_two_nodes_train_as_torchruns_processes_do(photos, tmp_path):
    sets = ["max_epochs=1", "model.backbone.depth=18", "data.num_train=20", "data.num_val=11"]
    sets += ["train_dataloader.num_workers=0", "val_dataloader.num_workers=0"]
    words = [TRAIN, "classification", "resnet50d_mixup", "--tier", "smoke", "--data-root", str(photos), "--set", *sets]
    folders = by_torchrun, by_srun, by_nodes = tmp_path / "torchrun", tmp_path / "srun", tmp_path / "nodes"
    for folder in folders:
        folder.mkdir()
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", *words]
    subprocess.run(run, cwd=by_torchrun, check=True, capture_output=True)
    tasks = [subprocess.Popen([sys.executable, *words], cwd=by_srun, env=os.environ | task) for task in TASKS]
    assert [task.wait(300) for task in tasks] == [0, 0]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        there = f"localhost:{free.getsockname()[1]}"
    node = [sys.executable, *words, "--nnodes", "2", "--rdzv", there]
    nodes = [subprocess.Popen(node, cwd=by_nodes) for _ in range(2)]
    assert [each.wait(300) for each in nodes] == [0, 0]
    weights = [next((folder / "work").rglob("model.safetensors")).read_bytes() for folder in folders]
    assert len({sha256(each).hexdigest() for each in weights}) == 1


SYNCHRONISED = """
import torch
from torch import nn
from trick_transfer.runs.group import processes
with processes() as devices:
    rank, where = torch.distributed.get_rank(), torch.device("cuda")
    torch.manual_seed(0)
    images = torch.randn(8, 5, 7, 7).to(where)
    alone = nn.BatchNorm2d(5).to(where)
    nn.init.uniform_(alone.weight)
    shared = nn.SyncBatchNorm.convert_sync_batchnorm(nn.BatchNorm2d(5)).to(where)
    shared.load_state_dict(alone.state_dict())
    shared = nn.parallel.DistributedDataParallel(shared)
    own = slice(4 * rank, 4 * rank + 4)
    expected, found = alone(images)[own], shared(images[own])
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(shared.module.running_var, alone.running_var)
    alone(images).square().mul(images).mean().backward()
    shared(images[own]).square().mul(images[own]).mean().backward()
    torch.testing.assert_close(shared.module.weight.grad, alone.weight.grad)
    print(torch.distributed.get_backend(), devices)
"""


@pytest.mark.gpu
def test_batch_norm_of_two_processes_on_gpus_sees_the_whole_batch(tmp_path):
    script = tmp_path / "synchronised.py"
    script.write_text(SYNCHRONISED)
    path = os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]
    done = subprocess.run(run, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [("nccl" if torch.cuda.device_count() > 1 else "gloo"), "2"] * 2
