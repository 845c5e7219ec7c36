"""The card that carries a trained backbone to another task: backbone.safetensors and, beside it, card.json.

Also maps our parameter names to timm's (and torchvision's) and back; for the networks of `timm_adapter` only from
timm's to ours.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from trick_transfer.engine.files import file_sha256, write_tensors, write_whole
from trick_transfer.engine.receipt import commit, versions

from .base import Backbone
from .registry import MODELS
from .resnet import ResNet

WEIGHTS = "backbone.safetensors"
SHORTCUT = {"1.conv": 1, "1.bn": 2, "conv": 0, "bn": 1}  # layer -> its number in timm; tweak D pools first


@dataclass(frozen=True)
class Card:
    """What a task needs to know about a backbone, and how it was made. Mean and std are RGB in 0..255."""

    name: str
    tier: str
    seed: int
    backbone: dict
    channels: list[int]
    strides: list[int]
    mean: list[float]
    std: list[float]
    sha256: str
    metrics: dict[str, float]
    feature_error: float
    commit: str
    versions: dict[str, str]
    licences: dict[str, str]
    folder: Path = field(default=Path("."), compare=False)

    @property
    def weights(self) -> Path:
        return self.folder / WEIGHTS

    def check_normalisation(self, preprocessor: dict) -> None:
        """Raise ValueError unless a task normalises images as the backbone's training did, to within one grey level."""
        for key, own in (("mean", self.mean), ("std", self.std)):
            fed = preprocessor[key]
            if any(abs(a - b) > 1 for a, b in zip(own, fed, strict=True)):
                raise ValueError(f"card {self.name} was trained with {key} {own}, the protocol uses {fed}")

    def slot(self, **options: object) -> dict:
        """The backbone's config for another task: architecture, weights and their sha256, and that task's options."""
        return dict(self.backbone) | {"weights": str(self.weights), "sha256": self.sha256} | options


def read_card(path: str | Path) -> Card:
    """Read card.json. Raises FileNotFoundError, or ValueError for a file that is not a card."""
    path = Path(path)
    if not path.is_file():
        makers = "tools/train.py classification, or tools/export.py"
        raise FileNotFoundError(f"card {path} does not exist; make it with {makers}")
    try:
        data = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    known = {f.name for f in fields(Card)} - {"folder"}
    if not isinstance(data, dict):
        raise ValueError(f"{path} is not a backbone's card: it holds a {type(data).__name__}, not an object")
    if wrong := sorted(known ^ data.keys()):
        raise ValueError(f"{path} is not a backbone's card; missing or unknown keys: {', '.join(wrong)}")
    return Card(**data, folder=path.parent)


def write_card(
    folder: Path, backbone: Backbone, config: dict, metrics: dict[str, float], px: int = 64, **about: object
) -> Card:
    """Write both files, the card last; `about` is name, tier, seed, mean, std and licences, `px` an accepted size."""
    write_tensors(folder / WEIGHTS, backbone.state_dict())
    exported = MODELS.build(config | {"weights": str(folder / WEIGHTS)})
    code, dirty = commit()
    card = Card(
        backbone=config,
        channels=list(backbone.channels),
        strides=list(backbone.strides),
        sha256=file_sha256(folder / WEIGHTS),
        metrics=metrics,
        feature_error=feature_error(backbone, exported, px),
        commit=code + ("+dirty" if dirty else ""),
        versions=versions(),
        folder=folder,
        **about,  # type: ignore[arg-type]
    )
    data = {key: value for key, value in asdict(card).items() if key != "folder"}
    write_whole(folder / "card.json", lambda part: part.write_text(json.dumps(data, indent=1) + "\n"))
    return card


@torch.no_grad()
def feature_error(one: Backbone, other: Backbone, px: int = 64) -> float:
    """The largest absolute difference between two backbones' maps of one fixed random image (1, 3, px, px)."""
    image = torch.randn(1, 3, px, px, generator=torch.Generator().manual_seed(0))
    # in the same memory format: rounding depends on it
    maps = [model.cpu().eval().to(memory_format=torch.channels_last)(image) for model in (one, other)]
    return max(float((a - b).abs().max()) for a, b in zip(*maps, strict=True))


def arrived_percent(card: Card, *modules: nn.Module) -> float:
    """Percent of the card's tensors that these modules hold under the same names, bit for bit."""
    exported = load_file(card.weights)
    found = {name: tensor for module in modules for name, tensor in module.state_dict().items()}
    same = sum(name in found and torch.equal(found[name].cpu(), tensor) for name, tensor in exported.items())
    return 100 * same / len(exported)


def timm_names(names: Iterable[str]) -> dict[str, str]:
    """Our parameters' names -> timm's; torchvision's are the same if the stem is one 7x7."""
    rules = [
        (r"head\.", "fc."),
        *((rf"stage(\d)\.(\d+)\.shortcut\.{our}", rf"layer\1.\2.downsample.{i}") for our, i in SHORTCUT.items()),
        *((rf"stage(\d)\.(\d+)\.path\.{i}\.(conv|bn)", rf"layer\1.\2.\g<3>{i + 1}") for i in range(3)),
    ]
    if any(name.endswith("stem.2.conv.weight") for name in names):
        # tweak C: conv1 = (conv, bn, act, conv, bn, act, conv), then bn1
        rules += [(rf"stem\.{i}\.conv", f"conv1.{3 * i}") for i in range(3)]
        rules += [(r"stem\.0\.bn", "conv1.1"), (r"stem\.1\.bn", "conv1.4"), (r"stem\.2\.bn", "bn1")]
    else:
        rules += [(r"stem\.0\.conv", "conv1"), (r"stem\.0\.bn", "bn1")]
    found = {}
    for name in names:
        short = name.removeprefix("backbone.")  # of a whole classifier
        renamed = [re.sub("^" + ours, theirs, short) for ours, theirs in rules if re.match(ours, short)]
        if not renamed:
            raise ValueError(f"{short} is not a parameter of our ResNet; a timm/NAME network already has timm's names")
        found[name] = renamed[0]
    return found


def to_timm(model: nn.Module) -> dict[str, Tensor]:
    """The state dict of our backbone or whole classifier under timm's names. Raises ValueError if timm has no such."""
    check_strides(model)
    state = model.state_dict()
    return {their: state[name] for name, their in timm_names(state).items()}


def from_timm(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """timm's state dict under the names of our backbone or classifier. Raises ValueError for another architecture."""
    check_strides(model)
    names = list(model.state_dict())
    adapted = [name for name in names if name.startswith(("net.", "backbone.net."))]
    theirs = adapted_names(state, names) if adapted else {their: name for name, their in timm_names(names).items()}
    # older weights, such as torchvision's first ones, lack the counters, which nothing here reads
    state = {name: torch.tensor(0) for name in theirs if name.endswith("num_batches_tracked")} | dict(state)
    misfits = sorted(theirs.keys() ^ state.keys())
    if misfits:
        raise ValueError(f"the weights are of another architecture; missing or unexpected: {', '.join(misfits[:4])}")
    return {name: state[their] for their, name in theirs.items()}


def check_strides(model: nn.Module) -> None:
    """Raise ValueError for a bottleneck ResNet without tweak B: timm's has the same names, but other strides."""
    for net in model.modules():
        if isinstance(net, ResNet) and net.expansion > 1 and not net.tweak:
            raise ValueError(
                f"ResNet-{net.depth} without tweak B strides in the first 1x1, timm's and torchvision's in the 3x3, "
                "under the same names; use the recipe resnet50b_efficient, or --set model.backbone.tweak=b"
            )


def adapted_names(state: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, str]:
    """timm's name -> ours, for a network of `timm_adapter`: some of ours have an underscore for the first dot."""
    spelt = {their.replace(".", "_", 1): their for their in state} | {their: their for their in state}
    own = {name.removeprefix("backbone.").removeprefix("net."): name for name in names}
    found = {spelt.get(short, short): name for short, name in own.items()}
    for head in ("head.weight", "head.bias"):  # timm's is fc, classifier or head.fc, the only layer after the maps
        left = [their for their in state if their not in found and their.endswith(head.removeprefix("head"))]
        if head in found and len(left) == 1:
            found[left[0]] = found.pop(head)
    return found
