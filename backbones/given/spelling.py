"""One way to name a network's parameters, and what it says of the network."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from ..naming import check_strides
from ..resnet import ResNet

OURS = "the network's own"


@dataclass(frozen=True)
class Spelling:
    """Who writes such names, {the network's: theirs}, and what their tensors do not show."""

    who: str
    names: Mapping[str, str]
    beside: tuple[str, ...] = ()  # modules of theirs that are of the head, in a layer of the backbone's
    eps: float | None = None  # of their batch norms
    same: bool = False  # TensorFlow's padding, which adds more at one side; only where eps is known

    def check(self, net: nn.Module, source: str) -> None:
        """Raise ValueError if the network computes something else from the same tensors."""
        try:
            if self.who != OURS:
                check_strides(net)
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from None
        if self.eps is None:
            return
        name = label(net)
        if self.same != any(type(module).__name__ == "Conv2dSame" for module in net.modules()):
            fix = f"{'take' if self.same else 'do not take'} the one that timm calls tf_..."
            raise ValueError(f"{source} has {self.who} names: {name} pads images otherwise; {fix}")
        norms = (each for each in net.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm))
        if other := {norm.eps for norm in norms} - {self.eps}:
            told = f"their batch norms have eps {self.eps}, {name}'s {max(other)}"
            raise ValueError(f"{source} has {self.who} names: {told}; set its options=dict(bn_eps={self.eps})")


def label(net: nn.Module) -> str:
    """What a network is called in messages."""
    if isinstance(net, ResNet):
        return f"ResNet-{net.depth}" + (f"-{net.tweak[-1].upper()}" if net.tweak else "")
    return str(getattr(net, "name", type(net).__name__))
