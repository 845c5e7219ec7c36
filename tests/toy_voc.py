"""Tiny VOC data and cards for the tests of detection: real JPEGs, real XML, random weights."""

import numpy as np
import torch
from PIL import Image

from backbones.card import write_card
from backbones.resnet import ResNet

CLASSES = ("bird", "cat")
MEAN, STD = [123.68, 116.779, 103.939], [58.393, 57.12, 57.375]


def xml(objects, width=96, height=64):
    """A VOC annotation; an object is (name, difficult, (xmin, ymin, xmax, ymax)), from 1 and inclusive."""
    text = f"<annotation><size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    for name, difficult, box in objects:
        sides = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
        text += f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>{sides}</bndbox></object>"
    return text + "</annotation>"


def write_voc(root, objects=(("cat", 0, (11, 11, 60, 50)),), images=4):
    """Write VOC2007 {trainval, test} and VOC2012 {trainval}, `images` each, all with the same bright objects."""
    for year, name in (("2007", "trainval"), ("2007", "test"), ("2012", "trainval")):
        base = root / "VOCdevkit" / f"VOC{year}"
        for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
            (base / folder).mkdir(parents=True, exist_ok=True)
        ids = [f"{name}_{i}" for i in range(images)]
        for number, image_id in enumerate(ids):
            pixels = np.random.default_rng(number).integers(40, 90, (64, 96, 3), dtype=np.uint8)
            for label, _, (xmin, ymin, xmax, ymax) in objects:
                pixels[ymin - 1 : ymax, xmin - 1 : xmax] = (230, 60, 40) if label == "cat" else (40, 60, 230)
            Image.fromarray(pixels).save(base / "JPEGImages" / f"{image_id}.jpg")
            (base / "Annotations" / f"{image_id}.xml").write_text(xml(objects))
        (base / "ImageSets" / "Main" / f"{name}.txt").write_text("\n".join(ids) + "\n")
    return root


def toy_card(folder, depth=18, tweak="bcd", seed=0, **about):
    """A card with random weights; its batch norms differ from their start, so that lost ones would show."""
    torch.manual_seed(seed)
    net = ResNet(depth=depth, tweak=tweak)
    for _, norm in net.norms():
        norm.running_mean.normal_(0, 0.1)
        norm.running_var.uniform_(0.5, 1.5)
    config = dict(type="backbones.ResNet", depth=depth, tweak=tweak)
    facts = dict(name=f"toy{seed}", tier="smoke", seed=seed, mean=MEAN, std=STD, licences={}) | about
    return write_card(folder, net, config, metrics={}, **facts)


def shrink(cfg):
    """Two classes, small images, few proposals, no workers: seconds on one core."""
    for part in nested(cfg._cfg_dict):
        if part.get("type") == "Resize":
            part.scale = (10_000, 64)
        if "metainfo" in part:
            part.metainfo = dict(classes=CLASSES)
        if "num_workers" in part:
            part.update(num_workers=0, persistent_workers=False)
    cfg.model.roi_head.bbox_head.num_classes = len(CLASSES)
    cfg.model.train_cfg.rcnn.sampler.num = 8
    cfg.model.train_cfg.rpn_proposal.max_per_img = 32
    cfg.model.test_cfg.rpn.max_per_img = 8
    cfg.model.rpn_head.feat_channels = 32
    if cfg.model.rpn_head.anchor_generator.type == "detection.RoundedAnchors":
        cfg.model.rpn_head.anchor_generator.scales = [1, 2]
    return cfg


def nested(node):
    """Every dict in a config."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    for child in node if isinstance(node, list | tuple) else ():
        yield from nested(child)
