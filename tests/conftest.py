"""What all tests share: one thread, an empty folder to run in, and a small class-folder data set of real JPEGs."""

import os

# Before torch is imported, here and in the tests' own processes: threads that wait for each other make tiny networks
# some ten times slower once the cores are busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from trick_transfer import mini

CLASSES = 10
TRAIN_PER_CLASS, VAL = 2, 11  # an odd number of validation images: two processes cannot share them evenly


def cut(photo, number):
    """A part of a photograph, 96x80 px."""
    random = np.random.default_rng(number)
    y, x = random.integers(photo.shape[0] - 240), random.integers(photo.shape[1] - 300)
    return Image.fromarray(photo[y : y + 240, x : x + 300]).resize((96, 80))


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """root/{train,val}/<class>/*.jpg of 10 classes; 20 images to train on, 11 to score. Not to be changed."""
    root = tmp_path_factory.mktemp("photos")
    sources = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket()]
    counts = [("train", i % CLASSES) for i in range(CLASSES * TRAIN_PER_CLASS)]
    counts += [("val", i % CLASSES) for i in range(VAL)]
    for number, (split, label) in enumerate(counts):
        folder = root / split / f"class{label}"
        folder.mkdir(parents=True, exist_ok=True)
        cut(sources[label % len(sources)], number).save(folder / f"{number:02d}.jpg", quality=90)
    return root


def pytest_runtest_setup(item):
    """Tests marked `gpu` need one; a test of a device has a twin on the CPU by the fixture `device`."""
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request, monkeypatch):
    """Each device in turn, also for processes that a test starts; CUDA adds in fp32, not TF32, as the CPU does."""
    if request.param == "cpu":
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    return request.param


@pytest.fixture(scope="session")
def cache_home(tmp_path_factory):
    """A folder for what can be computed again, of all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path, cache_home):
    """Each test runs in an empty folder: none reads or writes this clone's work/, data/ or results/, or ~/.cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A folder whose data/mini is the embedded benchmark, made once."""
    folder = tmp_path_factory.mktemp("home")
    mini.make(folder / "data" / "mini")
    return folder
