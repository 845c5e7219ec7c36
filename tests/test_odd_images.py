"""The right reading of each odd file in tests/photos, by all three stages, against Pillow's."""

from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import toy_voc
from mmcv.transforms import LoadImageFromFile
from PIL import ExifTags, Image, ImageOps, PngImagePlugin
from protocols import SEGMENTATION, load

from detection.data import LoadImage
from segmentation.layout import DATA
from trick_transfer.engine.images import SUFFIXES, decode, displayed_px, inspect, stored_px, usable
from trick_transfer.leaderboard.scores.load import audit
from trick_transfer.runs.result import OUTPUTS
from trick_transfer.runs.run import Run
from trick_transfer.runs.training import train

PHOTOS = Path(__file__).parent / "photos"
REFUSED = ("pillow_truncated_jpeg.jpg", "pillow_broken_data_stream.png")
DAMAGED = "pillow_hopper_bad_exif.jpg"  # decoders bridge the damage in its picture, which is in stripes
CMYK, RGB = "pillow_pil_sample_cmyk.jpg", "pillow_pil_sample_rgb.jpg"
WHOLE = sorted(path.name for path in PHOTOS.iterdir() if path.suffix in SUFFIXES and path.name not in REFUSED)
MODES = {  # as Pillow names them
    "pillow_hopper_gray.jpg": "L",
    "pillow_uncompressed_la.png": "LA",
    "pillow_pil123p.png": "P",
    "pillow_p_trns_single.png": "P",
    "pillow_l_trns.png": "L",
    "pillow_hopper_bw_500.png": "1",
    "pillow_pil123rgba.png": "RGBA",
    CMYK: "CMYK",
}
TURNED = [f"pillow_hopper_orientation_{each}.jpg" for each in range(2, 9)]
TURNED += [f"exif_{name}.jpg" for name in ("Landscape_1", "Landscape_3", "Landscape_6", "Portrait_6", "Portrait_8")]
GREY = ("caltech_car_side_0001.jpg", "mmseg_gray.jpg", "pillow_hopper_gray.jpg")
TWO_CLASSES = {"model.backbone.depth": 18, "model.num_classes": 2}


def in_detection(path):
    return LoadImage().transform({"img_path": str(path), "turned": False})["img"][..., ::-1]


def in_segmentation(step, path):
    return LoadImageFromFile(**step).transform({"img_path": str(path)})["img"][..., ::-1]


def segmentation_readers():
    """By the words of each protocol for training and for scoring."""
    for protocol in SEGMENTATION:
        cfg = load(protocol=protocol)
        for dataset in (cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset):
            step = dict(dataset.pipeline[0])
            assert step.pop("type") == "LoadImageFromFile"
            yield partial(in_segmentation, step)


@pytest.fixture(scope="module")
def readers():
    """Of all three stages: a path -> RGB."""
    return [decode, in_detection, *segmentation_readers()]


def pillow(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def assert_read(readers, path, expected, atol=0):
    for read in readers:
        found = read(path)
        assert found.dtype == np.uint8 and found.shape == expected.shape
        np.testing.assert_allclose(found.astype(int), expected, atol=atol)


@pytest.mark.parametrize("name", [name for name in WHOLE if name != CMYK])
def test_all_stages_read_what_pillow_reads(readers, name):
    """Grey, a palette's colours, and what is below alpha, as RGB; odd headers and broken EXIF do not matter."""
    assert_read(readers, PHOTOS / name, pillow(PHOTOS / name), atol=1)  # decoders' rounding on other machines
    assert stored_px(PHOTOS / name) == Image.open(PHOTOS / name).size


def test_the_table_has_each_mode():
    assert {name: Image.open(PHOTOS / name).mode for name in MODES} == MODES


def test_a_cmyk_jpeg_is_its_rgb_twin_within_2_grey_levels_on_average(readers, tmp_path):
    Image.open(PHOTOS / "exif_Landscape_1.jpg").convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    for read in readers:
        assert np.abs(read(tmp_path / "cmyk.jpg").astype(int) - pillow(PHOTOS / "exif_Landscape_1.jpg")).mean() < 2


def test_a_printers_cmyk_without_its_profile_is_near_its_rgb_twin(readers):
    """Whoever separated it knew the inks; the file does not say them, and Pillow, too, is 4.7 grey levels off."""
    for read in readers:
        found = read(PHOTOS / CMYK).astype(int)
        assert np.abs(found - pillow(PHOTOS / CMYK)).mean() < 1
        assert np.abs(found - pillow(PHOTOS / RGB)).mean() < 6


@pytest.mark.parametrize(("kind", "mode"), [*product(["GIF", "PNG"], "P"), ("PNG", "RGBA")])
def test_a_gif_or_png_named_jpg_is_read_by_content(readers, tmp_path, kind, mode):
    picture = Image.open(PHOTOS / "pillow_pil123rgba.png").convert("RGB").quantize(64).convert("RGB")
    path = tmp_path / "photo.jpg"
    (picture.quantize(64) if mode == "P" else picture.convert(mode)).save(path, kind)
    assert_read([*readers, inspect], path, np.asarray(picture))
    assert usable(path, skip_broken=False) == picture.size


def test_of_an_animated_gif_the_first_picture_is_read(readers, tmp_path):
    first, second = (Image.new("RGB", (20, 10), colour) for colour in ("red", "blue"))
    first.save(tmp_path / "a.jpg", "GIF", save_all=True, append_images=[second])
    assert_read(readers, tmp_path / "a.jpg", np.asarray(first))


@pytest.mark.parametrize("name", TURNED)
def test_an_image_is_turned_only_where_that_is_asked_for(readers, name):
    """No stage asks for it, but detection where a VOC XML states the turned size (test_detection_data.py)."""
    shown = ImageOps.exif_transpose(Image.open(PHOTOS / name))
    np.testing.assert_allclose(decode(PHOTOS / name, turned=True).astype(int), np.asarray(shown), atol=1)
    assert displayed_px(PHOTOS / name) == shown.size


@pytest.mark.parametrize(
    "names",
    [TURNED[:7], [name for name in TURNED if "Landscape" in name], [name for name in TURNED if "Portr" in name]],
)
def test_photographs_stored_in_several_ways_look_the_same_once_they_are_turned(names):
    first, *others = (decode(PHOTOS / name, turned=True).astype(int) for name in names)
    assert all(np.abs(other - first).mean() < 5 for other in others)
    assert np.abs(first[::-1, ::-1] - first).mean() > 20, "a wrong turn would not show"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("chunk", ["eXIf", "Raw profile type exif"])
def test_a_pngs_orientation_is_read_from_both_chunks_that_hold_it(tmp_path, orientation, chunk):
    picture, exif, text = Image.open(PHOTOS / "pillow_pil123rgba.png").convert("RGB"), Image.Exif(), None
    exif[ExifTags.Base.Orientation] = orientation
    if chunk != "eXIf":  # ImageMagick's
        text, data, exif = PngImagePlugin.PngInfo(), exif.tobytes(), None
        text.add_text(chunk, f"\nexif\n{len(data):8d}\n{data.hex()}\n", zip=True)
    picture.save(tmp_path / "a.png", exif=exif, pnginfo=text)
    shown = ImageOps.exif_transpose(Image.open(tmp_path / "a.png"))
    np.testing.assert_array_equal(decode(tmp_path / "a.png", turned=True), np.asarray(shown))
    np.testing.assert_array_equal(decode(tmp_path / "a.png"), np.asarray(picture))
    assert displayed_px(tmp_path / "a.png") == shown.size


@pytest.fixture(params=[*REFUSED, "half.jpg", "half.png", "gif.jpg", "empty.jpg", "text.png"])
def broken(request, tmp_path):
    path = PHOTOS / request.param
    if not path.is_file():
        path = tmp_path / request.param
        picture = Image.open(PHOTOS / RGB)
        picture.save(path, {"gif": "GIF"}.get(path.stem))
        path.write_bytes({"empty": b"", "text": b"no image"}.get(path.stem, path.read_bytes()[:-2000]))
    return path


@pytest.mark.parametrize("read", [decode, inspect, in_detection, partial(usable, skip_broken=False)])
def test_truncated_and_broken_files_are_refused_in_one_line_that_names_the_file(broken, read):
    """Segmentation lists its images by `usable`, as detection does, so it reads none of these."""
    with pytest.raises(ValueError, match=broken.name) as error:
        read(broken)
    assert "\n" not in str(error.value) and "replace the file" in str(error.value)


@pytest.mark.parametrize("name", WHOLE)
def test_a_check_of_each_file_finds_the_damaged_picture_alone(name):
    if name == DAMAGED:
        with pytest.raises(ValueError, match=f"{name} is damaged inside"):
            inspect(PHOTOS / name)
    else:
        inspect(PHOTOS / name)


# Real JPEGs through all stages; their truths are made up


def place(photo, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(photo)
    return Image.open(photo).size


def class_folders(root, photos):
    """Grey and coloured ones; each is in both splits."""
    for split, photo in product(("train", "val"), photos):
        place(photo, root / split / ("grey" if photo.name in GREY else "coloured") / photo.name)


def voc(root, photos):
    toy_voc.write_voc(root, images=0)
    for year, name in (("2007", "trainval"), ("2007", "test"), ("2012", "trainval")):
        base = root / "VOCdevkit" / f"VOC{year}"
        for number, photo in enumerate(photos):
            width, height = place(photo, base / f"JPEGImages/{name}{number}.jpg")
            boxes = [("cat", 0, (1, 1, width, height)), ("dog", 1, (1, 1, (width + 1) // 2, height))]
            (base / f"Annotations/{name}{number}.xml").write_text(toy_voc.xml(boxes, width, height))
        (base / f"ImageSets/Main/{name}.txt").write_text("\n".join(f"{name}{at}" for at in range(len(photos))))


def ade(root, photos):
    for split, photo in product(("training", "validation"), photos):
        width, height = place(photo, root / DATA / "images" / split / photo.name)
        mask = np.tile(np.arange(width) * 3 // width, (height, 1)).astype(np.uint8)  # other, and two classes
        path = root / DATA / "annotations" / split / f"{photo.stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)


@pytest.mark.slow
def test_all_three_stages_train_on_and_score_real_jpegs(tmp_path, monkeypatch):
    # it lays out the Configs that mmengine writes, which takes most of the time
    monkeypatch.setattr("yapf.yapflib.yapf_api.FormatCode", lambda code, **_: (code, True))
    photos = [PHOTOS / name for name in WHOLE if name.endswith(".jpg")]
    sets = TWO_CLASSES | {"data.num_train": len(photos), "data.num_val": len(photos)}
    one_by_one = {"val_dataloader.batch_size": 1, "val_dataloader.num_batch_per_epoch": 8}  # they differ in size
    layouts = {"classification": (class_folders, sets), "detection": (voc, {}), "segmentation": (ade, one_by_one)}
    name = "resnet50_baseline"
    for stage, (lay_out, more) in layouts.items():
        lay_out(tmp_path / stage, photos)
        run = Run(stage, name, "smoke", sets=more, work_dir=tmp_path / "work", data_root=tmp_path / stage)
        result = train(run)
        assert (result.steps, result.samples_scored) == (2, 8)
        assert audit(result, run.folder / OUTPUTS)[1] == []
        name = run.name  # downstream, of the run whose backbone is read
