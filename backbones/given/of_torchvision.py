"""torchvision's networks: each is built as the registered backbone that equals it, and takes torchvision's weights.

What has no equal is refused. Equal means the same maps of the same weights, which tests compare.
"""

import re
from pathlib import Path
from typing import Any

from backbones.registry import TIMM, by_name
from trick_transfer.engine.values import check_name, closest

from .architecture import OURS, Architecture
from .fetching import cached, of_url

FAMILIES = "ResNet, ResNeXt, Wide ResNet, RegNet, DenseNet, VGG, ConvNeXt, EfficientNet, MobileNetV2 and MobileNetV3"
ALIKE = (  # timm's name, too
    *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2"),
    *("densenet121", "densenet161", "densenet169", "densenet201"),
    *("vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"),
    *("convnext_tiny", "convnext_small", "convnext_base", "convnext_large"),
    *(f"efficientnet_b{size}" for size in range(8)),
)
OTHERWISE = {
    **{f"efficientnet_v2_{size}": f"efficientnetv2_{size}" for size in "sml"},
    "mobilenet_v2": "mobilenetv2_100",
    **{f"mobilenet_v3_{size}": f"mobilenetv3_{size}_100" for size in ("small", "large")},
    **{"regnet_x_400mf": "regnetx_004_tv", "regnet_x_800mf": "regnetx_008", "regnet_x_1_6gf": "regnetx_016"},
    **{"regnet_x_3_2gf": "regnetx_032", "regnet_x_8gf": "regnetx_080", "regnet_x_16gf": "regnetx_160"},
    **{"regnet_x_32gf": "regnetx_320", "regnet_y_400mf": "regnety_004", "regnet_y_800mf": "regnety_008_tv"},
    **{"regnet_y_1_6gf": "regnety_016", "regnet_y_3_2gf": "regnety_032", "regnet_y_8gf": "regnety_080_tv"},
    **{"regnet_y_16gf": "regnety_160", "regnet_y_32gf": "regnety_320"},
}
LARGE_EPS = re.compile("efficientnet_(b[567]|v2)|mobilenet_v3")  # of torchvision's batch norms there; timm's is 1e-5
EQUALS: dict[str, dict[str, Any]] = {
    **{f"resnet{depth}": OURS[f"resnet{depth}b"] for depth in (18, 34, 50, 101, 152)},
    **{
        name: by_name(TIMM + timms) | ({"options": {"bn_eps": 1e-3}} if LARGE_EPS.match(name) else {})
        for name, timms in {**dict(zip(ALIKE, ALIKE, strict=True)), **OTHERWISE}.items()
    },
}


def near(name: str) -> list[str]:
    """The source that a bare name may mean."""
    return [f"torchvision/{each}" for each in closest(name, EQUALS)]


def network(name: str) -> Architecture:
    """torchvision/NAME[:WEIGHTS] for weights from a file: those that are named, else anyone's. Raises ValueError."""
    name, _, weights = name.partition(":")
    return described(name, published(name, weights)) if weights else plain(name)


def plain(name: str) -> Architecture:
    """A network of which torchvision knows no weights. Raises ValueError for one that has no equal here."""
    from torchvision import models

    if name in (known := models.list_models(module=models)) and name not in EQUALS:
        raise ValueError(f"torchvision/{name} equals no backbone here; of torchvision's are taken: {FAMILIES}")
    check_name("torchvision's network", name, known)
    return Architecture(EQUALS[name], lambda classes: models.get_model(name, weights=None, num_classes=classes))


def published(name: str, weights: str = "") -> Any:
    """torchvision's entry of a network's weights, the default one if none is named. Raises ValueError."""
    from torchvision import models

    plain(name)
    entries = models.get_model_weights(name)
    if weights:
        check_name(f"torchvision/{name}'s weights", weights, [each.name for each in entries])
    return entries[weights] if weights else entries.DEFAULT


def described(name: str, entry: Any) -> Architecture:
    """A network and what torchvision says of its weights."""
    known, fed = plain(name), entry.transforms()
    mean, std = ([255 * each for each in values] for values in (fed.mean, fed.std))
    licence = entry.meta.get("license", "unknown")
    return Architecture(known.backbone, known.classifier, mean, std, fed.interpolation.value, licence)


def stored(name: str, entry: Any) -> Path:
    """The file of torchvision's weights, fetched if no cache has it. Raises ValueError that says how else to get it."""
    try:
        return of_url(entry.url)
    except Exception as error:  # of the network, in many ways; or a file of another hash
        raise ValueError(
            f"{cached(entry.url)} is not there, and cannot be fetched ({type(error).__name__}); where there is a "
            f"network, get {entry.url}, and put it there, or give it with --arch torchvision/{name}:{entry.name}"
        ) from error
