"""The task as a stage: this file, and one line in trick_transfer/stages.py (which the test adds)."""

from pathlib import Path

import numpy as np

from backbones.fine_tuning import FineTuning
from trick_transfer.engine import pictures
from trick_transfer.engine.stage import Metric, Outputs


class ToyTask(FineTuning):
    name = "toy_task"
    data_set = "toy"
    folder = Path(__file__).parent
    protocols = ("brightness", "brightness_swept")
    metrics = (Metric("bright", "brightness accuracy", required=True, headline=True),)

    def image_sizes(self, cfg):
        yield 80, 96

    def check_data(self, cfg, training=True):
        if not list(self.root(cfg).rglob("*.jpg")):
            raise FileNotFoundError(f"no image in {self.root(cfg)}")

    def outputs(self, arrays):
        return Outputs(arrays["names"], lambda weights: {"bright": 100 * (arrays["hits"] @ weights) / weights.sum(0)})

    def shown(self, sample, found):
        return np.ascontiguousarray(sample["inputs"].permute(1, 2, 0).numpy())

    def draw(self, picture, found, classes):
        return pictures.write(picture, "right" if found["hit"] else "wrong")


TOY_TASK = ToyTask()
