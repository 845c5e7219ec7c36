"""The data's splits: the number and kind of scenes, their pool, and their folders. The numbers are our choice."""

from dataclasses import dataclass

from .animals import KINDS
from .scenes import Scene, Spec, render


@dataclass(frozen=True)
class Split:
    """`count` scenes in the format `form`: "folder" (classification), "voc" or "ade20k"; `place`: its folder or set."""

    name: str
    form: str
    place: str
    count: int
    spec: Spec

    def scene(self, index: int) -> Scene:
        """Scene number `index`; classification takes the kinds in turn, the swapped split with the coats of others."""
        if self.form != "folder":
            return render(self.spec, index)
        return render(self.spec, index, *self.kind_and_coat(index))

    def kind_and_coat(self, index: int) -> tuple[int, int | None]:
        kind = index % 10
        return kind, (kind + 1 + index // 10 % 9) % 10 if self.name == "swapped" else None

    def stem(self, index: int) -> str:
        """The file's name without suffix, and for classification its class folder.

        VOC's test starts at 005001, and 2012's ids begin with the year, as the originals do.
        """
        if self.form != "folder":
            year = "2012_" if self.place.startswith("VOC2012") else ""
            return f"{year}{index + 1 + 5000 * (self.place == 'VOC2007/test'):06d}"
        kind, coat = self.kind_and_coat(index)
        return f"{KINDS[kind]}/{'' if coat is None else f'{KINDS[coat]}_'}{index:05d}"


def _classification(number: int, pool: str) -> Spec:
    return Spec(number, pool, (88, 88), (1, 1), (56.0, 84.0), (0, 2), least_visible=0.65)


def _scene(number: int, pool: str) -> Spec:
    return Spec(number, pool, (128, 176), (1, 4), (30.0, 76.0), (1, 5), least_visible=0.25)


SPLITS = (
    Split("train", "folder", "imagenet1k/train", 6_000, _classification(0, "pretrain_train")),
    Split("val", "folder", "imagenet1k/val", 1_000, _classification(1, "pretrain_val")),
    Split("swapped", "folder", "imagenet1k/swapped", 540, _classification(2, "pretrain_val")),
    Split("voc07_trainval", "voc", "VOC2007/trainval", 200, _scene(3, "downstream_train")),
    Split("voc12_trainval", "voc", "VOC2012/trainval", 300, _scene(4, "downstream_train")),
    Split("voc07_test", "voc", "VOC2007/test", 240, _scene(5, "downstream_test")),
    Split("ade_training", "ade20k", "training", 500, _scene(6, "downstream_train")),
    Split("ade_validation", "ade20k", "validation", 240, _scene(7, "downstream_test")),
)
