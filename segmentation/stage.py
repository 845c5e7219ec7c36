"""Segmentation as a stage. The card fills the backbone slot (the heads take its channels), the protocol the rest."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config

from backbones.fine_tuning import FineTuning
from backbones.registry import sketch
from trick_transfer.engine import pictures
from trick_transfer.engine.details import PIXELS, Details
from trick_transfer.engine.images import stored_px
from trick_transfer.engine.progress import over_threads
from trick_transfer.engine.source import Sample
from trick_transfer.engine.split import Split, refuse
from trick_transfer.engine.stage import Arrays, Metric, Outputs, Prediction

from . import confusion
from .formats import FORMATS, recognise
from .layout import DATA, FOLDERS, Ade, lay_out, pairs
from .masks import READING, Ids, read_mask

SAMPLE = 50  # masks whose values an error lists
LISTED = 30  # values
AS_ADE20K = "masks are read as ADE20K's: 0 is ignored, k is class k - 1; first_class and ignore say it otherwise"


class Segmentation(FineTuning):
    """Fine-tunes a dilated FCN (sec. 6.2)."""

    name = "segmentation"
    data_set = "ade20k"
    truth_step = "segmentation.LoadMask"
    folder = Path(__file__).parent
    protocols = (
        "fcn_ade20k",
        "fcn_ade20k_msflip",
        "fcn_ade20k_authors",
        "fcn_ade20k_small",
        "fcn_ade20k_frozen",
        "fcn_ade20k_scratch",
        "fcn_ade20k_swept",
    )
    authors = "fcn_ade20k_authors"
    plain_protocol = "fcn_ade20k"
    hub_task = "image-segmentation"
    plain_words = {
        "segmentation.FCN": dict(type="EncoderDecoder"),
        "segmentation.ADE20K": dict(type="ADE20KDataset"),
        "segmentation.LoadMask": dict(type="LoadAnnotations"),
        "segmentation.RandomBlur": None,  # mmseg has none
        "segmentation.SegmentationScores": dict(type="IoUMetric", iou_metrics=["mIoU"]),
    }
    metrics = (
        Metric("pix_acc", "pixAcc", required=True, headline=True),
        Metric("miou", "mIoU", required=True, headline=True),
    )

    def image_sizes(self, cfg: Config) -> Iterator[tuple[int, int]]:
        if crop_px := cfg.model.test_cfg.get("crop_px"):
            yield crop_px, crop_px
        yield from super().image_sizes(cfg)

    def check_data(self, cfg: Config, training: bool = True) -> None:
        from .data import ADE20K  # mmseg takes seconds to import

        for dataset in data_sets(cfg, training):
            pairs(*(Path(dataset.data_root, dataset.data_prefix[key]) for key in ("img_path", "seg_map_path")))
            names = dataset.get("metainfo", ADE20K.METAINFO)["classes"]
            if len(names) != cfg.model.decode_head.num_classes:
                raise ValueError(f"the data has {len(names)} classes, the model {cfg.model.decode_head.num_classes}")
            Ids.of(dataset).fit(len(names))

    def check_own_data(self, cfg: Config, known: Sequence[Split]) -> None:
        from .data import ADE20K, LoadMask

        def look(info: dict) -> list[str]:
            try:
                LoadMask()(info | dict(ori_shape=stored_px(info["img_path"])[::-1]))
            except ValueError as error:
                return [str(error)]
            return []

        names = {tuple(ADE20K.METAINFO["classes"]), *(split.names for split in known if isinstance(split, Ade))}
        for part in data_sets(cfg):
            dataset = ADE20K(**{key: value for key, value in part.items() if key not in ("type", "pipeline")})
            infos = [dataset.get_data_info(place) for place in range(len(dataset))]
            if tuple(dataset.metainfo["classes"]) not in names and not part.keys() & READING:
                raise ValueError(unread(infos[:SAMPLE]))
            if not part.keys() & READING:
                print(f"{part.data_prefix.seg_map_path}: {AS_ADE20K}", file=sys.stderr)
            problems = over_threads(look, infos, f"looking at {part.data_prefix.seg_map_path}")
            refuse([line for found in problems for line in found], "correct the masks, or first_class and ignore")

    def plain(self, cfg: Config, weights: Path) -> Config:
        heads, channels = (cfg.model.decode_head, cfg.model.auxiliary_head), sketch(cfg.model.backbone).channels
        for head in heads:
            head.update(in_channels=channels[head.in_index], num_classes=heads[0].num_classes)
        cfg.model.test_cfg = dict(mode="whole")
        for dataset in data_sets(cfg):
            if "metainfo" in dataset:  # ADE20KDataset takes no other classes
                dataset.update(type="BaseSegDataset", img_suffix=".jpg", seg_map_suffix=".png", reduce_zero_label=True)
        return super().plain(cfg, weights)

    formats = FORMATS
    recognise = staticmethod(recognise)
    mend_lacking = ", or say its value in ignore"
    lay_out = staticmethod(lay_out)

    def shown_classes(self, sample: Sample, classes: Sequence[str]) -> Iterable[str]:
        return sample.truth.classes()

    def own_splits(self, classes: Sequence[str]) -> tuple[Split, ...]:
        return tuple(Ade(folder, None, len(classes), tuple(classes)) for folder in FOLDERS.values())

    def adopt(self, cfg: Config, name: str, classes: Sequence[str], counts: Mapping[str, int]) -> None:
        for dataset in data_sets(cfg):
            dataset.metainfo = dict(classes=list(classes))
        cfg.model.decode_head.num_classes = len(classes)  # the auxiliary head takes it from there

    def show(self, sample: Sample, classes: Sequence[str]) -> np.ndarray:
        image, numbers = pictures.stored(sample.image), sample.truth.numbers()
        if image.shape[:2] != numbers.shape:
            raise ValueError(f"mask {sample.truth.path} is of another size than its image")
        mask = numbers - np.uint8(1)  # 0 becomes IGNORED
        return pictures.name_areas(pictures.fit(pictures.cover(image, mask, len(classes))), mask, classes)

    def outputs(self, arrays: Arrays) -> Outputs:
        """pix_acc, and miou over the classes that occur in truth or prediction (in a round: among the images drawn)."""
        hit, union, truth = areas(arrays)
        of_all = np.vstack([hit.sum(0), truth.sum(0)])

        def score(weights: np.ndarray) -> Arrays:
            right, known = of_all @ weights
            return {"pix_acc": 100 * right / known, "miou": np.nanmean(iou(hit @ weights, union @ weights), 0)}

        return Outputs(arrays["names"], score)

    def details(self, arrays: Arrays, config: Mapping[str, Any]) -> Details:
        """The IoU of each class that occurs, and which classes are confused."""
        hit, union, _ = areas(arrays).sum(2)
        names, pairs = arrays["classes"].tolist(), arrays.get("confusion", np.empty((0, 3), int))
        if "confusion" in arrays:  # earlier outputs have none
            confusion.check(pairs, arrays["counts"])
        found = zip(names, iou(hit, union).tolist(), strict=True)
        confused = ((names[true], names[said], pixels) for true, said, pixels in pairs.tolist())
        return Details(
            "IoU",
            {name: value for name, value in found if value >= 0},
            tuple(sorted(confused, key=lambda each: -each[2])),
            counted=PIXELS,
        )

    def shown(self, sample: dict, found: Any) -> np.ndarray:
        return pictures.stored(found.img_path)

    def draw(self, picture: np.ndarray, found: Any, classes: Sequence[str]) -> np.ndarray:
        mask = cv2.resize(mask_of(found), picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        return pictures.name_areas(pictures.cover(picture, mask, len(classes)), mask, classes)

    def classes(self, cfg: Config) -> Sequence[str]:
        from .data import ADE20K

        return cfg.val_dataloader.dataset.get("metainfo", ADE20K.METAINFO)["classes"]

    def predicted(self, found: Any, classes: Sequence[str]) -> Prediction:
        return Prediction(mask=mask_of(found))

    def seen(self, arrays: Arrays, config: dict[str, Any]) -> pictures.Seen:
        """Predicted masks and the truth's as PNG, transparent where the truth names no class."""
        shown = pictures.spread(len(arrays["shown_names"]))
        names, classes = arrays["shown_names"][shown].tolist(), arrays["classes"].tolist()
        found = [pictures.png(arrays[f"shown_{place}"]) for place in shown]

        ids = Ids.of(config.get("val_dataloader", {}).get("dataset", {}))

        def truth(files: Mapping[str, Path], place: int) -> str:
            with pictures.opened(files[f"{DATA}/annotations/validation/{names[place]}.png"]) as mask:
                return pictures.png(ids.classes(np.asarray(mask)))

        return pictures.Seen(names, found, classes, [f"{DATA}/images/validation/{name}" for name in names], truth)


def mask_of(found: Any) -> np.ndarray:
    """(H, W) uint8 of classes, in the image's own size."""
    return found.pred_sem_seg.data.squeeze(0).cpu().numpy().astype(np.uint8)


def areas(arrays: Arrays) -> np.ndarray:
    """(3, classes, images): pixels that are right, of the union of prediction and truth, and of the truth."""
    hit, predicted, truth = np.moveaxis(arrays["counts"].astype(float), 0, 2)
    return np.stack([hit, predicted + truth - hit, truth])


def iou(hit: np.ndarray, union: np.ndarray) -> np.ndarray:
    """In percent; nan where the class does not occur."""
    with np.errstate(invalid="ignore"):
        return 100 * hit / union


def data_sets(cfg: Config, training: bool = True) -> list[Any]:
    """The Configs of the data sets that are read, in training or only in scoring."""
    return [cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset][0 if training else 1 :]


def unread(infos: list[dict]) -> str:
    """What some masks hold, and how to say which value is which class."""
    masks = [read_mask(info["seg_map_path"], stored_px(info["img_path"])[::-1]) for info in infos]
    values = sorted(set().union(*(np.unique(mask).tolist() for mask in masks)))
    said = ", ".join(map(str, values)) if len(values) < LISTED else f"{len(values)} values, {values[0]} to {values[-1]}"
    reading = "{'first_class': 0, 'ignore': 255}"
    return (
        f"masks of {Path(infos[0]['seg_map_path']).parent} hold {said}: which value is which class? Say it by --set "
        f'"train_dataloader.dataset.dataset={reading}" "val_dataloader.dataset={reading}": first_class (0 or 1) is the '
        "value of the first class, ignore the one that means no class, or None"
    )


SEGMENTATION = Segmentation()
