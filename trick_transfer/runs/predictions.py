"""What the network predicts on a few images after every epoch, as one picture for the tracker."""

import warnings
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from trick_transfer.engine.checkpoint import unwrapped
from trick_transfer.engine.pictures import fit
from trick_transfer.registry import HOOKS
from trick_transfer.stages import STAGES

NAME = "predictions.png"  # MLflow takes a picture's format from its name
IMAGES = 4


@HOOKS.register_module()
class ShowPredictions(Hook):
    """`IMAGES` validation images, evenly spread, side by side, drawn by their stage.

    A picture that cannot be drawn never ends a training: it is left out, with one warning.
    """

    priority = "LOW"

    def __init__(self, stage: str) -> None:
        self.stage = STAGES[stage]
        self.failed = False

    def after_train_epoch(self, runner: Any) -> None:
        if not is_main_process() or self.failed:
            return
        try:
            runner.visualizer.add_image(NAME, self.picture(runner), runner.epoch + 1)
        except Exception as error:
            self.failed = True
            warnings.warn(f"predictions are not drawn: {error}", stacklevel=1)

    @torch.no_grad()
    def picture(self, runner: Any) -> np.ndarray:
        """RGB (HEIGHT_PX, W, 3)."""
        loader, model = runner.val_dataloader, unwrapped(runner)
        total = len(loader.dataset)
        samples = [loader.dataset[total * i // IMAGES] for i in range(IMAGES)]
        model.eval()
        try:
            found = [model.val_step(loader.collate_fn([sample]))[0] for sample in samples]  # sizes may differ
        finally:
            model.train()
        classes = loader.dataset.metainfo["classes"]
        images = [fit(self.stage.shown(*pair)) for pair in zip(samples, found, strict=True)]
        drawn = [self.stage.draw(*pair, classes) for pair in zip(images, found, strict=True)]
        return np.concatenate(drawn, axis=1)
