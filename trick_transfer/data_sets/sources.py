"""The facts of each data set: terms, archives, the numbers of files they must hold, and where these go.

Addresses and md5s: torchvision 0.29, datasets/{imagenet,voc,places365}.py; ADE20K's sha256: tensorflow/datasets at
6f96ef33, url_checksums/ade20k.txt. Counts: Russakovsky et al. 2015 (ImageNet), the VOC development kits, Zhou et al.
2017 (Places; ADE20K). We have not downloaded any of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from classification.data import Folder, Unlabelled
from detection.layout import Voc
from segmentation.layout import Ade
from trick_transfer import mini
from trick_transfer.engine.split import Split
from trick_transfer.mini import splits as mini_splits
from trick_transfer.mini.build import is_made

from .placing import Placing, as_is, imagenet_train, imagenet_val, places_test, places_train, places_val, tiny_imagenet


@dataclass(frozen=True)
class Archive:
    """A file `name` at the address `folder` (None: to be fetched by hand); `checksum` is "md5:..." or "sha256:..."."""

    name: str
    checksum: str
    folder: str | None = None

    @property
    def url(self) -> str:
        return f"{self.folder}/{self.name}"


@dataclass(frozen=True)
class Part:
    """Splits, their archives, and where the first archive's files go; the others list the classes."""

    splits: tuple[Split, ...]
    archives: tuple[Archive, ...] = ()
    placing: Placing = as_is


@dataclass(frozen=True)
class DataSet:
    """`terms` is printed before anything is fetched; it is a summary, the publisher's page is binding.

    `licence` goes into receipts and cards. `make` fills the folder above the root, for data that can be made;
    `option` is the word before "-root" on command lines.
    """

    parts: tuple[Part, ...]
    terms: str = ""
    licence: str = "unknown"
    option: str = ""
    make: Callable[[Path], None] | None = None

    @property
    def archives(self) -> tuple[Archive, ...]:
        return tuple(archive for part in self.parts for archive in part.archives)

    def training_images(self, root: Path | None = None) -> int:
        """Their number; in a folder, if one is named, that of those found there."""
        splits = (split for split in self.splits if split.trains)
        return sum(len(split.samples(root)[0]) if root else split.images or 0 for split in splits)

    @property
    def splits(self) -> tuple[Split, ...]:
        return tuple(split for part in self.parts for split in part.splits)

    def own(self) -> "DataSet":
        """The same layout with data of the user's own, in any number and of any classes."""
        return DataSet((Part(tuple(split.own() for split in self.splits if split.labelled)),))

    def gaps(self, root: Path) -> list[str]:
        """How the labelled data in a folder differ from these facts, as far as that shows without reading the files."""
        if self.make and not is_made(root.parent):
            return [f"{root} was not made by this version"]
        return [line for split in self.splits if split.labelled for line in split.samples(root)[1]]


VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
VOC_URL = "https://thor.robots.ox.ac.uk/pascal/VOC"
PLACES_URL = "http://data.csail.mit.edu/places/places365"

IMAGENET = DataSet(
    licence="research only (ImageNet terms of access)",
    option="imagenet",
    parts=(
        Part(
            (Folder("train", 1_281_167, 1000),),
            (Archive("ILSVRC2012_img_train.tar", "md5:1d675b47d978889d74fa0da5fadfb00e"),),
            imagenet_train,
        ),
        Part(
            (Folder("val", 50_000, 1000),),
            (
                Archive("ILSVRC2012_img_val.tar", "md5:29b22e2961454d5413ddabcf34fc5622"),
                Archive("ILSVRC2012_devkit_t12.tar.gz", "md5:fa75699e90414af021442c21a62c3abf"),
            ),
            imagenet_val,
        ),
    ),
    terms="""\
ImageNet-1k is for non-commercial research and education, and only its own site gives it out:
  1. Register at https://image-net.org/signup and accept the terms of access there.
  2. On https://image-net.org/challenges/LSVRC/2012/2012-downloads.php, fetch "Training images (Task 1 & 2)"
     (138 GB), "Validation images (all tasks)" (6.3 GB) and "Development kit (Task 1 & 2)" (2.5 MB).
  3. Put ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz into the archives' folder,
     and run this command again: it checks and unpacks them.""",
)

VOC = tuple(
    Part((Voc(year, name, images, VOC_CLASSES),), (Archive(archive, md5, f"{VOC_URL}/{year.lower()}"),))
    for year, name, images, archive, md5 in (
        ("VOC2007", "trainval", 5_011, "VOCtrainval_06-Nov-2007.tar", "md5:c52e279531787c972589f7e41ab4ae64"),
        ("VOC2007", "test", 4_952, "VOCtest_06-Nov-2007.tar", "md5:b6e924de25625d8de591ea690078ad9f"),
        ("VOC2012", "trainval", 11_540, "VOCtrainval_11-May-2012.tar", "md5:6cd6e144f989b92b3379bac3b3de84fd"),
    )
)


def voc(parts: tuple[Part, ...], size: str) -> DataSet:
    """Some of VOC's parts as a data set."""
    return DataSet(
        licence="Flickr's terms of use (PASCAL VOC's database rights)",
        option="voc",
        parts=parts,
        terms=f"PASCAL VOC ({size}): its images are Flickr's, and their use has to respect Flickr's terms of use.",
    )


ADE_SHA256 = "sha256:7ff1be44964418441f542a7cc1e1a650e7dc0fc275f5d23252bc9bbdbc977b29"
ADE20K = DataSet(
    licence="research and education only (ADE20K's terms of use)",
    option="ade20k",
    parts=(
        Part(
            (Ade("training", 20_210, 150), Ade("validation", 2_000, 150)),
            (Archive("ADEChallengeData2016.zip", ADE_SHA256, "http://data.csail.mit.edu/places/ADEchallenge"),),
        ),
    ),
    terms="ADE20K's scene parsing (1 GB): images for non-commercial research and education only, not to be passed on;\n"
    "annotations BSD-3. By downloading you agree to the terms at https://groups.csail.mit.edu/vision/datasets/ADE20K/.",
)

PLACES365 = DataSet(
    licence="research only (Places365 terms of use)",
    option="places365",
    parts=(
        Part(
            (Folder("train", 1_803_460, 365),),
            (Archive("train_256_places365standard.tar", "md5:53ca1c756c3d1e7809517cc47c5561c5", PLACES_URL),),
            places_train,
        ),
        Part(
            (Folder("val", 36_500, 365),),
            (
                Archive("val_256.tar", "md5:e27b17d8d44f4af9a78502beb927f808", PLACES_URL),
                Archive("filelist_places365-standard.tar", "md5:35a0585fee1fa656440f3ab298f8479c", PLACES_URL),
            ),
            places_val,
        ),
        Part(  # tools/test.py --submission labels these images
            (Unlabelled("test", 328_500),),
            (Archive("test_256.tar", "md5:f532f6ad7b582262a2ec8009075e186b", PLACES_URL),),
            places_test,
        ),
    ),
    terms="Places365-Standard, 256 px (31 GB): for non-commercial research and education only, not to be passed on;\n"
    "copyright stays with the images' owners. By downloading you agree to the terms at http://places2.csail.mit.edu/.",
)


TINY_IMAGENET = DataSet(  # Le and Yang 2015, "Tiny ImageNet Visual Recognition Challenge"
    licence=IMAGENET.licence,
    option="tiny-imagenet",
    parts=(
        Part(
            (Folder("train", 100_000, 200), Folder("val", 10_000, 200)),
            (
                Archive(
                    "tiny-imagenet-200.zip",  # md5 as in Avalanche's tinyimagenet_data.py
                    "md5:90528d7ca1a48142e341f4ef8d21d0de",
                    "http://cs231n.stanford.edu",
                ),
            ),
            tiny_imagenet,
        ),
    ),
    terms="Tiny-ImageNet-200 is 248 MB of ImageNet at 64 px: for non-commercial research and education only, and not\n"
    "to be passed on; see https://image-net.org/download.",
)


def mini_split(split: mini_splits.Split) -> Split:
    """The embedded benchmark's split as one of a data set on disk."""
    if split.form == "folder":
        return Folder(split.place.removeprefix("imagenet1k/"), split.count, len(mini.CLASSES))
    if split.form == "voc":
        year, image_set = split.place.split("/")
        return Voc(year, image_set, split.count, mini.CLASSES)
    names = (*mini.CLASSES, *mini.STUFF)
    return Ade(split.place, split.count, len(names), names)


DATA_SETS = {  # by their folder under data/
    "imagenet1k": IMAGENET,
    "tiny_imagenet": TINY_IMAGENET,
    "places365": PLACES365,
    "voc0712": voc(VOC, "2.9 GB"),
    "voc2007": voc(VOC[:2], "0.9 GB"),
    "voc2012": voc(VOC[2:], "2.0 GB"),
    "ade20k": ADE20K,
    **{
        f"mini/{folder}": DataSet(
            (Part(tuple(mini_split(split) for split in mini_splits.SPLITS if split.form == form)),),
            licence="synthetic, see mini/LICENSES.md",
            make=mini.make,
        )
        for folder, form in (("imagenet1k", "folder"), ("voc0712", "voc"), ("ade20k", "ade20k"))
    },
}
