"""The data's splits: the number and kind of scenes, their pool, and their folders. The numbers are our choice."""

from dataclasses import dataclass

from .animals import KINDS
from .scenes import Scene, Spec, render

CLS_SIZE, SCENE_SIZE = (88, 88), (128, 176)
CLS_PX, SCENE_PX = (56.0, 84.0), (30.0, 76.0)


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
        kind = index % 10
        return render(self.spec, index, kind, (kind + 1 + index // 10 % 9) % 10 if self.name == "swapped" else None)

    def stem(self, index: int) -> str:
        """The file's name without suffix, and for classification its class folder."""
        if self.form != "folder":
            return f"{index + 1:06d}"
        kind = index % 10
        coat = f"{KINDS[(kind + 1 + index // 10 % 9) % 10]}_" if self.name == "swapped" else ""
        return f"{KINDS[kind]}/{coat}{index:05d}"


def _classification(number: int, pool: str) -> Spec:
    return Spec(number, pool, CLS_SIZE, (1, 1), CLS_PX, (0, 2), 0.65)


def _scene(number: int, pool: str) -> Spec:
    return Spec(number, pool, SCENE_SIZE, (1, 4), SCENE_PX, (1, 5), 0.25)


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
