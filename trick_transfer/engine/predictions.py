"""What the network says of a few images after every epoch, as one picture for whatever tracker there is."""

from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from PIL import Image

from trick_transfer.registry import HOOKS

NAME = "predictions.png"  # MLflow takes a picture's format from its name
IMAGES, HEIGHT_PX = 4, 192
LEAST_SCORE = 0.3  # of a box that is drawn
GREEN, WHITE, BLACK = (0, 200, 80), (255, 255, 255), (0, 0, 0)


@HOOKS.register_module()
class ShowPredictions(Hook):
    """`IMAGES` validation images, evenly spread, side by side: a classifier's label, a detector's boxes, a mask."""

    priority = "LOW"

    @torch.no_grad()
    def after_train_epoch(self, runner: Any) -> None:
        if not is_main_process():
            return
        loader, model = runner.val_dataloader, getattr(runner.model, "module", runner.model)
        total = len(loader.dataset)
        samples = [loader.dataset[total * i // IMAGES] for i in range(IMAGES)]
        model.eval()
        found = model.val_step(loader.collate_fn(samples))
        model.train()
        classes = loader.dataset.metainfo["classes"]
        pictures = [draw(*pair, classes) for pair in zip(samples, found, strict=True)]
        runner.visualizer.add_image(NAME, np.concatenate(pictures, axis=1), runner.epoch + 1)


def draw(sample: dict, found: Any, classes: tuple[str, ...]) -> np.ndarray:
    """One image with what was found on it, RGB (HEIGHT_PX, W, 3)."""
    if isinstance(found, dict):
        said, true = classes[int(found["logits"].argmax())], classes[int(found["label"])]
        return write(fit(sample["inputs"]), said if said == true else f"{said} ({true})")
    with Image.open(found.img_path) as file:
        image = np.asarray(file.convert("RGB"))
    if "pred_sem_seg" in found:
        return fit(cover(image, found.pred_sem_seg.data.squeeze(0).cpu().numpy(), len(classes)))
    scale = HEIGHT_PX / len(image)
    picture = fit(image)
    boxes = found.pred_instances
    for box, label, score in zip(boxes.bboxes.cpu(), boxes.labels, boxes.scores, strict=True):
        if score >= LEAST_SCORE:
            x1, y1, x2, y2 = (round(float(side) * scale) for side in box)
            cv2.rectangle(picture, (x1, y1), (x2, y2), GREEN, 1)
            write(picture, f"{classes[int(label)]} {100 * float(score):.0f} %", (x1 + 2, y1 + 12))
    return picture


def fit(image: np.ndarray) -> np.ndarray:
    """Resized to the common height."""
    return cv2.resize(image, (round(image.shape[1] * HEIGHT_PX / len(image)), HEIGHT_PX))


def cover(image: np.ndarray, mask: np.ndarray, classes: int) -> np.ndarray:
    """A colour for each class, evenly round the hue's circle, half transparent."""
    hue = (mask.astype(np.float32) * 180 / classes).astype(np.uint8)
    colours = cv2.cvtColor(np.dstack([hue, np.full_like(hue, 200), np.full_like(hue, 230)]), cv2.COLOR_HSV2RGB)
    return cv2.addWeighted(image, 0.5, colours, 0.5, 0)


def write(picture: np.ndarray, text: str, place: tuple[int, int] = (4, 14)) -> np.ndarray:
    """White letters with a dark edge, in place."""
    for colour, width in ((BLACK, 3), (WHITE, 1)):
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, width, cv2.LINE_AA)
    return picture
