"""Knowledge distillation (sec. 5.3, eq. 6; Hinton et al. 2015): imitate a stronger network's softened outputs.

Costs the teacher's forward pass. The teacher sees the very batch the student sees, mixed or not. Eq. 6 weighs the two
terms 1 and T^2; the authors' later code has 0.5 and 0.5 T^2 (`form="authors"`). The paper's teacher is ResNet-152-D.
"""

from pathlib import Path

import torch
from mmengine.config import Config
from torch import Tensor
from torch.nn import functional as F

from trick_transfer.engine.values import check_name

SLOTS = {"distillation": ("model.teacher",)}

FORMS = {"paper": 1.0, "authors": 0.5}


def distillation(cfg: Config, teacher: str, temperature: float = 20, form: str = "paper") -> None:
    """Set the slot `model.teacher`; `teacher` is the recipe that trains it."""
    check_name("distillation: form", form, FORMS)
    if temperature <= 0:
        raise ValueError(f"distillation: the temperature is positive, {temperature} is not")
    cfg.model.teacher = dict(recipe=teacher, temperature=temperature, form=form)


def soft_loss(teacher_logits: Tensor, logits: Tensor, temperature: float) -> Tensor:
    """T^2 l(softmax(r / T), softmax(z / T)) of (N, K) logits, the mean over the batch."""
    truth = (teacher_logits / temperature).softmax(1)
    return temperature**2 * F.cross_entropy(logits / temperature, truth)


class Teacher:
    """A frozen classifier read from its exported card. Not a module on purpose: nothing saves or trains it."""

    def __init__(self, recipe: str, temperature: float, form: str, card: str | None = None, sha256: str = "") -> None:
        from ..exported import read_classifier

        if card is None or not Path(card).is_file():
            raise FileNotFoundError(
                f"the teacher {recipe} is missing; make it with: tools/train.py classification {recipe}"
            )
        self.model = read_classifier(card).eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.temperature, self.weight = temperature, FORMS[form]

    def add(self, hard: Tensor, logits: Tensor, images: Tensor) -> Tensor:
        """The whole loss of eq. 6, given its first term and the student's logits on `images`."""
        with torch.inference_mode():
            teacher_logits = self.model.to(images.device)(images).float()
        with torch.autocast(images.device.type, enabled=False):
            soft = soft_loss(teacher_logits.clone(), logits, self.temperature)
        return self.weight * (hard + soft)
