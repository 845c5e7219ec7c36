"""A JPEG that is decoded only as far as it is cut has the pixels of OpenCV's whole decoding."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

from trick_transfer.engine.images import decode
from trick_transfer.engine.jpeg import Jpeg, to_cut

PHOTOS = sorted((Path(__file__).parent / "photos").glob("*.jpg"))
READABLE = [path for path in PHOTOS if "truncated_jpeg" not in path.name]
PICTURE = cv2.resize(skimage.data.astronaut(), (97, 101))
SAMPLING = "IMWRITE_JPEG_SAMPLING_FACTOR_"


def whole(path):
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)


def same_wherever_it_ends(path):
    image, expected = to_cut(path), whole(path)
    assert image.shape == expected.shape == PICTURE.shape
    np.testing.assert_array_equal(image[:, :], expected)
    for bottom in range(1, len(expected) + 1):
        cut = np.s_[bottom // 2 : bottom, 7:30]
        np.testing.assert_array_equal(image[cut], expected[cut])
    return type(image)


@pytest.mark.parametrize("sampling", ["411", "420", "422", "440", "444"])
@pytest.mark.parametrize(("progressive", "restart"), [(0, 0), (0, 3), (1, 0)])
def test_a_cut_is_that_of_the_whole_image(tmp_path, sampling, progressive, restart):
    options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, getattr(cv2, SAMPLING + sampling)]
    options += [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_RST_INTERVAL, restart]
    cv2.imwrite(str(tmp_path / "a.jpg"), PICTURE, options)
    assert same_wherever_it_ends(tmp_path / "a.jpg") is (np.ndarray if progressive else Jpeg)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_so_is_one_of_a_grey_or_cmyk_image(tmp_path, mode):
    Image.fromarray(PICTURE).convert(mode).save(tmp_path / "a.jpg")
    same_wherever_it_ends(tmp_path / "a.jpg")


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.name)
def test_odd_and_damaged_files_are_cut_as_opencv_decodes_them(path):
    expected = whole(path)
    height, width = expected.shape[:2]
    for cut in (np.s_[:, :], np.s_[height // 4 : height // 2 + 1, width // 3 : width]):
        np.testing.assert_array_equal(to_cut(path)[cut], expected[cut])
    np.testing.assert_array_equal(decode(path), expected)


def test_what_lies_below_a_cut_is_not_read(tmp_path):
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), PICTURE)
    expected, data = whole(path)[:16], path.read_bytes()
    half = len(data) // 2
    path.write_bytes(data[:half] + bytes(len(data) - half - 2) + data[-2:])
    np.testing.assert_array_equal(to_cut(path)[0:16, 0:97], expected)


@pytest.mark.parametrize("content", [b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xc0\xff\xd9", b"\xff\xd8\xff\xe0\0\0\xff\xd9"])
def test_a_jpeg_without_a_picture_is_an_error_with_its_name(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ValueError, match="a.jpg is not an image"):
        to_cut(tmp_path / "a.jpg")[:, :]
