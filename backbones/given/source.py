"""Where a network that somebody has trained comes from: a library's name, a file, a folder, or a class.

    timm/NAME[.TAG]             timm's weights: of the hub, or of its caches on disk
    torchvision/NAME[:WEIGHTS]  torchvision's
    FOLDER, local-dir:FOLDER    a Hugging Face folder of a network of timm's, or of transformers' ResNet or ConvNeXt
    FILE with --arch NAME       anyone's weights; NAME: timm/..., torchvision/..., module:Class, or ours, as resnet50d
    module:Class                a backbone of the user's own, with --import module

With --arch, TAG or WEIGHTS say that the file is theirs; only then are its mean and std known.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from backbones.registry import TIMM, sketch
from trick_transfer.engine.files import file_sha256
from trick_transfer.engine.weights import leaves, load, load_strictly

from . import hub_folder, of_timm, of_torchvision, of_transformers
from .architecture import Architecture, imagenet, ours
from .fit import fit
from .imports import adopt, own

TORCHVISION, FOLDER = "torchvision/", "local-dir:"
KINDS = "timm/NAME, torchvision/NAME, a file with --arch NAME, a Hugging Face folder, module:Class with --import module"
CLASS = re.compile(r"[\w.]+:\w+")
# the last layer's weight, in timm's, torchvision's and lukemelas' networks
HEAD = re.compile(
    r"(.*\.)?(_?fc|classif|classifier(\.\d)?|(last_)?linear|heads?(\.(fc|head|linear|l))?)\.weight", re.ASCII
)


@dataclass(frozen=True)
class Given:
    """A network as its source gives it. Mean and std are RGB in 0..255, None where they are not known."""

    source: str  # as the user wrote it
    name: str  # with the tag, or the weights, that the source leaves to its library
    backbone: dict[str, Any]  # a registered backbone's config, without weights
    held: Any = field(repr=False)  # the checkpoint as `engine.weights.load` returns it; None: a class alone
    sha256: str  # of the weights' file; "" for a class alone
    mean: list[float] | None
    std: list[float] | None
    channel_order: str  # "rgb" or "bgr"
    interpolation: str  # how its training resized images: "bilinear", "bicubic"
    licence: str
    classes: tuple[str, ...]  # names of the head's outputs in order, WordNet ids for ImageNet's; () if not known
    # its own classifier, of one `part` of the checkpoint: normalised images (N, 3, H, W) -> logits (N, K)
    whole: Callable[..., nn.Module] | None = field(repr=False)


def find(source: str, arch: str | None = None, imports: Sequence[str] = ()) -> Given:
    """The network that a source names. Raises ValueError or FileNotFoundError of one line; see the module."""
    adopt(imports)
    path = Path(source.removeprefix(FOLDER))
    if arch and not path.is_file():
        raise FileNotFoundError(f"{source} is no file; --arch {arch} describes a file of weights")
    if path.is_file():
        return of_file(source, path, arch)
    if source and path.is_dir() or source.startswith(FOLDER):
        return of_folder(source, path)
    if source.startswith(TIMM):
        return of_timms(source)
    if source.startswith(TORCHVISION):
        return of_torchvisions(source)
    if CLASS.fullmatch(source):
        return given(source, source.rpartition(":")[2], Architecture(own(source)), None, None)
    near = [] if "/" in source else [*of_timm.near(source), *of_torchvision.near(source)]
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    raise ValueError(f"{source} does not exist; {meant}a backbone is {KINDS}")


def feeding(source: str, mean: list[float] | None, std: list[float] | None) -> tuple[list[float], list[float]]:
    """Mean and std of a source's training images, RGB in 0..255, as the user or the source states them.

    Raises ValueError where neither does, or they are not three, impossible, or of 0..1.
    """
    if not mean or not std:
        raise ValueError(
            f"{source} does not say how its images were normalised; give --mean R G B --std R G B, in 0..255"
        )
    if len(mean) != 3 or len(std) != 3:
        raise ValueError(
            f"{source} says mean {mean} and std {std}; photographs have three; give --mean R G B --std R G B"
        )
    if not all(0 <= each <= 255 for each in mean) or not all(0 < each <= 255 for each in std):
        raise ValueError(f"mean must lie in 0..255 and std above 0, got {mean} and {std}")
    if max(std) < 1:
        whole = (" ".join(f"{255 * each:.6g}" for each in values) for values in (mean, std))
        raise ValueError("mean and std are of images in 0..1; in 0..255 they are --mean {} --std {}".format(*whole))
    return list(mean), list(std)


def network(name: str) -> Architecture:
    """What --arch names. Raises ValueError for what does not exist, or is not taken."""
    if name.startswith(TIMM):
        return of_timm.network(name.removeprefix(TIMM))
    if name.startswith(TORCHVISION):
        return of_torchvision.network(name.removeprefix(TORCHVISION))
    return Architecture(own(name)) if ":" in name else ours(name)


def of_file(source: str, path: Path, arch: str | None) -> Given:
    """Anyone's weights."""
    if not arch:
        raise ValueError(f"{path} does not say which network it is of; add --arch timm/NAME, torchvision/NAME, or ours")
    return given(source, path.stem, network(arch), path, load(path))


def of_folder(source: str, path: Path) -> Given:
    """A Hugging Face folder: timm's, one of transformers' TimmWrapper, which is alike, or transformers' own."""
    stated, weights = hub_folder.settings(path / "config.json"), hub_folder.weights_in(path)
    of_timms = "architecture" in stated
    found, outputs = of_timm.folder(stated, path) if of_timms else (of_transformers.folder(stated, path), -1)
    return given(source, path.resolve().name, found, weights, load(weights), outputs)


def of_timms(source: str) -> Given:
    """timm's weights, as timm loads them."""
    cfg = of_timm.config(source.removeprefix(TIMM))
    weights = of_timm.stored(cfg)
    found = of_timm.described(cfg.architecture, cfg, {})
    name = f"timm_{cfg.architecture}" + (f".{cfg.tag}" if cfg.tag else "")
    return given(source, name, found, weights, of_timm.read(load(weights), cfg, weights), cfg.num_classes)


def of_torchvisions(source: str) -> Given:
    """torchvision's weights."""
    name, _, wanted = source.removeprefix(TORCHVISION).partition(":")
    entry = of_torchvision.published(name, wanted)
    weights = of_torchvision.stored(name, entry)
    found = of_torchvision.described(name, entry)
    return given(source, f"torchvision_{name}_{entry.name}", found, weights, load(weights))


def given(source: str, name: str, found: Architecture, weights: Path | None, held: Any, outputs: int = -1) -> Given:
    """A network and its weights; `outputs` of its head where the source says how many, else those of the weights."""
    sketch(found.backbone)  # refuses what cannot be built
    count = outputs if outputs >= 0 else head_size(held)
    classes = found.classes or imagenet(count)
    return Given(
        source=source,
        name=re.sub(r"[^\w.-]", "_", name),
        backbone=found.backbone,
        held=held,
        sha256=file_sha256(weights) if weights else "",
        mean=found.mean,
        std=found.std,
        channel_order="rgb",
        interpolation=found.interpolation,
        licence=found.licence,
        classes=classes if len(classes) == count else (),
        whole=partial(loaded, found.classifier, count, held, source) if found.classifier and count else None,
    )


def head_size(held: Any) -> int:
    """The number of classes of a checkpoint's last layer; 0 if it has none."""
    layers = dict(leaves(held)) if isinstance(held, Mapping) else {}
    names = [
        name for name, each in layers.items() if HEAD.fullmatch(name) and isinstance(each, Tensor) and each.ndim > 1
    ]
    last = max(names, key=lambda name: (-name.count("."), name), default=None)  # the outermost: no block's gate
    return len(layers[last]) if last else 0


def loaded(classifier: Callable[[int], nn.Module], outputs: int, held: Any, source: str, part: str = "") -> nn.Module:
    """The source's own classifier with its weights, in evaluation mode. Raises ValueError for weights that misfit."""
    net = classifier(outputs)
    load_strictly(net, fit(held, source, net, part).trunk, source)
    return net.eval()
