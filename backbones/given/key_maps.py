"""How others name a network's parameters, by rules from timm's names: each a substitution on what the earlier left."""

import re
from collections.abc import Iterable, Mapping

import torch
from torch import nn

from trick_transfer.engine.weights import spelt

from ..naming import is_adapted, timm_names
from ..resnet import ResNet
from ..timm_adapter import Timm
from .blocks import block_spellings
from .spelling import OURS, Spelling

STAGES = range(5)
TRANSFORMERS_RESNET = [
    *((r"^fc\.", "classifier.1."), (r"^(conv|bn)1\.", r"embedder.embedder.\1.")),
    *((rf"^layer{s + 1}\.(\d+)", rf"encoder.stages.{s}.layers.\1") for s in STAGES),
    *((rf"\.(conv|bn){i + 1}\.", rf".layer.{i}.\1.") for i in range(3)),
    *((r"downsample\.0\.", "shortcut.conv."), (r"downsample\.1\.", "shortcut.bn.")),
    *((r"\.conv\.", ".convolution."), (r"\.bn\.", ".normalization.")),
    (r"^(embedder|encoder)", r"resnet.\1"),
]
TRANSFORMERS_CONVNEXT = [
    *((r"^head\.norm", "layernorm"), (r"^head\.fc", "classifier")),
    *((r"^stem\.0", "embeddings.patch_embeddings"), (r"^stem\.1", "embeddings.layernorm")),
    (r"^(stages\.\d)\.downsample", r"encoder.\1.downsampling_layer"),
    (r"^(stages\.\d)\.blocks", r"encoder.\1.layers"),
    *(
        (r"conv_dw", "dwconv"),
        (r"\.norm\.", ".layernorm."),
        (r"mlp\.fc", "pwconv"),
        (r"gamma$", "layer_scale_parameter"),
    ),
    (r"^(embeddings|encoder|layernorm)", r"convnext.\1"),
]
RULES: dict[str, list[tuple[str, str]]] = {
    "torchvision's and timm's": [],
    "OpenMMLab's": [(r"^conv1\.(\d)", r"stem.\1"), (r"^bn1\.", "stem.7.")],  # of a stem of three convolutions
    "torchvision's published DenseNet": [(r"(denselayer\d+\.(norm|conv))(\d)", r"\1.\3")],
    "torchvision's ConvNeXt": [
        *((r"^head\.norm", "classifier.0"), (r"^head\.fc", "classifier.2"), (r"^stem\.", "features.0.")),
        *((rf"^stages\.{s}\.downsample", f"features.{2 * s}") for s in STAGES),
        *((rf"^stages\.{s}\.blocks\.(\d+)", rf"features.{2 * s + 1}.\1") for s in STAGES),
        *((r"conv_dw", "block.0"), (r"\.norm\.", ".block.2."), (r"mlp\.fc1", "block.3"), (r"mlp\.fc2", "block.5")),
        (r"gamma$", "layer_scale"),
    ],
    "its authors' ConvNeXt": [
        *((r"^head\.norm", "norm"), (r"^head\.fc", "head"), (r"^stem\.", "downsample_layers.0.")),
        *((r"^stages\.(\d)\.downsample", r"downsample_layers.\1"), (r"^(stages\.\d)\.blocks", r"\1")),
        *((r"conv_dw", "dwconv"), (r"mlp\.fc", "pwconv")),
    ],
    "torchvision's Swin": [
        *((r"^head\.fc", "head"), (r"^patch_embed\.proj", "features.0.0"), (r"^patch_embed\.norm", "features.0.2")),
        *((rf"^layers\.{s}\.downsample", f"features.{2 * s}") for s in STAGES),
        *((rf"^layers\.{s}\.blocks", f"features.{2 * s + 1}") for s in STAGES),
        *((r"mlp\.fc1", "mlp.0"), (r"mlp\.fc2", "mlp.3")),
    ],
    "its authors' Swin": [
        *((rf"^layers\.{s + 1}\.downsample", f"layers.{s}.downsample") for s in STAGES),
        (r"^head\.fc", "head"),
    ],
    "transformers' ResNet": TRANSFORMERS_RESNET,
    "transformers' ResNet, without a head,": TRANSFORMERS_RESNET[:-1],
    "transformers' ConvNeXt": TRANSFORMERS_CONVNEXT,
    "transformers' ConvNeXt, without a head,": TRANSFORMERS_CONVNEXT[:-1],
    "torchvision's RegNet": [
        *((r"^head\.fc", "fc"), (r"^stem\.conv", "stem.0"), (r"^stem\.bn", "stem.1")),
        *((rf"^s(\d)\.b{i + 1}\.", rf"trunk_output.block\1.block\1-{i}.") for i in range(30)),
        *((rf"conv{i}\.conv", f"f.{letter}.0") for i, letter in enumerate("abc", 1)),
        *((rf"conv{i}\.bn", f"f.{letter}.1") for i, letter in enumerate("abc", 1)),
        *((r"\.se\.", ".f.se."), (r"downsample\.conv", "proj.0"), (r"downsample\.bn", "proj.1")),
    ],
}


def spellings(net: nn.Module) -> list[Spelling]:
    """All ways known to us to name the parameters of a backbone, or of a whole classifier of timm's."""
    own = list(net.state_dict())
    of_ours = isinstance(getattr(net, "backbone", net), ResNet)
    timm = timm_names(own) if of_ours else {name: dotted(name) if is_adapted(own) else name for name in own}
    beside = {layer: f"{layer}." for layer in cut_off(net)}
    return [
        Spelling(OURS, {name: name for name in own}),
        *(
            Spelling(who, substituted(timm, rules), tuple(name[:-1] for name in substituted(beside, rules).values()))
            for who, rules in RULES.items()
        ),
        *(block_spellings(timm) if "conv_stem.weight" in timm.values() else ()),
    ]


def cut_off(net: nn.Module) -> tuple[str, ...]:
    """Layers of timm's whole network that its feature extractor leaves out, as after the last map of a GhostNet."""
    if not isinstance(net, Timm):
        return ()
    import timm  # takes seconds

    with torch.device("meta"):  # no memory, no arithmetic
        whole = timm.create_model(net.model, **{key: net.options[key] for key in net.options.keys() - {"out_indices"}})
    own, theirs = ({name.rpartition(".")[0] for name in each.state_dict()} for each in (net.net, whole))
    known = set(map(spelt, own))
    return tuple(layer for layer in theirs if layer and spelt(layer) not in known)


def dotted(name: str) -> str:
    """A name of `backbones.Timm` -> timm's: `net.blocks_0.1.conv.weight` -> `blocks.0.1.conv.weight`."""
    bare = re.sub(r"^net\.((model|body)\.)?", "", name)
    return re.sub(r"^([a-z_]+)_(\d+)\.", r"\1.\2.", bare)


def substituted(names: Mapping[str, str], rules: Iterable[tuple[str, str]]) -> dict[str, str]:
    """{the network's: timm's} -> {the network's: theirs}."""
    found = dict(names)
    for pattern, theirs in rules:
        found = {own: re.sub(pattern, theirs, name) for own, name in found.items()}
    return found
