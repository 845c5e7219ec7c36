"""Our ResNet and a protocol in the words of plain mmdet and mmseg, for where this package is not installed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .resnet import BASIC, GEOMETRY

DEPTHS = (18, 34, 50, 101, 152)  # of their ResNets
SEEDED = "trick_transfer.Seeded"  # only wraps a data set
OURS_ALONE = ("skip_broken", "bad_boxes", "first_class", "ignore", "version")  # options that theirs do not have
WORDS: dict[str, dict[str, Any] | None] = {  # type -> what it is there
    "trick_transfer.DrawSampler": dict(type="DefaultSampler"),
    "trick_transfer.LowPrecisionOptimWrapper": dict(type="OptimWrapper"),
}


def resnet(slot: Mapping[str, Any], weights: Path) -> dict[str, Any]:
    """The config of their ResNet for that of ours, which reads a file of `to_mm`'s. Raises ValueError for others.

    Their basic blocks dilate one convolution of two, ours both: those are refused with an output stride below 32.
    """
    depth, tweak, stride = slot.get("depth"), slot.get("tweak", ""), slot.get("output_stride", 32)
    if slot["type"] != "backbones.ResNet" or depth not in DEPTHS:
        name = slot.get("model") or f"{slot['type']} of depth {depth}"
        raise ValueError(
            f"mmdet and mmseg have ResNets of depth {', '.join(map(str, DEPTHS))}, no {name}; use --to card"
        )
    if depth in BASIC and stride < 32:
        raise ValueError(f"mmseg dilates ResNet-{depth} in another way; set output_stride=32")
    frozen = slot.get("norm_eval", False)  # ours freezes gamma and beta, too
    kind = dict(type="ResNetV1d") if "d" in tweak else dict(type="ResNet", deep_stem="c" in tweak)
    strides, dilations, _ = zip(*GEOMETRY[stride], strict=True)
    dilated = dict(strides=strides, dilations=dilations, contract_dilation="b" in tweak) if stride < 32 else {}
    return kind | dict(
        depth=depth,
        style="pytorch" if "b" in tweak else "caffe",  # where a bottleneck strides
        **dilated,
        frozen_stages=slot.get("frozen_stages", -1),
        norm_eval=frozen,
        norm_cfg=dict(type="BN", requires_grad=not frozen),
        init_cfg=dict(type="Pretrained", checkpoint=str(weights)),
    )


def plainly(node: Any, words: Mapping[str, Mapping[str, Any] | None]) -> Any:
    """A part of a config in which each dict of a type in `words` has these values; None leaves it out of its list."""
    if isinstance(node, dict) and node.get("type") == SEEDED:
        return plainly(node["dataset"], words)
    if isinstance(node, dict):
        values = {**node, **(words.get(str(node.get("type"))) or {})}
        return {key: plainly(value, words) for key, value in values.items() if key not in OURS_ALONE}
    if isinstance(node, list | tuple):
        kept = [each for each in node if not isinstance(each, dict) or words.get(str(each.get("type")), {}) is not None]
        return type(node)(plainly(each, words) for each in kept)
    return node


def complete(cfg: dict[str, Any]) -> dict[str, Any]:
    """With a score at the end of training, and what their tools/test.py reads."""
    lengths = cfg["train_cfg"] | dict(val_begin=cfg["train_cfg"]["max_epochs"])
    test = dict(test_dataloader=cfg["val_dataloader"], test_evaluator=cfg["val_evaluator"])
    return cfg | test | dict(test_cfg=dict(type="TestLoop"), train_cfg=lengths)
