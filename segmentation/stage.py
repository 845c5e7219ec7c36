"""Segmentation as a stage. The card fills the backbone slot (the heads take its channels), the protocol the rest."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from PIL import Image

from backbones.fine_tuning import FineTuning
from trick_transfer.engine import pictures
from trick_transfer.engine.stage import Arrays, Metric, Outputs

DATA = Path("ADEChallengeData2016")  # under the data root


class Segmentation(FineTuning):
    """Fine-tunes a dilated FCN (sec. 6.2)."""

    name = "segmentation"
    data_set = "ade20k"
    folder = Path(__file__).parent
    protocols = ("fcn_ade20k", "fcn_ade20k_msflip", "fcn_ade20k_authors")
    authors = "fcn_ade20k_authors"
    metrics = (
        Metric("pix_acc", "pixAcc", required=True, headline=True),
        Metric("miou", "mIoU", required=True, headline=True),
    )

    def image_sizes(self, cfg: Config) -> Iterator[tuple[int, int]]:
        if crop_px := cfg.model.test_cfg.get("crop_px"):
            yield crop_px, crop_px
        yield from super().image_sizes(cfg)

    def check_data(self, cfg: Config) -> None:
        from .data import ADE20K, pairs  # mmseg takes seconds to import

        for dataset in (cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset):
            pairs(*(Path(dataset.data_root, dataset.data_prefix[key]) for key in ("img_path", "seg_map_path")))
            names = dataset.get("metainfo", ADE20K.METAINFO)["classes"]
            if len(names) != cfg.model.decode_head.num_classes:
                raise ValueError(f"the data has {len(names)} classes, the model {cfg.model.decode_head.num_classes}")

    def outputs(self, arrays: Arrays) -> Outputs:
        """pix_acc, and miou over the classes that occur in truth or prediction (in a round: among the images drawn)."""
        hit, predicted, truth = np.moveaxis(arrays["counts"].astype(float), 0, 2)  # (classes, images) each
        union = predicted + truth - hit
        of_all = np.vstack([hit.sum(0), truth.sum(0)])

        def iou(weights: np.ndarray) -> np.ndarray:
            with np.errstate(invalid="ignore"):  # 0/0: the class does not occur
                return 100 * (hit @ weights) / (union @ weights)

        def score(weights: np.ndarray) -> Arrays:
            right, known = of_all @ weights
            return {"pix_acc": 100 * right / known, "miou": np.nanmean(iou(weights), 0)}

        found = iou(np.ones((len(arrays["names"]), 1)))[:, 0]
        classes = zip(arrays["classes"].tolist(), found.tolist(), strict=True)
        return Outputs(arrays["names"], score, {name: value for name, value in classes if value >= 0})

    def draw(self, sample: dict, found: Any, classes: Sequence[str]) -> np.ndarray:
        mask = found.pred_sem_seg.data.squeeze(0).cpu().numpy()
        return pictures.fit(pictures.cover(pictures.stored(found.img_path), mask, len(classes)))

    def seen(self, outputs: Path, data_root: Path, config: dict[str, Any]) -> pictures.Seen:
        """Predicted masks and the truth's as PNG, transparent where the truth names no class."""
        with np.load(outputs) as arrays:
            shown = pictures.spread(len(arrays["shown_names"]))
            names, classes = arrays["shown_names"][shown].tolist(), arrays["classes"].tolist()
            found = [pictures.png(arrays[f"shown_{place}"]) for place in shown]
        truth = []
        for name in names:
            with Image.open(data_root / DATA / f"annotations/validation/{name}.png") as mask:
                truth.append(pictures.png(np.asarray(mask) - np.uint8(1)))  # 0, no class, becomes IGNORED
        return pictures.Seen(names, found, truth, classes, data_root / DATA / "images/validation")


SEGMENTATION = Segmentation()
