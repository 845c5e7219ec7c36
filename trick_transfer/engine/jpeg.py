"""A JPEG that is decoded when it is cut, and no further down than the cut reaches; its pixels are the same.

libjpeg stops at the height that the header tells, so a header that tells less spares the rest. What is above or beside
a cut is still decoded in vain: libjpeg-turbo can leave it out, but no wheel for Python has the call.
"""

from contextlib import suppress
from pathlib import Path

import numpy as np
import simplejpeg

from . import archives
from .images import START_OF_IMAGE, check_end, pixels

SEQUENTIAL = (0xC0, 0xC1)  # frame headers of JPEGs that are stored from top to bottom; progressive ones are not
SCAN = 0xDA
MARGIN = 4  # rows below a cut: the colours of its last row may be interpolated from the next ones


class Jpeg:
    """A sequential JPEG's bytes, its frame header at `frame`; [y0:y1, x0:x1] cuts it, to RGB (H, W, 3) in uint8."""

    def __init__(self, path: str | Path, data: bytes, frame: int) -> None:
        self.path, self.data, self.height_at = path, data, slice(frame + 5, frame + 7)
        height, width = (int.from_bytes(data[at : at + 2], "big") for at in (frame + 5, frame + 7))
        self.shape = height, width, 3

    def __getitem__(self, cut: tuple[slice, slice]) -> np.ndarray:
        """Raises ValueError for what cannot be decoded."""
        height = self.shape[0]
        rows = min(height, cut[0].indices(height)[1] + MARGIN)
        shorter = bytearray(self.data)
        shorter[self.height_at] = rows.to_bytes(2, "big")
        with suppress(ValueError):
            return simplejpeg.decode_jpeg(shorter, strict=False)[cut]  # strict, it minds what follows the last row
        return pixels(self.path, self.data)[cut]


def frame_header(data: bytes) -> int | None:
    """Where a sequential JPEG's frame header begins; None for another image, or one that tells no size there."""
    at = 2
    while data[at : at + 1] == b"\xff" and data[at + 1] != SCAN and at + 9 < len(data):
        if data[at + 1] in SEQUENTIAL:
            return at if data[at + 5 : at + 7] != b"\0\0" else None
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def to_cut(path: str | Path) -> Jpeg | np.ndarray:
    """An image as stored, to be cut; decoded at once unless it is a sequential JPEG. Raises as `decode` does."""
    data = archives.read(path)
    check_end(path, data)
    frame = frame_header(data) if data.startswith(START_OF_IMAGE) else None
    return pixels(path, data) if frame is None else Jpeg(path, data, frame)
