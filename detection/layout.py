"""The layout of detection's data: VOC's development kit."""

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trick_transfer.engine.files import text_lines
from trick_transfer.engine.images import by_name, inspect
from trick_transfer.engine.source import Found
from trick_transfer.engine.split import MADE_UP_SAMPLES, Reader, Split, size_px, write_image, wrong_count

from .annotation import Annotation, is_crowd, read_annotation

YEAR = "VOC2007"  # of all own data
SETS = {"train": "trainval", "val": "test"}
DIGITS = ".10g"  # of a coordinate: far below a pixel


def read_list(path: Path) -> list[str]:
    """The image names of a list, one a line, with their spaces; UTF-8, or UTF-16 with its mark.

    Raises ValueError for another encoding or a name that occurs twice, FileNotFoundError for a list that is missing.
    """
    names = text_lines(path)
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise ValueError(f"{path} names {len(twice)} images more than once, such as {twice[0]}; remove the repetitions")
    return names


@dataclass(frozen=True)
class Voc(Split):
    """root/VOCdevkit/<year>/ImageSets/Main/<image_set>.txt lists names of JPEGImages/*.jpg and Annotations/*.xml."""

    year: str
    image_set: str
    images: int | None
    classes: tuple[str, ...] | None

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.year} {self.image_set}"

    def samples(self, root: Path) -> tuple[list[tuple[Path, Path]], list[str]]:
        base = root / "VOCdevkit" / self.year
        listed = base / "ImageSets" / "Main" / f"{self.image_set}.txt"
        try:
            names, images = read_list(listed), by_name(base / "JPEGImages")
        except (OSError, ValueError) as error:
            return [], [str(error)]
        if not names:
            return [], [f"{listed} is empty"]
        paths = {name: images.get(name, base / "JPEGImages" / f"{name}.jpg") for name in names}
        pairs = [(image, base / "Annotations" / f"{name}.xml") for name, image in paths.items()]
        missing = {path for pair in pairs for path in pair if not path.is_file()}
        wrong = wrong_count(f"images in {listed}", len(pairs), self.images)
        wrong += [f"{path} does not exist, but {listed} lists it" for path in sorted(missing)]
        return [pair for pair in pairs if missing.isdisjoint(pair)], wrong

    def reader(self) -> Reader:
        def look(sample: tuple[Path, Path]) -> Iterable[str]:
            image, xml = sample
            inspect(image)
            return [found["name"] for found in read_annotation(xml, self.classes, image).objects]

        return look

    def empty(self, seen: set[str]) -> list[str]:
        return [name for name in self.classes or () if name not in seen]

    def make_up(self, root: Path) -> None:
        base = root / "VOCdevkit" / self.year
        for folder in ("Annotations", "ImageSets/Main"):
            (base / folder).mkdir(parents=True, exist_ok=True)
        names = [f"{self.image_set}{i}" for i in range(MADE_UP_SAMPLES)]
        for number, name in enumerate(names):
            height, width = size_px(number)
            write_image(base / "JPEGImages" / f"{name}.jpg", (height, width))
            box = [width // 4, height // 4, width // 2, height // 2]
            thing = {"bbox": box, "name": (self.classes or ("object",))[0], "difficult": 0}
            write_xml(base / "Annotations" / f"{name}.xml", Annotation(name, width, height, [thing]))
        (base / "ImageSets/Main" / f"{self.image_set}.txt").write_text("\n".join(names) + "\n")


def write_xml(path: Path, found: Annotation) -> None:
    """A VOC XML of boxes from 0; equal annotations make equal bytes."""
    root = ET.Element("annotation")
    size = ET.SubElement(root, "size")
    for side, pixels in (("width", found.width), ("height", found.height), ("depth", 3)):
        ET.SubElement(size, side).text = str(pixels)
    for each in found.objects:
        thing = ET.SubElement(root, "object")
        for field in ("name", "difficult"):
            ET.SubElement(thing, field).text = str(each[field])
        box = ET.SubElement(thing, "bndbox")
        for side, value in zip(("xmin", "ymin", "xmax", "ymax"), each["bbox"], strict=True):
            ET.SubElement(box, side).text = format(value + 1, DIGITS)
    ET.indent(root)
    path.write_bytes(ET.tostring(root, "utf-8") + b"\n")


def lay_out(found: Found, root: Path) -> None:
    """Samples of Annotations as VOC2007 trainval and test: links to the images, XMLs written anew, two lists.

    Crowds are no single objects: left out of training, and difficult where they are scored, so that they are ignored.
    """
    base = root / "VOCdevkit" / YEAR
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (base / folder).mkdir(parents=True)
    for split, listed in SETS.items():
        samples = sorted(found.of(split), key=lambda sample: sample.file_name)
        for name, sample in ((sample.file_name, sample) for sample in samples):
            (base / "JPEGImages" / f"{name}{sample.image.suffix}").symlink_to(sample.image.resolve())
            objects = [
                each | {"difficult": int(each["difficult"] or is_crowd(each))}
                for each in sample.truth.objects
                if split != "train" or not is_crowd(each)
            ]
            write_xml(base / "Annotations" / f"{name}.xml", sample.truth._replace(objects=objects))
        names = "".join(f"{sample.file_name}\n" for sample in samples)
        (base / "ImageSets/Main" / f"{listed}.txt").write_text(names, "utf-8")
