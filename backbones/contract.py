"""What a backbone must do, check by check: each says what it saw, or raises ValueError that says how to mend it.

Some look at a config and build no arrays, some at a network with its weights. tests/test_backbone_contract.py runs them
on the networks of our recipes, `tools/doctor.py backbone` on one from anywhere.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from math import log2
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from trick_transfer.engine.weights import load_strictly, misfits, some, spelt

from .base import Backbone
from .card import arrived_percent, check_finite, write_card
from .registry import MODELS, check_size, name_of, sketch

Config = Mapping[str, Any]
STRIDES = (4, 8, 16, 32)
STILL_RUN = "classification and probing, which read the last map, run"  # with any maps
SIZE_PX = (256, 320)  # height and width of an image, of which all strides are divisors
SIDES_PX = (224, 256, 384, 192)  # a network that accepts one size accepts one of these
PHOTO_PX = (352, 480)
BF16 = 0.05  # the largest difference to fp32 of a network as it starts, relative in the Euclidean norm of a map
TRAINED_BF16 = 0.25  # of one that is trained; MobileNetV2's published weights differ by 8 % on noise
OPTIONS: list[dict[str, Any]] = [
    dict(output_stride=8), dict(output_stride=16), dict(frozen_stages=1), dict(norm_eval=True)
]  # fmt: skip
# where a check fails, these have nothing to say: they are for single protocols, or compare maps
MUTED = {"maps": ("dilation", "last stage"), "repeats": ("bf16", "export", "last stage")}
FREEZE = "`stage_of` must say 0 for the stem and k for stage k, and __init__ end with self.freeze()"


def fault(config: Config, what: str, mend: str) -> ValueError:
    """What is wrong with a network, and what to do about it."""
    return ValueError(f"{name_of(config)} {what}; {mend}")


def listed(numbers: Collection[int]) -> str:
    """`4, 8, 16, 32`."""
    return ", ".join(map(str, numbers)) or "none"


def fresh(config: Config, device: str = "cpu", **options: Any) -> Backbone:
    """A network as it starts from seed 0, in training mode; on the device "meta" it has no arrays."""
    torch.manual_seed(0)
    with torch.device(device):
        return MODELS.build(dict(config) | options).train()


def images(count: int, px: int) -> Tensor:
    """(count, 3, px, px), the same numbers in every call."""
    return torch.randn(count, 3, px, px, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def outputs(net: Backbone, inputs: Tensor) -> tuple[Tensor, ...]:
    """Maps in evaluation mode and in one memory format: another rounds otherwise."""
    return net.eval().to(memory_format=torch.channels_last)(inputs)


def maps(config: Config, output_stride: int = 32, size_px: tuple[int, int] = SIZE_PX) -> str:
    """Whether there are four maps, of the strides that the protocols take and the channels that it states."""
    net = sketch(dict(config) | {"output_stride": output_stride})
    strides = tuple(min(stride, output_stride) for stride in STRIDES)
    if tuple(net.strides) != strides:
        mend = f"detection and segmentation are refused; {STILL_RUN}"
        raise fault(config, f"has maps of strides {listed(net.strides)}, not {listed(strides)}", mend)
    with torch.no_grad():
        found = net(torch.zeros(1, 3, *size_px, device="meta"))
    channels = [each.shape[1] for each in found]
    if channels != list(net.channels):
        mend = "correct `channels`"
        raise fault(config, f"gives maps of {listed(channels)} channels, states {listed(net.channels)}", mend)
    for each, stride in zip(found, strides, strict=True):
        for full, side in zip(size_px, each.shape[2:], strict=True):
            if round(log2(full / side)) != log2(stride):  # a network without padding gives a little less
                raise fault(config, f"gives {side} of {full} px at the stride {stride}", "correct `strides`")
    return f"strides {listed(strides)}; channels {listed(channels)}"


def sizes(config: Config) -> str:
    """Whether it takes images of any size."""
    check_size(config, SIDES_PX[0], SIDES_PX[0])
    check_size(config, *PHOTO_PX)
    return f"{SIDES_PX[0]} x {SIDES_PX[0]} and {PHOTO_PX[0]} x {PHOTO_PX[1]} px"


def dilation(config: Config, size_px: tuple[int, int] = SIZE_PX) -> str:
    """Whether it has the output stride of the segmentation protocols."""
    try:
        return maps(config, 8, size_px)
    except ValueError as error:
        raise ValueError(f"{error}; segmentation is refused before training, detection runs") from error


def names(config: Config) -> str:
    """Whether parameters keep their names and shapes under every option that the network takes."""
    whole = sketch(config).state_dict()
    spellings = Counter(map(spelt, whole))
    if twins := [name for name in whole if spellings[spelt(name)] > 1]:
        raise fault(config, f"has names that differ only in . and _: {some(twins)}", "rename one of each")
    for options in OPTIONS:
        try:
            moved = sketch(dict(config) | options).state_dict()
        except ValueError:  # it does not take them; `dilation` says so
            continue
        if what := misfits(whole, moved):
            mend = "name a layer alike with and without an option: nn.Identity in place of one that is left out"
            raise fault(config, f"has other parameters with {options}, {what}", mend)
    return f"{len(whole)} tensors"


def gradients(config: Config, px: int) -> str:
    """Whether every parameter is trained."""
    net = fresh(config)
    sum(each.square().mean() for each in net(images(2, px))).backward()
    parameters = {name: each for name, each in net.named_parameters() if each.requires_grad}
    if idle := [name for name, each in parameters.items() if each.grad is None or not each.grad.any()]:
        raise fault(config, f"trains nothing in {some(idle)}", "leave out layers that no map comes from")
    if wild := [name for name, each in parameters.items() if not each.grad.isfinite().all()]:  # type: ignore[union-attr]
        raise fault(config, f"has gradients that are not finite in {some(wild)}", "scale its first weights down")
    return f"{len(parameters)} parameters"


def frozen_stages(config: Config, px: int) -> str:
    """Whether `frozen_stages=1` freezes what the first map comes from, with its statistics, and nothing else."""
    net, whole = fresh(config, "meta", frozen_stages=1), fresh(config, "meta").eval()
    keys, free = zip(*whole.named_parameters(), strict=True)
    reached = torch.autograd.grad(whole(images(1, px).to("meta"))[0].sum(), free, allow_unused=True)
    wanted = {key for key, gradient in zip(keys, reached, strict=True) if gradient is not None}
    frozen = {key for key, parameter in net.named_parameters() if not parameter.requires_grad}
    if wrong := wanted ^ frozen:
        raise fault(config, f"frozen_stages=1 {'leaves' if wrong & wanted else 'also freezes'} {some(wrong)}", FREEZE)
    moving = [key for key, norm in net.norms() if norm.training == (f"{key}.weight" in frozen)]
    if moving:
        raise fault(config, f"frozen_stages=1 is not followed by {some(moving)}", "extend Backbone.train")
    return f"{len(frozen)} parameters of the stem and stage 1"


def norm_eval(config: Config) -> str:
    """Whether `norm_eval` freezes all batch norms and nothing else."""
    net = fresh(config, "meta", norm_eval=True)
    frozen = {key for key, parameter in net.named_parameters() if not parameter.requires_grad}
    norms = {f"{key}.{tensor}" for key, _ in net.norms() for tensor in ("weight", "bias")}
    if wrong := frozen ^ norms:
        raise fault(config, f"norm_eval=True does not freeze batch norms alone, see {some(wrong)}", FREEZE)
    if moving := [key for key, norm in net.norms() if norm.training]:
        raise fault(config, f"norm_eval=True leaves {some(moving)} in training mode", "extend Backbone.train")
    return f"{len(norms) // 2} batch norms" if norms else "it has no batch norms"


def repeats(config: Config, net: Backbone, px: int) -> str:
    """Whether the same image gives the same maps of finite numbers, bit for bit."""
    check_finite(net, name_of(config), px)
    first, second = (outputs(net, images(1, px)) for _ in range(2))
    if not all(map(torch.equal, first, second)):
        raise fault(config, "gives other maps for the same image", "draw nothing at random in evaluation mode")
    return "the same maps twice"


def low_precision(config: Config, net: Backbone, px: int, most: float = BF16) -> str:
    """Whether bf16 computes nearly the same."""
    with torch.autocast("cpu", torch.bfloat16):
        low = outputs(net, images(1, px))
    pairs = zip(low, outputs(net, images(1, px)), strict=True)
    error = max(float((one.float() - other).norm() / other.norm()) for one, other in pairs)
    if not error < most:
        raise fault(config, f"differs by {100 * error:.1f} % in bf16", "train it with --precision fp32")
    return f"differs by {100 * error:.1f} % from fp32"


def export(config: Config, net: Backbone, folder: Path, px: int) -> str:
    """Whether a card's weights come back bit for bit, and give the same maps."""
    about: dict[str, Any] = dict(name="doctor", tier="smoke", seed=0, mean=[0.0] * 3, std=[1.0] * 3, licences={})
    card = write_card(folder, net, dict(config), {}, px, **about)
    again = MODELS.build(card.slot()).eval()
    if arrived_percent(card, again) < 100 or again.state_dict().keys() != load_file(card.weights).keys():
        raise fault(config, "does not load all that it saves", "leave state_dict and load_state_dict to torch")
    return f"{len(again.state_dict())} tensors"


def last_stage(config: Config, net: Backbone, px: int) -> str:
    """Whether stages 1 to 3 and stage 4, built apart, are the whole, as C4 detectors need it."""
    try:
        trunk, head = (fresh(config, stages=stages) for stages in ((1, 2, 3), (4,)))
    except ValueError as error:
        raise ValueError(f"{error}; detection runs with --protocol faster_rcnn_fpn_voc") from error
    for part in (trunk, head):
        state = {name: tensor for name, tensor in net.state_dict().items() if part.builds(name)}
        load_strictly(part, state, name_of(config))
    parts = outputs(trunk, images(1, px))
    parts += outputs(head, parts[-1])
    if not all(map(torch.equal, parts, outputs(net, images(1, px)))):
        raise fault(config, "gives other maps with stages=(4,) after stages=(1, 2, 3)", "compute a stage from its map")
    for name in ("channels", "strides"):
        if tuple(getattr(trunk, name)) + tuple(getattr(head, name)) != tuple(getattr(net, name)):
            raise fault(config, f"states other {name} in parts", f"let `{name}` be those of the built stages")
    if sorted([*trunk.state_dict(), *head.state_dict()]) != sorted(net.state_dict()):
        raise fault(config, "has other parameters in parts", "build each stage's layers once")
    return "stages 1 to 3, then 4, are the whole"


def accepted_px(config: Config) -> int:
    """The first of SIDES_PX that it accepts; the first of all if it accepts none."""
    for px in SIDES_PX:
        try:
            check_size(config, px, px)
        except ValueError:
            continue
        return px
    return SIDES_PX[0]


def examine(config: Config, net: Backbone, folder: Path) -> Iterator[tuple[str, bool, str]]:
    """(check, passed, what it saw or the fault with its mend) of a network with its weights; `folder` takes a card."""
    px = accepted_px(config)
    checks: dict[str, Callable[[], str]] = {
        "maps": partial(maps, config, 32, (px, px)),
        "sizes": partial(sizes, config),
        "dilation": partial(dilation, config, (px, px)),
        "names": partial(names, config),
        "gradients": partial(gradients, config, px),
        "frozen_stages": partial(frozen_stages, config, px),
        "norm_eval": partial(norm_eval, config),
        "repeats": partial(repeats, config, net, px),
        "bf16": partial(low_precision, config, net, px, TRAINED_BF16),
        "export": partial(export, config, net, folder, px),
        "last stage": partial(last_stage, config, net, px),
    }
    mute: set[str] = set()
    for name, check in checks.items():
        if name in mute:
            continue
        try:
            yield name, True, check()
        except Exception as error:  # it is anyone's network
            mute |= set(MUTED.get(name, ()))
            said = str(error).partition("\n")[0] or "nothing is said"
            yield name, False, said if isinstance(error, ValueError) else f"{type(error).__name__}: {said}"
