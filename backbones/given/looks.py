"""Which architecture a checkpoint looks like, from its names: a hint in an error, nothing is built on it."""

import re
from collections.abc import Collection, Iterable

RESNETS: dict[tuple[tuple[int, ...], bool], int] = {  # blocks per stage, and whether they are bottlenecks: depth
    ((2, 2, 2, 2), False): 18,
    ((3, 4, 6, 3), False): 34,
    ((2, 2, 2, 2), True): 26,
    ((3, 4, 6, 3), True): 50,
    ((3, 4, 23, 3), True): 101,
    ((3, 8, 36, 3), True): 152,
}
KINDS = {  # what stands in a name, after the place of a block: who has such; the first one found counts
    r"(.*)\b(?:bert|text_model|token_embedding|lm_head|word_embeddings)\.": "a language model",
    r"(.*)\.relative_position_bias_table$": "a Swin transformer of {} blocks",
    r"(.*)\.(?:attn\.qkv\.weight|self_attention\.in_proj_weight|attention\.attention\.query\.weight)$":
        "a vision transformer of {} blocks",
    r"(.*)\.(?:dwconv\.weight|layer_scale)$|(.*\bstages\.\d+\.blocks\.\d+)\.conv_dw\.weight$":
        "a ConvNeXt of {} blocks",
    r"(.*\bfeatures\.\d+)\.conv\.\d": "a MobileNetV2 of {} blocks",
    r"(.*\bblocks\.\d+\.\d+)\.conv\w*\.weight$|(.*)\.(?:_depthwise_conv|block\.\d\.0)\.weight$":
        "an EfficientNet or MobileNet of {} blocks",
    r"(.*\bdenseblock\d+\.denselayer\d+)\.": "a DenseNet of {} layers",
    r"(.*\btrunk_output\.block\d\.block\d-\d+)\.|(.*\bs\d\.b\d+)\.conv\d\.conv\.weight$": "a RegNet of {} blocks",
    r"(.*)\bstage\d+\.\d+\.(?:fuse_layers|branches)\.": "an HRNet",
    r"(.*\bfeatures\.\d+)\.weight$": "a VGG",
}  # fmt: skip
# timm's and torchvision's, and ours: bottlenecks, tweak C, tweak D; our names
RESNET = (
    r"\.conv3\.weight$|\.path\.2\.conv\.weight$",
    r"\b(conv1\.3|stem\.3|stem\.1\.conv)\.weight$",
    r"\bdownsample\.2\.|\bshortcut\.1\.conv\.",
    r"\.path\.",
)
BLOCK = re.compile(r"(?:\blayer|\bstage)(\d)\.(\d+)\.(?:conv\d+\.weight|path\.\d\.conv\.weight)$")


def looks_like(state: Collection[str]) -> str:
    """`; it looks like a ResNet-50`, or "" if nothing is known."""
    found = resnet(state) or next((kind.format(n) for mark, kind in KINDS.items() if (n := count(mark, state))), "")
    return f"; it looks like {found}" if found else ""


def count(mark: str, names: Iterable[str]) -> int:
    """How many blocks have a mark."""
    return len({match[match.lastindex or 0] for name in names if (match := re.match(mark, name))})


def resnet(state: Collection[str]) -> str:
    """`a ResNet-50`, if blocks and their kind are those of one."""
    blocks = sorted({(int(match[1]), int(match[2])) for name in state if (match := BLOCK.search(name))})
    counts = tuple(sum(stage == each for each, _ in blocks) for stage in range(1, 5))
    if 0 in counts:
        return ""
    wide, deep, pooled, ours = (any(re.search(mark, name) for name in state) for mark in RESNET)
    if (depth := RESNETS.get((counts, wide))) is None:
        return f"a ResNet of {', '.join(map(str, counts))} blocks"
    kind = f"{depth}-{'D' if pooled else 'C'}" if deep else str(depth)
    if ours:
        return f"a ResNet-{kind} of ours"
    return f"a ResNet-{kind} or ResNeXt-{kind}" if wide else f"a ResNet-{kind}"  # of the same names
