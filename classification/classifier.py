"""A backbone, global average pooling and one fully-connected layer, trained on soft targets.

The tricks of sec. 5 that change the loss are applied here, in the paper's order: smooth the labels, mix the images, add
the teacher's term. Each is off (None) unless its slot is set. A trained classifier becomes files: the backbone's card
for other tasks, and head.safetensors to make it a teacher.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.nn import functional as F

from backbones.card import WEIGHTS, Card, check_finite, read_card, write_card
from backbones.given.fit import fit
from backbones.given.spelling import OURS
from backbones.registry import MODELS as BACKBONES
from backbones.registry import sketch
from trick_transfer.engine.convolution import laid_out
from trick_transfer.engine.files import write_tensors
from trick_transfer.engine.values import check_name
from trick_transfer.engine.weights import load, load_strictly, read_weights

from .follow import STARTS, gaussian
from .given import Head, put
from .norms import split_norms
from .registry import MODELS
from .tricks.distillation import FORMS, soft_loss
from .tricks.label_smoothing import smooth
from .tricks.mixup import mix_up

HEAD = "head.safetensors"  # beside the card


@MODELS.register_module()
class ImageClassifier(BaseModel):
    """Normalised images (N, 3, H, W) and labels (N,) -> losses, predictions, or logits (N, num_classes)."""

    def __init__(
        self,
        backbone: dict,
        num_classes: int,
        smoothing: dict | None = None,
        mix: dict | None = None,
        teacher: dict | None = None,
        data_preprocessor: dict | None = None,
        start: str = "xavier",
        norm_parts: int = 1,
        given: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.backbone = BACKBONES.build(backbone)
        self.head = nn.Linear(self.backbone.channels[-1], num_classes)
        nn.init.xavier_uniform_(self.head.weight)  # sec. 2.1, as all other weights
        nn.init.zeros_(self.head.bias)
        check_name("model.start", start, STARTS)
        if start == "gaussian":
            self.apply(gaussian)
        self.loaded = put(given, self.backbone) if given else ""
        self.given_head = (Head(given),) if given and "outputs" in given else ()  # in a tuple, as the teacher
        split_norms(self.backbone, norm_parts)
        self.num_classes, self.smoothing, self.mix = num_classes, smoothing, mix
        # in a tuple, so that its 60 M parameters stay out of our state dict, optimiser and DDP
        self.teacher: tuple[Teacher, ...] = (Teacher(**teacher),) if teacher else ()

    def forward(self, inputs: Tensor, labels: Any = None, mode: str = "tensor") -> Any:
        if mode == "loss":
            return {"loss": self.loss(inputs, labels)}
        logits = self.logits(inputs)
        if mode == "predict":
            return [{"logits": z, "label": y} for z, y in zip(logits, labels, strict=True)]
        return logits

    def logits(self, images: Tensor) -> Tensor:
        """The backbone, average pooling and the output layer of Fig. 1; of weights from elsewhere, their own head."""
        if self.given_head:
            return self.given_head[0].logits(images)
        return self.head(self.backbone(images)[-1].mean((2, 3)))

    def targets(self, labels: Tensor) -> Tensor:
        """Labels (N,) -> probabilities (N, K)."""
        if self.smoothing:
            return smooth(labels, self.num_classes, **self.smoothing)
        return F.one_hot(labels, self.num_classes).float()

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The mean cross entropy to the (smoothed, mixed) truth, plus the teacher's term (eq. 6)."""
        targets = self.targets(labels)
        if self.mix:
            images, targets = mix_up(images, targets, **self.mix)
        logits = self.logits(images).float()
        with torch.autocast(images.device.type, enabled=False):
            hard = F.cross_entropy(logits, targets)
        return self.teacher[0].add(hard, logits, images) if self.teacher else hard


class Teacher:
    """A frozen classifier read from its exported card. It is no nn.Module, so that nothing saves or trains it."""

    def __init__(self, recipe: str, temperature: float, form: str, card: str | None = None, sha256: str = "") -> None:
        if card is None or not Path(card).is_file():
            made = f"tools/train.py classification {recipe}"
            raise FileNotFoundError(f"the teacher {recipe} is missing; make it with: {made} and the student's --seed")
        self.model = laid_out(read_classifier(card).eval().requires_grad_(False))
        self.temperature, self.weight = temperature, FORMS[form]

    def add(self, hard: Tensor, logits: Tensor, images: Tensor) -> Tensor:
        """The whole loss of eq. 6, given its first term and the student's logits on `images`."""
        with torch.inference_mode():
            teacher_logits = self.model.to(images.device)(images).float()
        with torch.autocast(images.device.type, enabled=False):
            soft = soft_loss(teacher_logits.clone(), logits, self.temperature)
        return self.weight * (hard + soft)


def read_classifier(card_path: str | Path) -> ImageClassifier:
    """An exported classifier, normalised images (N, 3, H, W) -> logits (N, K). Raises as `read_card` does."""
    card = read_card(card_path)
    head = read_weights(card.folder / HEAD)
    classes = head["bias"].numel() if "bias" in head else 1  # then it does not fit
    model = ImageClassifier(backbone=card.slot(), num_classes=classes)
    load_strictly(model.head, head, card.folder / HEAD)
    return model


def build(
    cfg: Config, checkpoint: Path, timm: bool = False, part: str = "", head: bool = True,
    allow_missing: Sequence[str] = (),
) -> ImageClassifier:  # fmt: skip
    """A recipe's classifier with a checkpoint's weights, or only its backbone (`head`). Raises ValueError for misfits.

    `timm`: the names are timm's or others', not ours. `part`: which network, of several in one file, and
    `allow_missing`: see `fit`.
    """
    scaler = cfg.model.data_preprocessor
    model = ImageClassifier(cfg.model.backbone, cfg.model.num_classes, data_preprocessor=scaler)
    fitted = fit(load(checkpoint), str(checkpoint), model.backbone, part, allow_missing)
    if timm == (fitted.whose == OURS):
        fix = "our names; leave out --timm" if timm else f"{fitted.whose} names; add --timm"
        raise ValueError(f"{checkpoint} has {fix}")
    print(f"{checkpoint}:", *fitted.report, sep="\n  ", file=sys.stderr)
    load_strictly(model.backbone, fitted.trunk, checkpoint)
    model.loaded = "; ".join(fitted.report)
    if head:
        check_head(fitted.head, cfg.model.num_classes, checkpoint)
        layers = {name.rpartition(".")[0] for name in fitted.head}
        alone = {name.rpartition(".")[2]: each for name, each in fitted.head.items()}
        load_strictly(model.head, alone if len(layers) == 1 else fitted.head, checkpoint)
    return model.eval()


def check_head(head: dict[str, Tensor], classes: int, source: Path) -> None:
    """Raise ValueError for a head that is missing, or has another number of classes."""
    alone = "--no-head exports the backbone alone"
    if not head:
        raise ValueError(f"{source} has no head, which tells {classes} classes apart; {alone}")
    for rows in [each.numel() for name, each in head.items() if name.endswith("bias")][-1:]:
        if rows != classes:
            fix = f"--set model.num_classes={rows} takes it, {alone}"
            raise ValueError(f"the head in {source} has {rows} classes, the recipe's {classes}; {fix}")


def export(
    model: ImageClassifier, cfg: Config, folder: Path, metrics: dict[str, float], head: bool = True, **about: Any
) -> Card:
    """Write card, backbone and head; `about` is name, tier, seed and the data's licence. The card is written last.

    Weights that were trained from given ones have the licences of both.
    """
    px = cfg.val_dataloader.dataset.crop.size_px  # some networks accept no other
    check_finite(model.backbone, folder / WEIGHTS, px)  # before a head is written that has no backbone
    if head:
        write_tensors(folder / HEAD, model.head.state_dict())
    else:
        (folder / HEAD).unlink(missing_ok=True)  # of other weights
    config = {k: v for k, v in cfg.model.backbone.to_dict().items() if k != "zero_gamma"}  # an initialisation only
    scaler = cfg.model.data_preprocessor
    licence = about.pop("licence", "unknown")
    licences = {"code": "Apache-2.0", "weights": licence, "data": licence}
    about |= {"mean": list(scaler.mean), "std": list(scaler.std), "licences": licences}
    if given := cfg.model.get("given"):
        about |= {key: given[key] for key in ("channel_order", "interpolation")}
        said = {"source": given.source, "sha256": given.sha256, "loaded": model.loaded}
        about = {"origin": {key: value for key, value in said.items() if value}} | about
        licences["weights"] = " and ".join(
            dict.fromkeys([given.licence, licence] if cfg.max_epochs else [given.licence])
        )
    if not cfg.max_epochs:  # no data made them here
        del licences["data"]
    return write_card(folder, model.backbone, config, metrics, px, **about)


def untrained_card(cfg: Config, name: str) -> Card:
    """The card of a recipe's backbone before training, without weights. Takes no memory and no arithmetic."""
    net = sketch(cfg.model.backbone)
    about: dict[str, Any] = {key: list(cfg.model.data_preprocessor[key]) for key in ("mean", "std")}
    about |= dict(channels=list(net.channels), strides=list(net.strides), backbone=cfg.model.backbone.to_dict())
    about |= dict(tier="", seed=0, sha256="", metrics={}, feature_error=0.0, commit="", versions={}, licences={})
    return Card(name=name, **about)
