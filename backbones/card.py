"""The card that carries a trained backbone to another task: backbone.safetensors and, beside it, card.json.

A card may come from elsewhere: it names a registered backbone, and all that it says is checked.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt
from safetensors.torch import load_file
from torch import Tensor, nn

from trick_transfer.engine.fields import Percent, Text, checker, parse
from trick_transfer.engine.files import file_sha256, write_tensors, write_whole
from trick_transfer.engine.receipt import commit, versions
from trick_transfer.engine.weights import check_values, some

from .base import Backbone
from .registry import MODELS, sketch

WEIGHTS = "backbone.safetensors"
Order = Literal["rgb", "bgr"]
Interpolation = Literal["bilinear", "bicubic", "nearest", "area", "lanczos"]  # mmcv's names
THREE = Field(min_length=3, max_length=3)
TOLERANCE = 1e-4  # of the largest value: of maps here, of outputs in an export


@dataclass(frozen=True)
class Card:
    """What a task needs to know about a backbone, and how it was made. Mean and std are RGB in 0..255.

    `channel_order` is the one in which the network takes them, `interpolation` how images were resized.
    `origin`, of weights from elsewhere: source, sha256, and what of them was loaded.
    """

    name: Text
    tier: str
    seed: NonNegativeInt
    backbone: dict[str, Any]
    channels: list[int]
    strides: list[int]
    mean: Annotated[list[Annotated[float, Field(ge=0, le=255)]], THREE]
    std: Annotated[list[Annotated[float, Field(gt=0, le=255)]], THREE]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    metrics: dict[str, Percent]
    feature_error: NonNegativeFloat
    commit: str
    versions: dict[str, str]
    licences: dict[str, str]
    channel_order: Order = field(default_factory=lambda: "rgb")  # cards of before have none of these
    interpolation: Interpolation = field(default_factory=lambda: "bilinear")
    origin: dict[str, str] = field(default_factory=dict)
    folder: Path = field(default=Path("."), compare=False)

    @property
    def weights(self) -> Path:
        return self.folder / WEIGHTS

    def feed(self, preprocessor: dict) -> None:
        """Let a task's preprocessor, which has images in the protocol's channel order, normalise as the training did.

        Values within one grey level of a protocol's are its own.
        """
        for key, own in (("mean", self.mean), ("std", self.std)):
            if any(abs(a - b) > 1 for a, b in zip(own, preprocessor[key], strict=True)):
                preprocessor[key] = list(own)
        if self.channel_order == "bgr":
            preprocessor["bgr_to_rgb"] = not preprocessor["bgr_to_rgb"]
            preprocessor |= {key: preprocessor[key][::-1] for key in ("mean", "std")}

    def slot(self, **options: object) -> dict:
        """The backbone's config for another task: architecture, weights and their sha256, and that task's options."""
        return dict(self.backbone) | {"weights": str(self.weights), "sha256": self.sha256} | options


check = checker(Card, "folder")


def read_card(path: str | Path) -> Card:
    """Read card.json. Raises FileNotFoundError, or ValueError for a file that is not a card."""
    path = Path(path)
    if not path.is_file():
        makers = "tools/train.py classification, or tools/export.py"
        raise FileNotFoundError(f"card {path} does not exist; make it with {makers}")
    try:
        data = parse(path.read_text("utf-8"))
        check(data)
        card = Card(**data, folder=path.parent)
        check_maps(card)
    except ValueError as error:
        raise ValueError(f"{path} is not a backbone's card: {error}") from error
    return card


def check_maps(card: Card) -> None:
    """Raise ValueError unless a card's backbone is a registered one that gives the maps that the card names."""
    if "type" not in card.backbone or {"weights", "sha256"} & card.backbone.keys():
        raise ValueError("'backbone' must have a type, and no weights, which are beside the card")
    net = sketch(card.backbone)
    for name, built in (("channels", list(net.channels)), ("strides", list(net.strides))):
        if getattr(card, name) != built:
            raise ValueError(f"{name!r} is {getattr(card, name)!r:.80}, its backbone has {built}; export it again")


def write_card(
    folder: Path, backbone: Backbone, config: dict, metrics: dict[str, float], px: int = 64, **about: object
) -> Card:
    """Write both files, the card last; `about` is all that the network does not say, `px` an accepted size.

    Raises ValueError, and leaves neither, for weights or maps that are not finite, or maps that are others once the
    weights are loaded.
    """
    check_finite(backbone, folder / WEIGHTS, px)
    write_tensors(folder / WEIGHTS, backbone.state_dict())
    exported = MODELS.build(config | {"weights": str(folder / WEIGHTS)})
    error = feature_error(backbone, exported, px)
    if not error <= TOLERANCE * max(float(each.abs().max()) for each in maps_of_noise(backbone, px)):
        (folder / WEIGHTS).unlink()
        mend = "keep all that a backbone's maps depend on in parameters and buffers"
        raise ValueError(f"{folder / WEIGHTS} gives other maps once it is loaded, by {error:.2g}; {mend}")
    code, dirty = commit()
    card = Card(
        backbone=config,
        channels=list(backbone.channels),
        strides=list(backbone.strides),
        sha256=file_sha256(folder / WEIGHTS),
        metrics=metrics,
        feature_error=error,
        commit=code + ("+dirty" if dirty else ""),
        versions=versions(),
        folder=folder,
        **about,  # type: ignore[arg-type]
    )
    data = {key: value for key, value in asdict(card).items() if key != "folder"}
    write_whole(folder / "card.json", lambda part: part.write_text(json.dumps(data, indent=1) + "\n"))
    return card


@torch.no_grad()
def maps_of_noise(net: Backbone, px: int) -> tuple[Tensor, ...]:
    """A network's maps of one fixed random image (1, 3, px, px)."""
    image = torch.randn(1, 3, px, px, generator=torch.Generator().manual_seed(0))
    return net.cpu().eval().to(memory_format=torch.channels_last)(image)  # of one format: rounding depends on it


def feature_error(one: Backbone, other: Backbone, px: int = 64) -> float:
    """The largest absolute difference between two backbones' maps of one fixed random image (1, 3, px, px)."""
    maps = [maps_of_noise(net, px) for net in (one, other)]
    return max(float((a - b).abs().max()) for a, b in zip(*maps, strict=True))


def check_finite(net: Backbone, source: str | Path, px: int = 64) -> None:
    """Raise ValueError for weights that are not finite, or give maps that are not; says which tensors are at fault."""
    state = net.state_dict()
    check_values(state, source)
    if all(each.isfinite().all() for each in maps_of_noise(net, px)):
        return
    below = [name for name, each in state.items() if name.endswith("running_var") and (each < 0).any()]
    why = f": variances below 0 in {some(below)}" if below else ""
    raise ValueError(
        f"{source}: its weights give maps of NaN or infinity{why}; get them again; of your own "
        "training, it diverged: lower optim_wrapper.optimizer.lr"
    )


def arrived_percent(card: Card, *modules: nn.Module) -> float:
    """Percent of the card's tensors that these modules hold under the same names, bit for bit."""
    exported = load_file(card.weights)
    found = {name: tensor for module in modules for name, tensor in module.state_dict().items()}
    same = sum(name in found and torch.equal(found[name].cpu(), tensor) for name, tensor in exported.items())
    return 100 * same / len(exported)
