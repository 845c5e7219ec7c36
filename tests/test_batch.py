"""A global batch gives the same update however it is spread, up to batch norms' statistics: here there are none."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

ROOT = Path(__file__).parents[1]
TRAIN = str(ROOT / "tools" / "train.py")
SETS = [
    "model.backbone.model=convnext_atto",
    "model.data_preprocessor.pca_std=0.0",  # each device draws its own
    *("global_batch=64", "data.num_train=128", "data.num_val=11"),
    *("train_dataloader.num_batch_per_epoch=None", "val_dataloader.num_batch_per_epoch=None"),
]
WAYS = {
    "2 x 32": (("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"), ()),
    "2 x 16 x 2": (("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"), ("--accumulate", "2")),
}


@pytest.fixture(scope="module")
def many_photos(photos, tmp_path_factory):
    """128 files to train on: two steps of 64."""
    root = shutil.copytree(photos, tmp_path_factory.mktemp("many") / "photos")
    (root / "manifest.sha256").unlink(missing_ok=True)
    files = sorted((root / "train").rglob("*.jpg"))
    for i in range(128 - len(files)):
        source = files[i % len(files)]
        shutil.copy(source, source.with_name(f"more{i:03d}.jpg"))
    return root


def trained(folder, root, starter=(), options=()):
    """The weights after one epoch in fp32."""
    words = [*starter, TRAIN, "classification", "seresnext50_baseline", "--tier", "smoke", "--data-root", str(root)]
    folder.mkdir(exist_ok=True)
    command = [sys.executable, *words, "--set", *SETS, *options]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stderr
    (weights,) = folder.rglob("model.safetensors")
    return load_file(weights)


@pytest.fixture(scope="module")
def in_one_process(many_photos, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("one"), many_photos)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_two_processes_with_or_without_accumulation_end_where_one_does(tmp_path, many_photos, in_one_process, way):
    weights = trained(tmp_path, many_photos, *WAYS[way])
    assert weights.keys() == in_one_process.keys()
    for name, tensor in weights.items():
        assert (tensor - in_one_process[name]).abs().max() < 1e-5, name


@pytest.mark.gpu
def test_two_processes_on_one_gpu_with_accumulation_end_where_one_does(tmp_path, many_photos, monkeypatch):
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")  # which would round the two differently
    one, two = (trained(tmp_path / way, many_photos, *WAYS.get(way, ())) for way in ("1 x 64", "2 x 16 x 2"))
    assert max((tensor - one[name]).abs().max() for name, tensor in two.items()) < 1e-4


@pytest.mark.slow
def test_another_global_batch_ends_elsewhere(tmp_path, many_photos, in_one_process):
    weights = trained(tmp_path, many_photos, options=("--set", "global_batch=32"))
    assert max((tensor - in_one_process[name]).abs().max() for name, tensor in weights.items()) > 1e-4
