"""Images that are in the data twice: which are found, which are not, and what is done about them."""

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageEnhance, ImageOps

from trick_transfer.engine.source import Found, Sample
from trick_transfer.mini.animals import POOLS, load
from trick_transfer.own_data.prepare import usable
from trick_transfer.own_data.source import Source
from trick_transfer.own_data.twins import contradictions, same_files, twins
from trick_transfer.stages import STAGES

STAGE = STAGES["classification"]
CAT, CUP = skimage.data.chelsea(), skimage.data.coffee()


def photo(name, pixels=CAT, change=lambda image: image, **saving):
    """A photograph in a file of this name, changed."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    change(Image.fromarray(pixels).resize((300, 200))).save(path, **saving)
    return path


def found(**splits):
    """What was found: the paths of each split, whose class is the letter that their names begin with."""
    samples = [
        Sample(str(path), path, ord(path.name[0]) - ord("a"), split) for split in splits for path in splits[split]
    ]
    return Found(samples, ("a", "b", "c"))


def pairs(of):
    return [(pair.train.name, pair.val.name, pair.alike) for pair in twins(of, same_files(of))]


def source(duplicates):
    return Source.of(STAGE, dict(folder=".", format="folders", duplicates=duplicates), "test", Path())


def test_equal_files_are_found_whatever_they_show(tmp_path):
    blank = [photo(f"{split}/a.png", np.zeros_like(CAT)) for split in ("train", "val")]
    other = photo("train/b.png", np.ones_like(CAT))
    assert pairs(found(train=[blank[0], other], val=blank[1:])) == [("train/a.png", "val/a.png", False)]


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: image.resize((130, 90)),
        lambda image: image.resize((900, 600)),
        ImageOps.grayscale,
        lambda image: ImageEnhance.Brightness(image).enhance(1.2),
        lambda image: ImageEnhance.Contrast(image).enhance(0.7),
        lambda image: ImageOps.crop(image, 3),
    ],
)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_picture_that_was_saved_again_looks_alike(change, suffix):
    of = found(
        train=[photo("train/a.jpg", quality=90), photo("train/b.jpg", CUP)], val=[photo(f"val/c.{suffix}", CAT, change)]
    )
    assert pairs(of) == [("train/a.jpg", f"val/c.{suffix}", True)]


def test_strong_compression_does_not_hide_a_twin():
    of = found(train=[photo("train/a.jpg", quality=95)], val=[photo("val/a.jpg", quality=20)])
    assert [alike for *_, alike in pairs(of)] == [True]


@pytest.mark.parametrize("change", [ImageOps.mirror, ImageOps.flip, lambda image: image.rotate(90)])
def test_a_mirrored_or_turned_picture_is_another(change):
    assert not pairs(found(train=[photo("train/a.jpg")], val=[photo("val/a.jpg", change=change)]))


def flat(name, colour):
    return photo(name, np.full_like(CAT, colour))


def slope(name, width):
    """A grey gradient."""
    return photo(
        name, np.repeat(np.linspace(0, width, CAT.shape[1], dtype=np.uint8)[None, :, None], 3, 2).repeat(300, 0)
    )


def test_pictures_that_show_next_to_nothing_are_not_all_alike():
    train = [flat(f"train/a{colour}.jpg", colour) for colour in (0, 80, 255)] + [slope("train/b.png", 200)]
    val = [flat(f"val/a{colour}.jpg", colour) for colour in (10, 90, 250)] + [slope("val/b.png", 255)]
    assert not pairs(found(train=train, val=val))


def test_a_broken_image_is_left_to_the_check_of_each_file():
    broken, missing = Path("train/b.jpg"), Path("train/c.jpg")
    good = [photo("train/a.jpg"), photo("val/a.jpg")]
    broken.write_bytes(good[0].read_bytes()[:100])
    assert pairs(found(train=[broken, missing, good[0]], val=good[1:])) == [("train/a.jpg", "val/a.jpg", False)]


def test_the_scored_image_most_like_it_is_named():
    val = [photo("val/b.jpg", change=lambda image: ImageOps.crop(image, 4)), photo("val/c.jpg", quality=97)]
    assert pairs(found(train=[photo("train/a.jpg")], val=val)) == [("train/a.jpg", "val/c.jpg", True)]


def test_a_twin_is_found_behind_another_picture_with_a_closer_hash(monkeypatch):
    of = found(train=[photo("train/a.jpg")], val=[photo("val/b.jpg", CUP), photo("val/c.jpg", quality=60)])
    hashes = {"train/a.jpg": 2**40 - 1, "val/b.jpg": 2**40 - 1, "val/c.jpg": 2**37 - 1}
    monkeypatch.setattr("trick_transfer.own_data.twins.perceptual_hash", lambda path: hashes[str(path)])
    assert pairs(of) == [("train/a.jpg", "val/c.jpg", True)]


def test_many_images_are_compared_in_parts(monkeypatch):
    """With any number of pairs at once, the same are found."""
    of = found(
        train=[photo(f"train/a{i}.jpg", skimage.data.rocket()[:, 40 * i :]) for i in range(5)] + [photo("train/b.jpg")],
        val=[photo("val/a.jpg"), photo("val/b.jpg", CUP), photo("val/c.jpg", skimage.data.rocket()[:, 80:])],
    )
    expected = [("train/a2.jpg", "val/c.jpg", False), ("train/b.jpg", "val/a.jpg", False)]
    assert pairs(of) == expected
    monkeypatch.setattr("trick_transfer.own_data.twins.PAIRS", 4)
    assert pairs(of) == expected


def test_without_scored_images_there_are_no_twins():
    assert not pairs(found(train=[photo("train/a.jpg")]))


def test_one_file_in_two_classes_of_a_split_is_a_contradiction():
    a, b, c = (photo(f"train/{name}.jpg") for name in ("a", "b", "a2"))
    of = found(train=[a, b, c], val=[photo("val/b.jpg", CUP)])
    assert [[sample.name for sample in group] for group in contradictions(same_files(of))] == [
        ["train/a.jpg", "train/b.jpg", "train/a2.jpg"]
    ]
    assert not contradictions(same_files(found(train=[a, c], val=[b]))), "each split agrees with itself"


def test_twins_are_refused_dropped_or_kept():
    train = [photo("train/a.jpg"), photo("train/b.jpg", CUP), photo("train/c.jpg", CUP[:, :100])]
    train += [photo(f"train/{name}.jpg", CUP[:100]) for name in ("a2", "b2")] + [photo("train/a3.jpg", CAT[:99])]
    val = [photo("val/a.jpg"), photo("val/b.jpg", CUP, quality=60), photo("val/c.jpg", CAT[:, :100])]
    of = dict(train=train, val=val)
    refused = usable(found(**of), source("error"), STAGE).problems
    assert [line for line in refused if "train/a.jpg is the same as val/a.jpg" in line and "'drop'" in line]
    assert [line for line in refused if "train/b.jpg looks like val/b.jpg" in line and "'keep'" in line]
    assert [line for line in refused if "train/a2.jpg of class a is the same as train/b2.jpg of b" in line]
    assert len(refused) == 3
    dropped = usable(found(**of), source("drop"), STAGE)
    assert {sample.name for sample in dropped.of("train")} == {"train/c.jpg", "train/a3.jpg"}
    assert [line for line in dropped.reading if "2 training images" in line and "scored" in line]
    assert [line for line in dropped.reading if "2 training images" in line and "two classes" in line]
    assert ["class b has no image in train" in line for line in dropped.problems] == [True]
    kept = usable(found(**of), source("keep"), STAGE)
    assert len(kept.samples) == 9 and not kept.problems and not kept.reading


def test_drawings_on_a_plain_ground_are_not_all_alike():
    """Of some 200 silhouettes of animals, in pools without near-duplicates: by the hash alone 94 have a twin."""
    animals = load()
    train, val = (np.flatnonzero(animals.pools == POOLS.index(pool)) for pool in ("pretrain_train", "pretrain_val"))
    of = {
        split: [drawing(f"{split}/a{i}.png", animals.silhouettes[i]) for i in pool[:: len(pool) // 200]]
        for split, pool in (("train", train), ("val", val))
    }
    assert len(pairs(found(**of))) <= 2


def drawing(name, silhouette):
    Path(name).parent.mkdir(exist_ok=True)
    Image.fromarray(silhouette).save(name)
    return Path(name)
