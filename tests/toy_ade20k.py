"""For tests: an ADE20K folder of tiny images, the protocol at their size, and a card over random weights."""

from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config
from PIL import Image
from safetensors.torch import save_file

from backbones.card import Card
from backbones.resnet import ResNet
from trick_transfer.engine.files import file_sha256

CLASSES = ("cat", "dog", "grass")


def card_of(folder: Path, depth: int = 18, tweak: str = "bcd") -> Card:
    """A card over random weights."""
    folder.mkdir(parents=True, exist_ok=True)
    backbone = ResNet(depth, tweak)
    save_file(backbone.state_dict(), folder / "backbone.safetensors")
    return Card(
        name=folder.name, tier="smoke", seed=0, backbone=dict(type="backbones.ResNet", depth=depth, tweak=tweak),
        channels=list(backbone.channels), strides=list(backbone.strides), mean=[123.68, 116.779, 103.939],
        std=[58.393, 57.12, 57.375], sha256=file_sha256(folder / "backbone.safetensors"), metrics={}, feature_error=0.0,
        commit="", versions={}, licences={}, folder=folder,
    )  # fmt: skip


def write_pair(root: Path, split: str, name: str, mask: np.ndarray) -> None:
    """A JPEG whose colour shows the class, and its mask as a palette PNG, as ADE20K has them."""
    folders = [root / "ADEChallengeData2016" / kind / split for kind in ("images", "annotations")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folders[0] / f"{name}.jpg"), np.stack([60 * mask, 200 - 50 * mask, mask], axis=2).astype(np.uint8))
    image = Image.fromarray(mask.astype(np.uint8)).convert("P")
    image.putdata(mask.ravel().tolist())
    image.save(folders[1] / f"{name}.png")


def make(root: Path) -> Path:
    """Four training and three validation images of 3 classes and "other", in squares of 24 px."""
    rng = np.random.default_rng(0)
    for split, count in (("training", 4), ("validation", 3)):
        for i in range(count):
            coarse = np.resize(rng.permutation(4), (2, 3 + i))
            write_pair(root, split, f"{i:04d}", np.kron(coarse, np.ones((24, 24), np.int64)))
    return root


def small(cfg: Config) -> Config:
    """The protocol on tiny images."""
    for dataset in (cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset):
        dataset.metainfo = dict(classes=CLASSES)
    cfg.model.decode_head.num_classes = len(CLASSES)
    train = cfg.train_dataloader.dataset.dataset.pipeline
    train[3].scale, train[4].size, train[5].crop_size = [(1000, 24), (1000, 96)], (48, 48), (48, 48)
    for step in cfg.val_dataloader.dataset.pipeline:
        if step.type == "Resize":
            step.scale = (192, 48)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.num_workers, loader.persistent_workers = 0, False
    cfg.train_dataloader.batch_size = 2
    return cfg
