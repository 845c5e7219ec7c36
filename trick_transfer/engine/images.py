"""Reading image files strictly: OpenCV fills the missing part of a truncated JPEG with grey, without an error.

Images are read as stored, without the rotation that EXIF may ask for, as torchvision and timm read them: masks and most
boxes belong to the stored pixels.
"""

from pathlib import Path

import cv2
import numpy as np
from mmengine.logging import print_log
from PIL import ExifTags, Image

START_OF_IMAGE, END_OF_IMAGE = b"\xff\xd8", b"\xff\xd9"  # a JPEG's first and last two bytes
SWAPPED = (5, 6, 7, 8)  # EXIF's orientations that swap width and height


def is_whole(image: str | Path) -> bool:
    """Whether a JPEG exists and is complete; cheap, unless bytes follow the image's end."""
    image = Path(image)
    if not image.is_file() or image.stat().st_size <= len(END_OF_IMAGE):
        return False
    with image.open("rb") as file:
        file.seek(-len(END_OF_IMAGE), 2)
        if file.read() == END_OF_IMAGE:
            return True
    try:
        Image.open(image).load()
    except OSError:
        return False
    return True


def decode(path: str | Path, turned: bool = False) -> np.ndarray:
    """An RGB image (H, W, 3) in uint8, as stored or `turned` by EXIF. Raises ValueError for broken files."""
    data = np.fromfile(path, np.uint8)
    head, tail = data[:2].tobytes(), data[-2:].tobytes()  # by content: some of ImageNet's .JPEG are PNGs
    if head == START_OF_IMAGE and tail != END_OF_IMAGE and not is_whole(path):
        raise ValueError(f"{path} is a truncated JPEG; replace the file, or set skip_broken=True")
    way = cv2.IMREAD_COLOR_RGB | (0 if turned else cv2.IMREAD_IGNORE_ORIENTATION)
    image = cv2.imdecode(data, way) if len(data) else None
    if image is None:
        raise ValueError(f"{path} is not an image; replace the file, or set skip_broken=True")
    return image


def stored_px(image: str | Path) -> tuple[int, int]:
    """Width and height as stored, without EXIF's rotation, from the header alone; 0, 0 if it cannot be read."""
    try:
        with Image.open(image) as header:
            return header.size
    except OSError:
        return 0, 0


def displayed_px(image: str | Path) -> tuple[int, int]:
    """Width and height as shown, with EXIF's rotation; 0, 0 if they cannot be read."""
    try:
        with Image.open(image) as header:
            turned = header.getexif().get(ExifTags.Base.Orientation) in SWAPPED
            return header.size[::-1] if turned else header.size
    except (OSError, SyntaxError):  # Pillow raises SyntaxError for broken EXIF
        return 0, 0


def usable(image: Path, skip_broken: bool) -> bool:
    """Whether a JPEG is intact. If not, it is reported, without `skip_broken` by a ValueError."""
    if is_whole(image) and all(stored_px(image)):
        return True
    reason = f"JPEG {image} is missing, truncated or not an image"
    if not skip_broken:
        raise ValueError(f"{reason}; replace the file, or set its data set's skip_broken=True to leave it out")
    print_log(f"left out: {reason}", logger="current")
    return False
