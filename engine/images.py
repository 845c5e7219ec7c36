"""Whether an image file is whole: OpenCV fills what a truncated JPEG lacks with grey, and says nothing."""

from pathlib import Path

from PIL import Image

END_OF_IMAGE = b"\xff\xd9"  # a JPEG's last two bytes


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
