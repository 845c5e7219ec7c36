"""A picture of the data for the README, with boxes and masks: python -m trick_transfer.mini.contact_sheet FILE.png."""

import io
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from .scenes import Scene
from .splits import DIFFICULT_BELOW, SPLITS, visible_box, visible_share

MAX_BYTES = 300_000
# One colour per class id: golden-angle hues, so that neighbours differ; 0 (other) is black.
HSV = np.array([[(i * 68) % 180, 200, 230] for i in range(21)], np.uint8)[None]
PALETTE = cv2.cvtColor(HSV, cv2.COLOR_HSV2RGB)[0]
PALETTE[0] = 0


def with_boxes(scene: Scene) -> np.ndarray:
    """The scene with its VOC boxes: yellow, and red for the difficult ones."""
    image = scene.image.copy()
    for number in range(len(scene.animals)):
        box = visible_box(scene, number)
        if box is not None:
            colour = (255, 60, 60) if visible_share(scene, number) < DIFFICULT_BELOW else (255, 230, 0)
            cv2.rectangle(image, box[:2], box[2:], colour, 1)
    return image


def sheet() -> np.ndarray:
    """(H, W, 3) uint8: classification, VOC and ADE20K scenes, in five rows."""
    split = {each.name: each for each in SPLITS}
    train, voc, ade = split["train"], split["voc07_trainval"], split["ade_training"]
    whole = [train.scene(i).image for i in range(20)]
    boxed = [with_boxes(voc.scene(i)) for i in range(10)]
    masked = [scene.image // 2 + PALETTE[scene.mask] // 2 for scene in map(ade.scene, range(5))]
    rows = whole[:10], whole[10:], boxed[:5], boxed[5:], masked
    return np.concatenate([np.concatenate(row, 1) for row in rows])


def main(path: Path) -> None:
    """Write the sheet as a PNG of fewer colours, as many as fit MAX_BYTES."""
    picture = Image.fromarray(sheet())
    for colours in (256, 192, 128, 96, 64, 32):
        buffer = io.BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        if buffer.tell() < MAX_BYTES:
            break
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    print(f"{path}: {buffer.tell()} bytes, {colours} colours")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
