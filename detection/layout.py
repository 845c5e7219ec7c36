"""The layout of detection's data: VOC's development kit."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trick_transfer.engine.images import decode
from trick_transfer.engine.split import MADE_UP_SAMPLES, Reader, Split, size_px, write_image, wrong_count

XML = (
    "<annotation><size><width>{width}</width><height>{height}</height><depth>3</depth></size><object><name>{name}</name>"
    "<difficult>0</difficult><bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax>"
    "</bndbox></object></annotation>"
)


@dataclass(frozen=True)
class Voc(Split):
    """root/VOCdevkit/<year>/ImageSets/Main/<image_set>.txt lists stems of JPEGImages/*.jpg and Annotations/*.xml."""

    year: str
    image_set: str
    images: int
    classes: tuple[str, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.year} {self.image_set}"

    def samples(self, root: Path) -> tuple[list[tuple[Path, Path]], list[str]]:
        base = root / "VOCdevkit" / self.year
        listed = base / "ImageSets" / "Main" / f"{self.image_set}.txt"
        if not listed.is_file():
            return [], [f"{listed} does not exist"]
        stems = listed.read_text().split()
        pairs = [(base / "JPEGImages" / f"{stem}.jpg", base / "Annotations" / f"{stem}.xml") for stem in stems]
        missing = {path for pair in pairs for path in pair if not path.is_file()}
        wrong = wrong_count(f"images in {listed}", len(pairs), self.images)
        wrong += [f"{path} does not exist, but {listed} lists it" for path in sorted(missing)]
        return [pair for pair in pairs if missing.isdisjoint(pair)], wrong

    def reader(self) -> Reader:
        from .data import read_annotation  # mmdet takes seconds to import

        def look(sample: tuple[Path, Path]) -> Iterable[str]:
            jpeg, xml = sample
            decode(jpeg)
            *_, objects = read_annotation(xml, self.classes, jpeg)
            return [self.classes[found["bbox_label"]] for found in objects]

        return look

    def empty(self, seen: set[str]) -> list[str]:
        return [name for name in self.classes if name not in seen]

    def make_up(self, root: Path) -> None:
        base = root / "VOCdevkit" / self.year
        for folder in ("Annotations", "ImageSets/Main"):
            (base / folder).mkdir(parents=True, exist_ok=True)
        names = [f"{self.image_set}{i}" for i in range(MADE_UP_SAMPLES)]
        for number, name in enumerate(names):
            height, width = size_px(number)
            write_image(base / "JPEGImages" / f"{name}.jpg", (height, width))
            box = dict(xmin=width // 4, ymin=height // 4, xmax=width // 2, ymax=height // 2)
            text = XML.format(width=width, height=height, name=self.classes[0], **box)
            (base / "Annotations" / f"{name}.xml").write_text(text)
        (base / "ImageSets/Main" / f"{self.image_set}.txt").write_text("\n".join(names) + "\n")
