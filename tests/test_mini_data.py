"""The embedded data set: disjoint sources, labels that agree with the pictures, the same bytes every time."""

import dataclasses
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from test_pipeline import alive, offspring, until

from trick_transfer import mini
from trick_transfer.engine.files import part_of
from trick_transfer.mini import animals, build, coats, contact_sheet, places, splits, surfaces

SPLIT = {split.name: split for split in splits.SPLITS}
DETECTION = [SPLIT["voc07_trainval"], SPLIT["voc07_test"]]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The data set with three samples a split."""
    root = tmp_path_factory.mktemp("mini") / "data"
    few = tuple(dataclasses.replace(split, count=3) for split in splits.SPLITS)
    for number, split in enumerate(few):
        for index in range(split.count):
            build.make_one((number, index, str(root)))
        if split.form == "voc":
            splits.write_image_set(split, root)
    return root


def iou(first, second):
    return (first & second).sum() / (first | second).sum()


def test_the_vendored_silhouettes_are_small_and_of_ten_kinds():
    stock = animals.load()
    assert animals.ANIMALS_FILE.stat().st_size <= 400_000
    assert stock.silhouettes.shape[1:] == (28, 28)
    assert np.bincount(stock.labels, minlength=10).min() > 700
    assert len(np.unique(np.packbits(stock.silhouettes.reshape(-1, 784), 1), axis=0)) == len(stock.silhouettes)


def test_no_group_of_near_duplicates_is_in_two_pools():
    stock = animals.load()
    pool_of = {}
    for group, pool in zip(stock.groups, stock.pools, strict=True):
        assert pool_of.setdefault(group, pool) == pool


def test_silhouettes_of_two_pools_never_overlap_above_the_limit():
    stock = animals.load()
    flat = stock.silhouettes.reshape(len(stock.labels), -1).astype(np.float32)
    mirrored = stock.silhouettes[:, :, ::-1].reshape(len(flat), -1).astype(np.float32)
    test = stock.pools == animals.POOLS.index("downstream_test")
    for other in (flat, mirrored):
        common = flat[test] @ other[~test].T
        union = flat[test].sum(1)[:, None] + other[~test].sum(1)[None] - common
        assert (common / union).max() <= 0.9


def test_every_pool_has_every_kind():
    stock = animals.load()
    assert all(len(stock.of(pool, kind)) >= 40 for pool in animals.POOLS for kind in range(10))


def test_pretraining_and_downstream_coats_share_no_parameter_and_no_field():
    for (low, high), (other_low, other_high) in (
        (a, b) for a in coats.BANDS["pretrain"] for b in coats.BANDS["downstream"]
    ):
        assert high <= other_low or other_high <= low
    for family in range(10):
        tiles = [coats.field(family, side, i).tobytes() for side in coats.BANDS for i in range(coats.FIELDS)]
        assert len(set(tiles)) == len(tiles)


def test_drawn_coats_stay_in_their_bands():
    rng = np.random.default_rng(0)
    for side, bands in coats.BANDS.items():
        for _ in range(200):
            for value in coats.draw(side, rng)[1]:
                assert any(low <= value <= high for low, high in bands)


def test_no_surface_is_in_two_pools():
    seen = [
        surfaces.surface(material, pool, variant).tobytes()
        for material in surfaces.MATERIALS
        for pool, count in surfaces.VARIANTS.items()
        for variant in range(min(count, 3))
    ]
    assert len(set(seen)) == len(seen)


def test_pools_own_different_quarters_of_the_photographs():
    """There are four: tuning, which nothing is scored on, has training's."""
    for name in surfaces.PHOTOGRAPHS:
        tiles = {pool: surfaces.photograph(name, pool) for pool in animals.POOLS}
        assert np.array_equal(tiles.pop("pretrain_tuning"), tiles["pretrain_train"]) and len(tiles) == 4
        for first, second in combinations(tiles.values(), 2):
            assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.5


def test_the_tuning_split_shares_no_silhouette_group_with_training_or_validation():
    stock = animals.load()

    def groups(name):
        return set(stock.groups[stock.pools == animals.POOLS.index(SPLIT[name].spec.pool)])

    tuning = groups("tuning")
    assert len(tuning) > 300 and all(tuning.isdisjoint(groups(name)) for name in ("train", "val", "swapped"))
    assert all(len(stock.of("pretrain_tuning", kind)) >= 30 for kind in range(10))
    of_scenes = {SPLIT["tuning"].scene(i).image.tobytes() for i in range(20)}
    assert of_scenes.isdisjoint(SPLIT[name].scene(i).image.tobytes() for name in ("train", "val") for i in range(20))


def test_the_specs_draw_from_the_pool_of_their_split():
    sides = {split.name: split.spec.pool.split("_")[0] for split in splits.SPLITS}
    assert {sides[n] for n in ("train", "val", "swapped")} == {"pretrain"}
    assert {side for name, side in sides.items() if name.startswith(("voc", "ade"))} == {"downstream"}
    pools = {"voc07_trainval": "train", "voc12_trainval": "train", "voc07_test": "test"}
    assert all(SPLIT[name].spec.pool == f"downstream_{pool}" for name, pool in pools.items())
    assert len({split.spec.split for split in splits.SPLITS}) == len(splits.SPLITS)


def test_ids_follow_the_classes_then_the_stuff():
    assert len(mini.CLASSES) == 10 and tuple(sorted(mini.CLASSES)) == mini.CLASSES
    names = ("other", *mini.CLASSES, *mini.STUFF)
    assert all(names[i] == material for material, i in places.STUFF_ID.items())


@pytest.mark.parametrize("split", DETECTION, ids=lambda split: split.name)
def test_boxes_are_the_extents_of_the_visible_pixels(split):
    for index in range(6):
        scene = split.scene(index)
        height, width = scene.mask.shape
        found = ndimage.find_objects(scene.instances, max_label=len(scene.animals))
        for number, (rows, columns) in enumerate(found):
            assert splits.visible_box(scene, number) == (
                columns.start,
                rows.start,
                columns.stop - 1,
                rows.stop - 1,
            )
            assert 0 <= columns.start < columns.stop <= width and 0 <= rows.start < rows.stop <= height
            kind = scene.animals[number].kind
            assert np.unique(scene.mask[scene.instances == number + 1]).tolist() == [kind + 1]
            assert splits.visible_share(scene, number) > split.spec.least_visible - 0.01


def test_masks_hold_known_classes_only():
    for index in range(8):
        scene = SPLIT["ade_training"].scene(index)
        assert scene.mask.max() <= 20
        assert set(np.unique(scene.instances[scene.mask == 0])) <= {0}
        assert (scene.mask > 10).mean() > 0.2


def test_a_scene_is_the_same_twice_whatever_came_before():
    first = SPLIT["ade_training"].scene(3)
    SPLIT["val"].scene(1)
    second = SPLIT["ade_training"].scene(3)
    assert first.image.tobytes() == second.image.tobytes() and first.mask.tobytes() == second.mask.tobytes()


def test_swapped_animals_wear_every_other_kinds_coat():
    pairs = {(i % 10, (i % 10 + 1 + i // 10 % 9) % 10) for i in range(90)}
    assert pairs == {(shape, coat) for shape in range(10) for coat in range(10) if shape != coat}
    animal = SPLIT["swapped"].scene(27).animals[0]
    assert SPLIT["swapped"].stem(27) == f"{mini.CLASSES[animal.kind]}/{mini.CLASSES[animal.coat]}_00027"


def test_pictures_can_be_read_and_have_their_size(made):
    pictures = [*made.rglob("*.jpg"), *made.rglob("*.png")]
    assert len(pictures) == 3 * len(splits.SPLITS) + 6
    for path in pictures:
        with Image.open(path) as picture:
            picture.load()
            assert picture.size == (88, 88) if "imagenet1k" in path.parts else (176, 128)
            assert picture.mode == ("L" if path.suffix == ".png" else "RGB")


def test_annotations_have_the_fields_of_voc(made):
    devkit = made / "voc0712" / "VOCdevkit"
    for year, name in (("VOC2007", "trainval"), ("VOC2007", "test"), ("VOC2012", "trainval")):
        for stem in (devkit / year / "ImageSets" / "Main" / f"{name}.txt").read_text().split():
            root = ET.parse(devkit / year / "Annotations" / f"{stem}.xml").getroot()
            assert (
                root.findtext("filename") == f"{stem}.jpg" and (devkit / year / "JPEGImages" / f"{stem}.jpg").is_file()
            )
            assert [root.findtext(f"size/{key}") for key in ("width", "height", "depth")] == ["176", "128", "3"]
            assert root.findall("object")
            for item in root.iter("object"):
                assert [child.tag for child in item] == ["name", "pose", "truncated", "difficult", "bndbox"]
                assert item.findtext("name") in mini.CLASSES and item.findtext("difficult") in ("0", "1")
                x1, y1, x2, y2 = (int(item.findtext(f"bndbox/{k}")) for k in ("xmin", "ymin", "xmax", "ymax"))
                assert 1 <= x1 <= x2 <= 176 and 1 <= y1 <= y2 <= 128


def test_making_again_does_nothing(tmp_path, monkeypatch):
    (tmp_path / build.STAMP).write_text(f'{{"version": {build.VERSION}}}')
    monkeypatch.setattr(build, "fill", lambda folder: pytest.fail("made again"))
    mini.make(tmp_path)


@pytest.mark.parametrize("text", ["{half", "[]", "{}"])
def test_a_broken_stamp_is_an_error_with_the_fix(tmp_path, text):
    (tmp_path / build.STAMP).write_text(text)
    with pytest.raises(ValueError, match=rf"{build.STAMP} .*delete {tmp_path}"):
        mini.make(tmp_path)


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(ValueError, match=f"{tmp_path} .*empty it"):
        mini.make(tmp_path)
    assert (tmp_path / "precious.txt").is_file()


def test_a_build_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(folder):
        (folder / "half").write_text("")
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "fill", fail)
    with pytest.raises(KeyboardInterrupt):
        mini.make(tmp_path / "data")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def making(tmp_path):
    """A process that makes the data, once its pool is at work: the process and those of the pool."""
    words = "from trick_transfer.command_line import tool; from trick_transfer import mini; import sys"
    words += f"\nif __name__ == '__main__': sys.exit(tool(lambda: mini.make({str(tmp_path / 'data')!r})))"
    script = tmp_path / "script" / "make.py"  # spawned processes read the script again
    script.parent.mkdir()
    script.write_text(words)
    process = subprocess.Popen([sys.executable, script], stderr=subprocess.PIPE, text=True)
    until(lambda: [*tmp_path.rglob("*.jpg")])
    yield process, [pid for pid in offspring(process.pid) if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
    process.kill()
    process.communicate()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_build_that_is_killed_leaves_no_process_and_the_next_removes_its_folder(making, tmp_path, number):
    process, pool = making
    assert pool and all(map(alive, pool))
    process.send_signal(number)
    process.wait()
    until(lambda: not any(map(alive, pool)), seconds=10)
    (left,) = tmp_path.glob(".data.*.part")
    with part_of(tmp_path / "data", folder=True):
        assert not left.exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_of_the_pool_that_is_killed_ends_the_build_in_one_line(making, tmp_path):
    process, (first, *_) = making
    os.kill(int(first), signal.SIGKILL)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 2 and told.splitlines()[-1].startswith(
        "error: a process that makes the data was killed"
    )
    assert "Traceback" not in told and not [*tmp_path.glob(".data.*")]


def test_a_sample_of_the_content_has_its_hash():
    content = sha256()
    for split in splits.SPLITS:
        for index in (0, split.count - 1):
            scene = split.scene(index)
            content.update(scene.image.tobytes() + scene.mask.tobytes() + scene.instances.tobytes())
    assert content.hexdigest() == build.SAMPLE_SHA256


@pytest.mark.slow
def test_the_whole_content_has_its_hash(tmp_path):
    assert build.fill(tmp_path) == build.CONTENT_SHA256


def test_the_contact_sheet_fits_the_readme(tmp_path):
    contact_sheet.main(tmp_path / "mini.png")
    assert (tmp_path / "mini.png").stat().st_size < 300_000
