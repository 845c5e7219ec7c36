"""--to torchvision: a state dict for the network of that name in `torchvision.models`."""

from pathlib import Path

import torch
from torch import nn
from torchvision import models

from backbones.naming import to_timm
from backbones.resnet import ResNet
from trick_transfer.engine.weights import load_strictly

from .trained import Trained, architecture, check_rgb

USE = """\
import torch
import torchvision

model = torchvision.models.{name}({options}){without}
model.load_state_dict(torch.load("FOLDER/{name}.pth", weights_only=True))
"""


@torch.no_grad()
def write(trained: Trained, folder: Path) -> str:
    """NAME.pth. Raises ValueError for a network that torchvision does not have."""
    name, _ = architecture(trained.model.backbone)
    check_rgb(trained.card, "torchvision")
    if name not in models.list_models(models):
        others = "timm, mm, onnx or card" if isinstance(trained.model.backbone, ResNet) else "onnx or card"
        raise ValueError(f"torchvision has no {name}; use --to {others}")
    file, theirs = folder / f"{name}.pth", network(name, trained.classes)
    source = f"torchvision's {name}: {trained.card.name}"
    torch.save(dict(to_timm(trained.model, theirs.state_dict())), file)
    load_strictly(theirs, torch.load(file, weights_only=True), source)
    images = trained.images()
    trained.check(f"torchvision's {name}", [theirs.eval()(images)], [trained.model.logits(images)])
    if trained.classes:
        return USE.format(name=name, options=f"num_classes={trained.classes}", without="")
    return USE.format(name=name, options="", without="\nmodel.fc = torch.nn.Identity()  # these weights have no head")


def network(name: str, classes: int) -> nn.Module:
    """torchvision's network; without classes, without its last layer."""
    if classes:
        return models.get_model(name, num_classes=classes)
    net = models.get_model(name)
    if not hasattr(net, "fc"):
        raise ValueError(
            f"torchvision's {name} is not loaded without a head, which these weights lack; use --to onnx or card"
        )
    net.fc = nn.Identity()
    return net
