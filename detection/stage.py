"""Detection as a stage. The card fills the backbone slots (trunk, RoI head) and channels, the protocol the rest."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from backbones.card import Card
from backbones.contract import STILL_RUN, STRIDES
from backbones.fine_tuning import FineTuning, parts
from backbones.registry import sketch
from trick_transfer.engine import pictures
from trick_transfer.engine.details import ALL_CLASSES, Details, as_points, name_of
from trick_transfer.engine.images import decode, stored_px
from trick_transfer.engine.source import Sample
from trick_transfer.engine.split import Split
from trick_transfer.engine.stage import Arrays, Metric, Outputs, Prediction

from .annotation import TURNED, parse
from .boxes import names_in
from .formats import FORMATS, recognise
from .layout import SETS, YEAR, Voc, lay_out, read_list
from .ranking import (
    COCO_LEVELS,
    average_precisions,
    precision_at,
    ranked_classes,
    voc_curve,
)

LAYOUT = "VOCdevkit/VOC<year>/{JPEGImages/*.jpg, Annotations/*.xml, ImageSets/Main/{trainval,test}.txt}"
TEST_IMAGES = Path("VOCdevkit", YEAR, "JPEGImages")
LEAST_SCORE = 0.3  # of a box that is drawn or shown on the page


class Detection(FineTuning):
    """Fine-tunes a Faster R-CNN (sec. 6.1)."""

    name = "detection"
    data_set = "voc0712"
    truth_step = "LoadAnnotations"
    folder = Path(__file__).parent
    protocols = (
        "faster_rcnn_voc",
        "faster_rcnn_fpn_voc",
        "faster_rcnn_voc_authors",
        "faster_rcnn_voc_small",
        "faster_rcnn_voc_frozen",
        "faster_rcnn_fpn_voc_frozen",
        "faster_rcnn_voc_scratch",
        "faster_rcnn_voc_swept",
    )
    authors = "faster_rcnn_voc_authors"
    plain_protocol = "faster_rcnn_fpn_voc"
    hub_task = "object-detection"
    plain_words = {
        "detection.FloatRPNHead": dict(type="RPNHead"),
        "detection.FloatShared2FCBBoxHead": dict(type="Shared2FCBBoxHead"),
        "detection.LoadImage": dict(type="LoadImageFromFile"),
        "detection.FlipPixels": dict(type="RandomFlip"),
        "detection.VOC": dict(type="XMLDataset"),  # mmdet's VOCDataset, but it prints the names of other classes, too
        "detection.VOCMeanAP": dict(type="VOCMetric", metric="mAP", eval_mode="11points"),
    }
    formats = FORMATS
    recognise = staticmethod(recognise)
    lay_out = staticmethod(lay_out)
    metrics = (
        Metric("map_voc07", "VOC mAP (11-point)", required=True, headline=True),
        Metric("map_area", "VOC mAP (area)", required=True),
        Metric("map_coco", "COCO mAP"),
    )

    def fill(self, model: Any, card: Card) -> None:
        super().fill(model, card)
        for part in parts(model):
            if "backbone" in part:
                check_slot(part.backbone, card)
        if "in_channels" in model.neck:  # FPN
            model.neck.in_channels = list(card.channels)
        else:
            trunk, head = card.channels[2:4]
            model.rpn_head.in_channels = model.roi_head.bbox_roi_extractor.out_channels = trunk
            model.roi_head.bbox_head.in_channels = head

    def frozen_norms(self, cfg: Config) -> bool:
        return all(part.backbone.get("norm_eval") for part in parts(cfg.model) if "backbone" in part)  # heads have none

    def check(self, cfg: Config) -> None:
        super().check(cfg)
        for dataset in data_sets(cfg):
            found, heads = len(dataset.metainfo.classes), cfg.model.roi_head.bbox_head.num_classes
            if found != heads:
                raise ValueError(
                    f"the data has {found} classes, the model {heads} (model.roi_head.bbox_head.num_classes)"
                )

    def check_data(self, cfg: Config, training: bool = True) -> None:
        for part in data_sets(cfg, training):
            root, year = Path(part.data_root), Path(part.data_root, part.data_prefix.sub_data_root)
            missing = [p for p in (root / part.ann_file, year / "JPEGImages", year / "Annotations") if is_empty(p)]
            if missing:
                raise FileNotFoundError(f"VOC data: {missing[0]} is missing or empty; expected {root}/{LAYOUT}")

    def check_own_data(self, cfg: Config, known: Sequence[Split]) -> None:
        from .data import VOC  # mmdet takes seconds to import

        for part in data_sets(cfg):
            VOC(**{key: value for key, value in part.items() if key not in ("type", "pipeline")})

    def own_splits(self, classes: Sequence[str]) -> tuple[Split, ...]:
        return tuple(Voc(YEAR, listed, None, tuple(classes)) for listed in SETS.values())

    def adopt(self, cfg: Config, name: str, classes: Sequence[str], counts: Mapping[str, int]) -> None:
        train_sets = cfg.train_dataloader.dataset.dataset.datasets
        del train_sets[1:]  # of several years; the first one's and the scored one's lists are what lay_out writes
        for part in data_sets(cfg):
            part.metainfo = dict(classes=tuple(classes))
        cfg.model.roi_head.bbox_head.num_classes = len(classes)

    def shown_classes(self, sample: Sample, classes: Sequence[str]) -> Iterable[str]:
        return names_in(sample.truth)

    def show(self, sample: Sample, classes: Sequence[str]) -> np.ndarray:
        truth = sample.truth
        image = decode(sample.image, turned=stored_px(sample.image) != (truth.width, truth.height))
        names = [each["name"] + " difficult" * (each["difficult"] == 1) for each in truth.objects]
        scale = pictures.HEIGHT_PX / len(image)
        return drawn(pictures.fit(image), scale, [each["bbox"] for each in truth.objects], names)

    def outputs(self, arrays: Arrays) -> Outputs:
        """map_voc07, map_area (IoU 0.5), and map_coco (IoU 0.50 to 0.95), over the classes that have a truth."""
        return Outputs(arrays["image_ids"], partial(average_precisions, ranked_classes(arrays)))

    def details(self, arrays: Arrays, config: Mapping[str, Any]) -> Details:
        """The 11-point AP of each class that has a truth, and its precision over recall, at VOC's IoU of 0.5."""
        names = config.get("val_dataloader", {}).get("dataset", {}).get("metainfo", {}).get("classes", ())
        labels = [name_of(names, label) for label in arrays["class_labels"].tolist()]
        found = dict(zip(labels, map(voc_curve, ranked_classes(arrays)), strict=True))
        precise = {name: precision_at(recall, best, COCO_LEVELS) for name, (recall, best, _) in found.items()}
        whole = {ALL_CLASSES: np.mean([*precise.values()], 0)} if precise else {}
        return Details(
            "AP (11-point)",
            {name: 100 * average for name, (*_, average) in found.items()},
            axes=("recall", "precision"),
            curves={name: as_points(COCO_LEVELS, each) for name, each in (whole | precise).items()},
        )

    def seen(self, arrays: Arrays, config: dict[str, Any]) -> pictures.Seen:
        """The stored detections, and the truth: [x1, y1, x2, y2, class, score] in the image's pixels."""
        names, counts, gt_counts = (arrays[f"shown_{name}"] for name in ("ids", "counts", "gt_counts"))
        found = np.column_stack([arrays[f"shown_{name}"] for name in ("boxes", "labels", "scores")])
        truth = np.column_stack([arrays[f"shown_gt_{name}"] for name in ("boxes", "labels")])
        boxes = [each.round(2).tolist() for each in np.split(found, np.cumsum(counts)[:-1])]
        gt_boxes = [each.round(1).tolist() for each in np.split(truth, np.cumsum(gt_counts)[:-1])]
        if not len(names) == len(boxes) == len(gt_boxes) or not np.isfinite([*found.flat, *truth.flat]).all():
            raise ValueError("the boxes are not finite, or not of these images")
        classes = config["val_dataloader"]["dataset"]["metainfo"]["classes"]
        images = [f"{TEST_IMAGES}/{name}" for name in names.tolist()]

        def turned(files: Mapping[str, Path], place: int) -> bool:
            xml, image = files.get(f"{TEST_IMAGES.parent}/Annotations/{names[place]}.xml"), files[images[place]]
            return xml is not None and TURNED in parse(xml, image=image).remarks

        return pictures.Seen(names.tolist(), boxes, classes, images, lambda _, place: gt_boxes[place], turned)

    def shown(self, sample: dict, found: Any) -> np.ndarray:
        as_stored = stored_px(found.img_path)[::-1] == tuple(found.ori_shape)
        return decode(found.img_path, turned=not as_stored)  # as the boxes are

    def draw(self, picture: np.ndarray, found: Any, classes: Sequence[str]) -> np.ndarray:
        good = found.pred_instances[found.pred_instances.scores >= LEAST_SCORE]
        words = [
            f"{classes[int(label)]} {100 * float(score):.0f} %"
            for label, score in zip(good.labels, good.scores, strict=True)
        ]
        return drawn(picture, len(picture) / found.ori_shape[0], good.bboxes.tolist(), words)

    def classes(self, cfg: Config) -> Sequence[str]:
        return cfg.val_dataloader.dataset.metainfo.classes

    def predicted(self, found: Any, classes: Sequence[str]) -> Prediction:
        """All boxes, also those that are too weak to be drawn."""
        good = found.pred_instances
        each_box = zip(good.bboxes.tolist(), good.labels.tolist(), good.scores.tolist(), strict=True)
        return Prediction(boxes=[as_coco(*each) for each in each_box])


def as_coco(box: Sequence[float], label: int, score: float) -> dict[str, Any]:
    """A box x1, y1, x2, y2 from 0, which includes its last pixel, in COCO's words."""
    x1, y1, x2, y2 = box
    width, height = x2 - x1 + 1, y2 - y1 + 1
    return dict(category_id=label, bbox=[x1, y1, width, height], area=width * height, iscrowd=0, score=score)


def drawn(picture: np.ndarray, scale: float, boxes: Sequence[Sequence[float]], words: Sequence[str]) -> np.ndarray:
    """A picture with boxes, x1, y1, x2, y2 from 0 in pixels that are `scale` of its own, and their words."""
    for box, text in zip(boxes, words, strict=True):
        pictures.frame(picture, [round(side * scale) for side in box], text)
    return picture


def data_sets(cfg: Config, training: bool = True) -> list[Any]:
    """The Configs of the data sets that are read, in training or only in scoring."""
    loaders = [cfg.train_dataloader, cfg.val_dataloader] if training else [cfg.val_dataloader]
    return [part for part in parts(loaders) if "ann_file" in part]


def check_slot(slot: dict, card: Card) -> None:
    """Raise ValueError for a backbone that cannot be built as the protocol requires, or has other strides."""
    if tuple(card.strides) != STRIDES:
        raise ValueError(
            f"{card.name} has maps of strides {card.strides}, the detectors need {[*STRIDES]}; {STILL_RUN}"
        )
    try:
        sketch(slot)
    except ValueError as error:
        hint = "; use --protocol faster_rcnn_fpn_voc" if len(slot["stages"]) < len(STRIDES) else ""
        raise ValueError(f"{error}{hint}") from error


def is_empty(path: Path) -> bool:
    """Whether a folder or a list is missing or empty."""
    return not (any(path.iterdir()) if path.is_dir() else path.is_file() and read_list(path))


DETECTION = Detection()
