"""mmdet's heads with predictions in fp32: under autocast, softmax, decoding and losses need more digits.

On the CPU, autocast keeps a bf16 softmax in bf16, where scores above 0.5 are 1/256 apart and tie in a ranking.
"""

from typing import Any

from mmdet.models.dense_heads import RPNHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead, Shared2FCBBoxHead
from torch import Tensor, nn

from .registry import MODELS


@MODELS.register_module()
class FloatRPNHead(RPNHead):
    """(N, C, H, W) -> objectness (N, A, H, W) and box deltas (N, 4A, H, W), in fp32."""

    def forward_single(self, x: Tensor) -> tuple[Tensor, Tensor]:
        scores, deltas = super().forward_single(x)
        return scores.float(), deltas.float()


class FloatBoxes:
    """Mixed in before an mmdet box head: (R, C, h, w) -> class scores (R, K + 1) and deltas (R, 4K), in fp32."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        scores, deltas = super().forward(x)  # type: ignore[misc]
        return scores.float(), deltas.float()


@MODELS.register_module()
class FloatBBoxHead(FloatBoxes, BBoxHead):
    """Global average pooling, then one fully-connected layer for classes and one for boxes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.avg_pool = nn.AdaptiveAvgPool2d(1)  # mmdet's takes 7x7 only; Inception-V3, which does not pad, gives 6x6


@MODELS.register_module()
class FloatShared2FCBBoxHead(FloatBoxes, Shared2FCBBoxHead):
    """Two shared fully-connected layers first, as FPN detectors do."""
