"""The layout of detection's data: VOC's development kit."""

import codecs
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trick_transfer.engine.images import by_name, inspect
from trick_transfer.engine.split import MADE_UP_SAMPLES, Reader, Split, size_px, write_image, wrong_count

from .annotation import read_annotation

XML = (
    "<annotation><size><width>{width}</width><height>{height}</height><depth>3</depth></size><object><name>{name}</name>"
    "<difficult>0</difficult><bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax>"
    "</bndbox></object></annotation>"
)


def read_list(path: Path) -> list[str]:
    """The image names of a list, one a line, with their spaces; UTF-8, or UTF-16 with its mark.

    Raises ValueError for another encoding or a name that occurs twice, FileNotFoundError for a list that is missing.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    content = path.read_bytes()
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        names = [line.strip() for line in content.decode(encoding).splitlines()]
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8; save it in that encoding") from None
    twice = [name for name, times in Counter(filter(None, names)).items() if times > 1]
    if twice:
        raise ValueError(f"{path} names {len(twice)} images more than once, such as {twice[0]}; remove the repetitions")
    return list(filter(None, names))


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
            *_, objects = read_annotation(xml, self.classes, image)
            return [found["name"] for found in objects]

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
            box = dict(xmin=width // 4, ymin=height // 4, xmax=width // 2, ymax=height // 2)
            text = XML.format(width=width, height=height, name=(self.classes or ("object",))[0], **box)
            (base / "Annotations" / f"{name}.xml").write_text(text)
        (base / "ImageSets/Main" / f"{self.image_set}.txt").write_text("\n".join(names) + "\n")
