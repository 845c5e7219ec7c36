"""Scalars and predictions arrive in real trackers, and a missing one is named before anything is trained."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from detection.stage import DETECTION
from segmentation.stage import SEGMENTATION
from trick_transfer.engine.pictures import GREEN, HEIGHT_PX
from trick_transfer.runs import resolve

TRAIN = str(Path(__file__).parents[1] / "tools" / "train.py")
EPOCHS = 2
SETS = [f"max_epochs={EPOCHS}", "model.backbone.depth=18", "data.num_train=20", "data.num_val=11"]


def train(folder, photos, *options):
    words = [TRAIN, "classification", "resnet50d_mixup", "--tier", "smoke", "--data-root", str(photos), *options]
    run = subprocess.run(
        [sys.executable, *words, "--set", *SETS], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr


def test_tensorboard_shows_scalars_and_a_picture_an_epoch_without_being_asked(photos, tmp_path):
    train(tmp_path, photos)
    files = [EventAccumulator(str(path)).Reload() for path in tmp_path.rglob("events.out.tfevents*")]
    scalars = {tag for each in files for tag in each.Tags()["scalars"]}
    assert {"loss", "lr", "top1", "top5"} <= scalars
    pictures = [image.step for each in files if each.Tags()["images"] for image in each.Images("predictions.png")]
    assert sorted(pictures) == [1, 2]


@pytest.mark.slow
def test_mlflow_keeps_them_in_a_local_sqlite_file(photos, tmp_path):
    train(tmp_path, photos, "--tracker", "mlflow")
    client = MlflowClient(f"sqlite:///{tmp_path}/work/mlflow.db")
    (experiment,) = (each for each in client.search_experiments() if each.name == "trick-transfer smoke")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name.endswith("classification seed0") and run.info.status == "FINISHED"
    assert len(client.get_metric_history(run.info.run_id, "top1")) == EPOCHS + 1  # and the scoring at the end
    assert "predictions.png" in {each.path for each in client.list_artifacts(run.info.run_id)}


def test_a_tracker_that_is_not_installed_is_named_with_the_fix(monkeypatch):
    monkeypatch.setattr(resolve, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"--tracker wandb .*pip install 'trick-transfer\[wandb\]'"):
        resolve.check_tracker("wandb")
    resolve.check_tracker("none")


@pytest.fixture
def black(tmp_path):
    path = tmp_path / "black.png"
    Image.fromarray(np.zeros((HEIGHT_PX, 2 * HEIGHT_PX, 3), np.uint8)).save(path)
    return str(path)


def test_boxes_are_drawn_where_they_are_and_weak_ones_not(black):
    found = BaseDataElement(metainfo=dict(img_path=black, ori_shape=(HEIGHT_PX, 2 * HEIGHT_PX)))
    boxes = torch.tensor([[20.0, 40.0, 120.0, 150.0], [200.0, 40.0, 300.0, 150.0]])
    found.pred_instances = InstanceData(bboxes=boxes, labels=torch.tensor([1, 0]), scores=torch.tensor([0.9, 0.1]))
    picture = DETECTION.draw(DETECTION.shown({}, found), found, ("cat", "dog"))
    assert picture.shape == (HEIGHT_PX, 2 * HEIGHT_PX, 3)
    assert tuple(picture[100, 20]) == tuple(picture[150, 70]) == GREEN
    assert not picture[:, 160:].any()


def test_each_class_of_a_mask_has_a_colour_of_its_own(black):
    found = BaseDataElement(metainfo=dict(img_path=black))
    mask = torch.zeros(1, HEIGHT_PX, 2 * HEIGHT_PX, dtype=torch.int64)
    mask[:, :, HEIGHT_PX:] = 1
    found.pred_sem_seg = PixelData(data=mask)
    picture = SEGMENTATION.draw(SEGMENTATION.shown({}, found), found, ("grass", "sand"))[:50]  # above the names
    assert tuple(picture[5, 5]) != tuple(picture[5, -5])
    assert (picture[:, : HEIGHT_PX - 1] == picture[5, 5]).all() and (
        picture[:, HEIGHT_PX + 1 :] == picture[5, -5]
    ).all()
