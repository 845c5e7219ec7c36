"""transformers' own networks, of a folder as it writes them: each is built as the registered backbone that equals it.

What has no equal is refused. Equal means the same maps of the same weights, which tests compare.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import PositiveFloat

from . import of_timm
from .architecture import OURS, Architecture, Pooled
from .hub_folder import checked, settings
from .looks import RESNETS

TAKEN = "ResNet-18, -34, -50, -101 and -152, ConvNeXt tiny to xlarge, and TimmWrapper's"
IMAGENETS, NAMELESS = "tench", r"LABEL_\d+$"  # labels: of ImageNet, whose folders have WordNet ids, and of no one
FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "area"}  # Pillow's numbers
RESNET = dict(
    num_channels=3,
    depths=[3, 4, 6, 3], hidden_sizes=[256, 512, 1024, 2048], embedding_size=64, layer_type="bottleneck",
    hidden_act="relu", downsample_in_first_stage=False, downsample_in_bottleneck=False,
)  # fmt: skip
CONVNEXT = dict(num_channels=3, depths=[3, 3, 9, 3], hidden_sizes=[96, 192, 384, 768], patch_size=4, hidden_act="gelu")
CONVNEXTS = {
    "tiny": ([3, 3, 9, 3], 96),
    "small": ([3, 3, 27, 3], 96),
    "base": ([3, 3, 27, 3], 128),
    "large": ([3, 3, 27, 3], 192),
    "xlarge": ([3, 3, 27, 3], 256),
}  # blocks, and channels of the first stage


class Preprocessor(NamedTuple):
    """What preprocessor_config.json says of images; transformers' defaults, but for mean and std, which have none."""

    image_mean: list[float] | None = None
    image_std: list[float] | None = None
    do_normalize: bool = True
    do_rescale: bool = True
    rescale_factor: PositiveFloat = 1 / 255
    resample: int = 2  # of FILTERS


def widths(first: int) -> list[int]:
    """Of four stages, each twice as wide as the one before."""
    return [first * 2**stage for stage in range(4)]


def resnet(stated: Mapping[str, Any]) -> Architecture | None:
    """One of ours; None where the settings (filled with transformers' defaults) are none of them."""
    bottleneck = stated["layer_type"] == "bottleneck"
    depth = next(
        (each for (blocks, wide), each in RESNETS.items() if stated["depths"] == [*blocks] and wide == bottleneck), 0
    )
    usual = RESNET | {key: stated[key] for key in ("depths", "layer_type")}
    usual |= {"hidden_sizes": widths(256 if bottleneck else 64)}
    name = f"resnet{depth}b"
    if name not in OURS or usual != {key: stated[key] for key in usual}:
        return None
    return Architecture(OURS[name], partial(Pooled, OURS[name]))


def convnext(stated: Mapping[str, Any]) -> Architecture | None:
    """One of timm's; likewise."""
    sizes = {size: CONVNEXT | dict(depths=depths, hidden_sizes=widths(w)) for size, (depths, w) in CONVNEXTS.items()}
    found = next((size for size, usual in sizes.items() if usual == {key: stated[key] for key in usual}), None)
    return of_timm.network(f"convnext_{found}") if found else None


Reader = Callable[[Mapping[str, Any]], Architecture | None]
KINDS: dict[str, tuple[Reader, dict[str, Any]]] = {"resnet": (resnet, RESNET), "convnext": (convnext, CONVNEXT)}


def folder(stated: Mapping[str, Any], path: Path) -> Architecture:
    """The network of a folder whose config.json holds `stated`, and what the folder says of the weights.

    Raises ValueError for a network that equals no backbone here.
    """
    kind = stated.get("model_type")
    read, defaults = KINDS.get(str(kind), (lambda _: None, {}))
    found = read(defaults | dict(stated))
    if found is None:
        whose = stated.get("architectures") or kind or "another library's network"
        raise ValueError(f"{path / 'config.json'}: {whose} equals no backbone here; of such folders are taken {TAKEN}")
    mean, std, interpolation = fed(path / "preprocessor_config.json")
    names = checked(dict[int, str], stated.get("id2label") or {}, path / "config.json")
    labels = tuple(names[number] for number in sorted(names))
    known = labels if labels and not re.match(f"{IMAGENETS}|{NAMELESS}", labels[0]) else ()
    return Architecture(found.backbone, found.classifier, mean, std, interpolation, licence(path), known)


def fed(path: Path) -> tuple[list[float] | None, list[float] | None, str]:
    """Mean and std in 0..255, None where they are not stated, and how images are resized. Raises ValueError."""
    said = settings(path) if path.is_file() else {}
    stated = {name: said[name] for name in Preprocessor._fields if said.get(name) is not None}
    found = checked(Preprocessor, stated, path)
    scale = found.rescale_factor if found.do_rescale else 1.0
    mean, std = (
        [each / scale for each in values] if values and found.do_normalize else None
        for values in (found.image_mean, found.image_std)
    )
    return mean, std, FILTERS.get(found.resample, "bilinear")


def licence(path: Path) -> str:
    """What its model card says; "unknown" of one that cannot be read, too."""
    from huggingface_hub import ModelCard

    said = None
    with suppress(Exception):  # of anyone's YAML
        said = ModelCard.load(path / "README.md", ignore_metadata_errors=True).data.license
    return str(said) if said else "unknown"
