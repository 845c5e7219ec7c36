"""Whether an image file can be used: OpenCV fills what a truncated JPEG lacks with grey, and says nothing."""

from pathlib import Path

from mmengine.logging import print_log
from PIL import Image

START_OF_IMAGE, END_OF_IMAGE = b"\xff\xd8", b"\xff\xd9"  # a JPEG's first and last two bytes


def is_whole(image: str | Path) -> bool:
    """Whether a JPEG is there and complete; cheap, unless bytes follow the image's end."""
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


def size_px(image: str | Path) -> tuple[int, int]:
    """Width and height as stored, whatever way up EXIF wants them, from the header alone; 0, 0 if there is none."""
    try:
        with Image.open(image) as header:
            return header.size
    except OSError:
        return 0, 0


def usable(image: Path, skip_broken: bool) -> bool:
    """Whether a JPEG is whole and one; if not, it is named, and without `skip_broken` by a ValueError."""
    if is_whole(image) and all(size_px(image)):
        return True
    reason = f"JPEG {image} is missing, truncated or no image"
    if not skip_broken:
        raise ValueError(f"{reason}; mend it, or set its data set's skip_broken=True to leave it out")
    print_log(f"left out: {reason}", logger="current")
    return False
