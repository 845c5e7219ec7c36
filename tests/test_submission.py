import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from classification.registry import MODELS
from trick_transfer.runs.run import Run

ROOT = Path(__file__).parents[1]
SETS = ("data.num_train=20", "data.num_val=11", "global_batch=4")


def score_again(recipe, data, *words):
    """tools/test.py in a process of its own."""
    words = ["classification", recipe, "--tier", "mini", "--data-root", data, *words]
    command = [sys.executable, str(ROOT / "tools" / "test.py"), *words]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def data(photos, tmp_path_factory):
    """The class folders, and the validation images once more without their labels."""
    root = tmp_path_factory.mktemp("places") / "data"
    shutil.copytree(photos, root)
    (root / "test").mkdir()
    for path in sorted((root / "val").glob("*/*.jpg")):
        shutil.copy(path, root / "test" / f"{path.parent.name}-{path.name}")
    return root


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Weights as they start."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "start.safetensors"
    save_file(MODELS.build(Run("classification", "resnet50d_best_places365").config().model).state_dict(), path)
    return path


@pytest.mark.slow
def test_a_submission_names_each_image_and_the_five_classes_that_scoring_ranks_best(data, checkpoint, tmp_path):
    words = ("resnet50d_best_places365", data, "--checkpoint", checkpoint)
    written = score_again(*words, "--submission", tmp_path / "pred.txt")
    assert written.returncode == 0, written.stderr
    lines = [line.split(" ") for line in (tmp_path / "pred.txt").read_text().splitlines()]
    assert [line[0] for line in lines] == sorted(path.name for path in (data / "test").iterdir())
    scored = score_again(*words, "--outputs", tmp_path / "outputs.npz", "--set", *SETS)
    assert scored.returncode == 0, scored.stderr
    ranked = np.load(tmp_path / "outputs.npz")["ranked"]
    assert [[int(label) for label in line[1:]] for line in lines] == ranked.tolist()


@pytest.mark.slow
def test_a_missing_folder_of_images_and_another_stage_are_refused_in_one_line(photos, checkpoint, tmp_path):
    run = score_again(
        "resnet50d_best_places365", photos, "--checkpoint", checkpoint, "--submission", tmp_path / "pred.txt"
    )
    assert run.returncode == 2 and run.stderr.count("\n") == 1
    assert f"{photos}/test holds no image" in run.stderr and not list(tmp_path.iterdir())
