"""What each protocol computes from fixed weights and fixed data, against values recorded in golden.json.

They say that a protocol is what it was, not that it is right: other tests do that. The weights are a formula of each
tensor's name, the data real files made by a formula; from there on all is the protocol's own, on the mini tier and with
a ResNet-18: reader, augmentation, loss, inference, evaluator.
"""

import json
import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from PIL import Image
from torch import nn
from toy_ade20k import write_pair
from toy_voc import toy_card, xml

from backbones.card import read_card
from trick_transfer.engine.checkpoint import unwrapped
from trick_transfer.engine.files import write_whole
from trick_transfer.engine.seeding import seed_all
from trick_transfer.mini import CLASSES, STUFF
from trick_transfer.runs.resolve import resolve
from trick_transfer.runs.run import Run
from trick_transfer.runs.training import make_runner

pytestmark = pytest.mark.slow
GOLDEN = Path(__file__).with_name("golden.json")
RECORD = bool(os.environ.get("GOLDEN_RECORD"))
CLOSE = {
    "losses": partial(pytest.approx, rel=1e-3),
    "scores": partial(pytest.approx, abs=0.05),  # points
    "boxes": partial(pytest.approx, rel=1e-2),  # of two with nearly equal scores now the one is kept, now the other
}
CHANGED = """{key}: the protocol's behaviour changed in {what}.
If that is intended, raise `version` in the protocol's file and record the new values with
GOLDEN_RECORD=1 pytest tests/test_golden.py"""
WIDTH, HEIGHT = 176, 128  # of mini's scenes
TRAINED, SCORED = 8, 12  # images
BOX_LAYERS, BOX_GAIN = (".fc_reg.", ".rpn_reg."), 0.02  # so that boxes stay near their anchors
KINDS = (4, 5, 6, 9)  # of the objects to be detected: what these weights say most often
SIDES_PX = ((30, 16), (42, 21)), ((44, 44), (60, 60))  # least and most: what the two detectors' anchors find by chance


@dataclass
class Case:
    stage: str
    recipe: str = "resnet50d_best"
    protocol: str | None = None
    sets: dict = field(default_factory=dict)

    @property
    def name(self):
        return self.protocol or f"{self.stage} {self.recipe}"


DATA = {"data.num_train": 2 * TRAINED, "data.num_val": 60, "global_batch": 8, "model.backbone.depth": 18}
# some classes have one image to train on; features so alike are nearly tied under the protocol's own penalty
SHOT = {"val_evaluator.shots": (1,), "val_evaluator.draws": 2, "val_evaluator.inverse_l2": 1000.0}
CASES = [
    Case("detection", protocol="faster_rcnn_voc"),
    Case("detection", protocol="faster_rcnn_fpn_voc"),
    Case("detection", protocol="faster_rcnn_voc_authors"),
    Case("detection", protocol="faster_rcnn_voc_small"),
    Case("detection", protocol="faster_rcnn_voc_frozen"),
    Case("detection", protocol="faster_rcnn_fpn_voc_frozen"),
    Case("detection", protocol="faster_rcnn_voc_scratch"),
    Case("detection", protocol="faster_rcnn_voc_swept"),
    Case("segmentation", protocol="fcn_ade20k"),
    Case("segmentation", protocol="fcn_ade20k_msflip"),
    Case("segmentation", protocol="fcn_ade20k_authors"),
    Case("segmentation", protocol="fcn_ade20k_small"),
    Case("segmentation", protocol="fcn_ade20k_frozen"),
    Case("segmentation", protocol="fcn_ade20k_scratch"),
    Case("segmentation", protocol="fcn_ade20k_swept"),
    Case("probing", protocol="linear_probe"),
    Case("probing", protocol="knn", sets={"val_evaluator.neighbours": 3}),  # of sixteen images
    Case("probing", protocol="few_shot", sets=SHOT),
    Case("classification", "resnet50_baseline", sets=DATA),
    Case("classification", sets=DATA | {"tricks.distillation": None}),
]


def random(name):
    """A generator of its own for every name, on any machine."""
    return np.random.default_rng(crc32(name.encode()))


def fill(model):
    """Filters like Xavier's, each of mean 0, so that an image's differences matter; scales near 1, shifts near 0."""
    for name, tensor in model.named_parameters():
        noise = random(name).standard_normal(tensor.shape)
        if tensor.ndim > 1:
            receptive = tensor[0, 0].numel()
            noise -= noise.mean(tuple(range(1, tensor.ndim)), keepdims=True)
            noise *= np.sqrt(2 / (receptive * (tensor.shape[0] + tensor.shape[1])))
        else:
            noise = 0.1 * noise + name.endswith("weight")
        noise *= BOX_GAIN if any(layer in f".{name}" for layer in BOX_LAYERS) else 1
        tensor.data.copy_(torch.from_numpy(noise))
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.momentum = 1  # where batch norms train, theirs become those of the batch


def picture(name, boxes=()):
    """(HEIGHT, WIDTH, 3): soft clouds, and in each box stripes whose direction and colour tell its label."""
    rng = random(name)
    small = Image.fromarray(rng.integers(0, 256, (8, 11, 3), dtype=np.uint8))
    pixels = np.array(small.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for label, (left, top, right, bottom) in boxes:
        stripes = np.cos(0.2 * (1 + label % 3) * (x * np.cos(label) + y * np.sin(label)))[..., None]
        inside = slice(top, bottom), slice(left, right)
        colour = random(f"label {label}").integers(0, 200, 3)
        pixels[inside] = (colour + 27 * (1 + stripes))[inside].astype(np.uint8)
    return pixels


def boxes_of(name, number):
    """(label, (left, top, right, bottom)) each, counted from 0."""
    rng = random(f"{name} boxes")
    for at in range(number):
        width, height = (int(side) for side in rng.integers(*SIDES_PX[at % len(SIDES_PX)]))
        left, top = int(rng.integers(0, WIDTH - width)), int(rng.integers(0, HEIGHT - height))
        yield int(rng.choice(KINDS)), (left, top, left + width, top + height)


def save(pixels, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)


def detection(root):
    """VOC07+12, of six to eight objects an image; every fifth object is difficult."""
    for year, split, count in (("2007", "trainval", TRAINED), ("2012", "trainval", TRAINED), ("2007", "test", SCORED)):
        base, names = root / f"VOCdevkit/VOC{year}", [f"{year}_{split}_{i}" for i in range(count)]
        for at, name in enumerate(names):
            boxes = list(boxes_of(name, 6 + at % 3))
            save(picture(name, boxes), base / f"JPEGImages/{name}.jpg")
            objects = [  # VOC counts pixels from 1
                (CLASSES[label], int((at + i) % 5 == 4), (left + 1, top + 1, right, bottom))
                for i, (label, (left, top, right, bottom)) in enumerate(boxes)
            ]
            for folder in ("Annotations", "ImageSets/Main"):
                (base / folder).mkdir(parents=True, exist_ok=True)
            (base / f"Annotations/{name}.xml").write_text(xml(objects, WIDTH, HEIGHT))
        (base / f"ImageSets/Main/{split}.txt").write_text("\n".join(names))


def segmentation(root):
    """ADE20K, in tiles of 16 px; raw 0 is of no class."""
    for split, count in (("training", 2 * TRAINED), ("validation", SCORED // 2)):
        for at in range(count):
            tiles = random(f"{split} {at}").integers(0, len(CLASSES + STUFF) + 1, (HEIGHT // 16, WIDTH // 16))
            write_pair(root, split, f"{at:04d}", np.kron(tiles, np.ones((16, 16), np.int64)))


def classification(root):
    """Class folders; a framed pattern tells the class."""
    for split, count in (("train", 2 * TRAINED), ("val", DATA["data.num_val"])):
        for at in range(count):
            label = at % 10
            box = label, (10 + 3 * (at % 5), 8, 160, 120)
            save(picture(f"{split} {at}", [box]), root / f"{split}/{CLASSES[label]}/{at:03d}.jpg")


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Each stage's data; probing reads classification's."""
    made = {}
    for write in (detection, segmentation, classification):
        made[write.__name__] = tmp_path_factory.mktemp(write.__name__)
        write(made[write.__name__])
    return made | {"probing": made["classification"]}


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    return read_card(toy_card(tmp_path_factory.mktemp("card")).folder / "card.json")


@pytest.fixture(scope="module")
def golden():
    """What was recorded, or a place for what is to be."""
    values = {} if RECORD else json.loads(GOLDEN.read_text())
    yield values
    if RECORD:
        text = json.dumps(values, indent=1, sort_keys=True) + "\n"
        write_whole(GOLDEN, lambda part: part.write_text(text))


def losses(runner, model):
    """Those of the first batch, by name."""
    batch = next(iter(Runner.build_dataloader(runner.cfg.train_dataloader, seed=runner.seed)))
    seed_all(runner.seed)
    with torch.no_grad():
        _, logged = model.parse_losses(model.train()(**model.data_preprocessor(batch, training=True), mode="loss"))
    return {name: float(value) for name, value in logged.items() if "loss" in name}


def measure(run, layers):
    """The losses of the first batch, where it is trained, and the scores of all images, with weights of the formula."""
    runner = make_runner(resolve(run, layers, run.batch()).cfg)
    model = unwrapped(runner)
    fill(model)
    values = {"losses": losses(runner, model)} if runner.cfg.train_cfg.max_epochs else {}
    found = []
    model.register_forward_hook(lambda model, inputs, outputs: found.extend(outputs))
    metrics = runner.val()
    values["scores"] = metrics
    return values | ({"boxes": summary(found)} if run.stage == "detection" else {})


def summary(found):
    """How many boxes an image has; of all boxes the mean score in percent, and the mean corners in pixels."""
    boxes, scores = (torch.cat([each.pred_instances[key] for each in found]) for key in ("bboxes", "scores"))
    return {"boxes": len(boxes) / len(found), "score": 100 * float(scores.mean())} | {
        side: float(value) for side, value in zip(("x1", "y1", "x2", "y2"), boxes.mean(0), strict=True)
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_protocol_computes_what_it_did(tmp_path, roots, card, golden, case):
    run = Run(
        case.stage, case.recipe, "mini", sets=case.sets, protocol=case.protocol, work_dir=tmp_path,
        data_root=roots[case.stage],
    )  # fmt: skip
    layers = run.connected(None if run.task.trains_backbone else card)
    found, key = measure(run, layers), f"{case.name}@{layers.cfg.version}"
    if RECORD:
        golden[key] = found
    assert key in golden, f"{key} is not recorded: GOLDEN_RECORD=1 pytest tests/test_golden.py does it"
    for what, value in golden[key].items():
        assert found[what] == CLOSE[what](value), CHANGED.format(key=key, what=what)
