"""Which architecture a checkpoint looks like, from its names and shapes: a hint in an error, nothing is built on it."""

import re
from collections.abc import Mapping

from torch import Tensor

RESNETS: dict[tuple[tuple[int, ...], bool], int] = {  # blocks per stage, and whether they are bottlenecks: depth
    ((2, 2, 2, 2), False): 18,
    ((3, 4, 6, 3), False): 34,
    ((2, 2, 2, 2), True): 26,
    ((3, 4, 6, 3), True): 50,
    ((3, 4, 23, 3), True): 101,
    ((3, 8, 36, 3), True): 152,
}
KINDS = {  # what stands somewhere in a name: who has such; the first one found counts
    r"(bert|text_model|token_embedding|lm_head|word_embeddings)\.": "a language model",
    r"relative_position_bias_table$": "a Swin transformer",
    r"attn\.qkv\.weight$|self_attention\.in_proj_weight$|attention\.attention\.query\.weight$": "a vision transformer",
    r"dwconv\.weight$|\bstages\.\d+\.blocks\.\d+\.conv_dw\.weight$|layer_scale$": "a ConvNeXt",
    r"features\.\d+\.conv\.\d": "a MobileNetV2",
    r"_depthwise_conv\.|\bblocks\.\d+\.\d+\.conv_(dw|exp)\.|\.block\.\d\.0\.weight$": "an EfficientNet or MobileNet",
    r"denseblock\d+\.denselayer\d+": "a DenseNet",
    r"trunk_output\.block\d|\bs\d\.b\d+\.conv\d\.conv\.weight$": "a RegNet",
    r"\bstage\d+\.\d+\.(fuse_layers|branches)\.": "an HRNet",
    r"features\.\d+\.weight$": "a VGG",
}
# timm's and torchvision's, and ours
BLOCK = re.compile(r"(?:\blayer|\bstage)(\d)\.(\d+)\.(?:conv\d+\.weight|path\.\d\.conv\.weight)$")


def looks_like(state: Mapping[str, Tensor]) -> str:
    """`; it looks like a ResNet-50`, or "" if nothing is known."""
    found = resnet(state) or next((kind for mark, kind in KINDS.items() if any(re.search(mark, n) for n in state)), "")
    return f"; it looks like {found}" if found else ""


def resnet(state: Mapping[str, Tensor]) -> str:
    """`a ResNet-50`, if blocks and their kind are those of one."""
    blocks = sorted({(int(match[1]), int(match[2])) for name in state if (match := BLOCK.search(name))})
    if not blocks:
        return ""
    counts = tuple(sum(stage == each for each, _ in blocks) for stage in range(1, 5))
    wide = any(re.search(r"\.conv3\.weight$|\.path\.2\.conv\.weight$", name) for name in state)
    if 0 in counts:
        return ""
    depth, whose = RESNETS.get((counts, wide)), " of ours" if any("path." in name for name in state) else ""
    return f"a ResNet-{depth}{whose}" if depth else f"a ResNet of {', '.join(map(str, counts))} blocks"
