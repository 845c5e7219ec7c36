"""Knowledge distillation (sec. 5.3, eq. 6; Hinton et al. 2015): imitate a stronger network's softened outputs.

Costs the teacher's forward pass. The teacher sees the student's batch, mixed or not. Eq. 6 weights the two terms by 1
and T^2; the authors' later code by 0.5 and 0.5 T^2 (`form="authors"`). The paper's teacher is ResNet-152-D.
"""

from typing import Any

from mmengine.config import Config
from torch import Tensor
from torch.nn import functional as F

from trick_transfer.engine.values import check_name, check_slot

SLOTS = {"distillation": ("model.teacher",)}

FORMS = {"paper": 1.0, "authors": 0.5}


def distillation(cfg: Config, teacher: str, temperature: float = 20, form: str = "paper") -> None:
    """Set the slot `model.teacher`; `teacher` is the recipe that trains it."""
    cfg.model.teacher = dict(recipe=teacher, temperature=temperature, form=form)


def check_teacher(teacher: Any) -> None:
    """Raise ValueError for a teacher without a recipe, an unknown form, or a temperature not positive and finite."""
    check_slot("distillation", teacher, {"recipe": str, "temperature": float, "form": str}, {"card", "sha256"})
    check_name("distillation: form", teacher["form"], FORMS)
    if not 0 < teacher["temperature"] < float("inf"):
        raise ValueError(f"distillation: temperature must be positive and finite, got {teacher['temperature']}")


def soft_loss(teacher_logits: Tensor, logits: Tensor, temperature: float) -> Tensor:
    """T^2 l(softmax(r / T), softmax(z / T)) of (N, K) logits, the mean over the batch."""
    truth = (teacher_logits / temperature).softmax(1)
    return temperature**2 * F.cross_entropy(logits / temperature, truth)
