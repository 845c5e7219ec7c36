"""Finding image files, and reading them strictly: OpenCV fills the missing part of a truncated JPEG with grey.

Images are read as stored, without the rotation that EXIF may ask for, as torchvision and timm read them: masks and most
boxes belong to the stored pixels. A file's content says what it is, not its name. Grey, palettes and CMYK (without its
profile) become RGB, alpha is dropped; tests/test_odd_images.py has each kind.
"""

import os
import re
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from mmengine.logging import print_log
from PIL import ExifTags, Image, ImageOps

from . import archives

SUFFIXES = (".jpg", ".jpeg", ".png")
START_OF_IMAGE, END_OF_IMAGE = b"\xff\xd8", b"\xff\xd9"  # a JPEG's first and last two bytes
END_OF_PNG = b"IEND\xaeB`\x82"
HARMLESS = re.compile(r"ICC|before marker 0x(?!d\d)")  # libjpeg's words on a header; 0xd0 to 0xd9 are in the picture
SWAPPED = (5, 6, 7, 8)  # EXIF's orientations that swap width and height
SKIPPING = ", or set skip_broken=True"  # of a data set

warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd palettes and EXIF, without the file's name


def is_image(name: str) -> bool:
    """Whether a file of this name, or path, counts as an image."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


def images_in(folder: str | Path, suffixes: Collection[str] = SUFFIXES) -> list[str]:
    """The images directly in a folder, sorted; none if it is missing. Hidden files and devices are left out."""
    if not os.path.isdir(folder):
        paths = [os.path.join(folder, name) for name in archives.names_in(folder)]
        return [path for path in paths if os.path.splitext(path)[1].lower() in suffixes and archives.file_status(path)]
    with os.scandir(folder) as entries:
        return sorted(
            entry.path
            for entry in entries
            if entry.name[0] != "." and os.path.splitext(entry.name)[1].lower() in suffixes and is_file(entry)
        )


def is_file(entry: os.DirEntry) -> bool:
    """Whether it is a file, or a link to one, which may lie in an archive."""
    return entry.is_file(follow_symlinks=False) or archives.file_status(entry.path) is not None


def by_name(folder: str | Path, suffixes: Collection[str] = SUFFIXES) -> dict[str, Path]:
    """A folder's images by their name without suffix. Raises ValueError for two of one name."""
    found: dict[str, Path] = {}
    for path in map(Path, images_in(folder, suffixes)):
        if found.setdefault(path.stem, path) != path:
            raise ValueError(f"{found[path.stem]} and {path.name} have one name; remove or rename one of them")
    return found


@contextmanager
def opened(path: str | Path) -> Iterator[Image.Image]:
    """An image in Pillow. Raises OSError, SyntaxError or, for one of more pixels than Pillow reads, ValueError."""
    try:
        with archives.stream(path) as file, Image.open(file) as image:
            yield image
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise ValueError(f"{path} has more than {most:,} pixels; store it smaller") from None


def is_whole(image: str | Path) -> bool:
    """Whether an image exists and is complete; cheap, unless bytes follow the image's end."""
    if not archives.file_status(image):
        return False
    with archives.stream(image) as file:
        if file.seek(0, 2) <= len(END_OF_PNG):
            return False
        file.seek(-len(END_OF_PNG), 2)
        if file.read().endswith((END_OF_IMAGE, END_OF_PNG)):
            return True
    try:
        with opened(image) as whole:
            whole.load()
    except (OSError, SyntaxError):
        return False
    return True


def decode(path: str | Path, turned: bool = False) -> np.ndarray:
    """An RGB image (H, W, 3) in uint8, as stored or `turned` by EXIF. Raises ValueError for broken files."""
    data = archives.read(path)
    check_end(path, data)
    image = pixels(path, data)
    return turn(image, orientation(path)) if turned else image


def check_end(path: str | Path, data: bytes) -> None:
    """Raise ValueError for a JPEG's bytes that are cut off."""
    if data.startswith(START_OF_IMAGE) and not data.endswith(END_OF_IMAGE) and not is_whole(path):
        raise ValueError(f"{path} is a truncated JPEG; replace the file{SKIPPING}")


def pixels(path: str | Path, data: bytes) -> np.ndarray:
    """The RGB image (H, W, 3) in uint8 in a file's bytes, as stored. Raises ValueError for those of no image."""
    if data.startswith(START_OF_IMAGE):  # by content: some of ImageNet's .JPEG are PNGs
        with suppress(ValueError):  # of damage inside, which OpenCV bridges; otherwise both give the same pixels
            return simplejpeg.decode_jpeg(data)
    try:
        whole = np.frombuffer(data, np.uint8)
        image = cv2.imdecode(whole, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION) if data else None
    except cv2.error as error:  # more pixels than it reads, or than there is memory
        raise ValueError(f"{path} cannot be decoded ({error.err}); replace the file{SKIPPING}") from None
    if image is None:
        raise ValueError(f"{path} is not an image, or a truncated one; replace the file{SKIPPING}")
    return image


def turn(image: np.ndarray, orientation: int) -> np.ndarray:
    """An image as EXIF's orientation shows it."""
    picture = Image.fromarray(image)
    picture.getexif()[ExifTags.Base.Orientation] = orientation
    return np.asarray(ImageOps.exif_transpose(picture))


def inspect(path: str | Path) -> np.ndarray:
    """`decode`, but a ValueError also for a JPEG with damage inside, which decoders bridge; takes twice as long."""
    image, data = decode(path), archives.read(path)
    if data.startswith(START_OF_IMAGE):
        try:
            simplejpeg.decode_jpeg(data, "GRAY", fastdct=True, fastupsample=True, strict=True)
        except ValueError as error:
            if not HARMLESS.search(str(error)):
                raise ValueError(f"{path} is damaged inside ({error}); replace the file") from None
    return image


def stored_px(image: str | Path) -> tuple[int, int]:
    """Width and height as stored, without EXIF's rotation, from the header alone; 0, 0 if it cannot be read.

    Raises ValueError for more pixels than Pillow reads.
    """
    try:
        with opened(image) as header:
            return header.size
    except OSError:
        return 0, 0


def orientation(image: str | Path) -> int:
    """EXIF's, 1 to 8; 1, as stored, without EXIF and for what cannot be read."""
    try:
        with opened(image) as header:
            way = header.getexif().get(ExifTags.Base.Orientation, 1)
            return way if isinstance(way, int) else 1
    except (OSError, SyntaxError):  # Pillow raises SyntaxError for broken EXIF
        return 1


def displayed_px(image: str | Path) -> tuple[int, int]:
    """Width and height as shown, with EXIF's rotation; 0, 0 if they cannot be read."""
    width, height = stored_px(image)
    return (height, width) if orientation(image) in SWAPPED else (width, height)


def usable(image: Path, skip_broken: bool) -> tuple[int, int] | None:
    """Width and height as stored of an intact image. Of another, a ValueError; with `skip_broken` a report and None."""
    reason = f"image {image} is missing, truncated or not an image"
    try:
        if is_whole(image) and all(size := stored_px(image)):
            return size
    except ValueError as error:
        reason = f"image {error}"
    if not skip_broken:
        raise ValueError(f"{reason}; replace the file, or set its data set's skip_broken=True to leave it out")
    print_log(f"left out: {reason}", logger="current")
    return None
