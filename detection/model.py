"""What mmdet lacks in a model: the authors' anchors, predictions in fp32, and our backbone as C4's RoI head.

Under autocast, softmax, decoding and losses need more digits: on the CPU, autocast keeps a bf16 softmax in bf16, where
scores above 0.5 are 1/256 apart and tie in a ranking.
"""

from typing import Any

import torch
from mmdet.models.dense_heads import RPNHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead, Shared2FCBBoxHead
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from torch import Tensor, nn

from .registry import MODELS, TASK_UTILS


@TASK_UTILS.register_module()
class RoundedAnchors(AnchorGenerator):
    """Base anchors as in the first Faster R-CNN (Ren et al. 2015; GluonCV gluoncv/model_zoo/rpn/anchor.py).

    mmdet centres anchors on the cell's corner and keeps the exact ratio. Here sides are rounded before they are scaled
    (23 x 12, 16 x 16, 11 x 22 at base 16), the centre is the cell's middle pixel, and w pixels span x2 - x1 = w - 1.
    """

    def gen_single_level_base_anchors(
        self, base_size: float, scales: Tensor, ratios: Tensor, center: tuple[float, float] | None = None
    ) -> Tensor:
        """-> (len(ratios) * len(scales), 4) as x1, y1, x2, y2 around the first cell; ratio = height / width."""
        widths = torch.round(torch.sqrt(base_size**2 / ratios))
        heights = torch.round(widths * ratios)
        sides = torch.stack([widths, heights], dim=1)[:, None] * scales[None, :, None]
        half = (sides.reshape(-1, 2) - 1) / 2
        middle = (base_size - 1) / 2
        return torch.cat([middle - half, middle + half], dim=1)


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


@MODELS.register_module()
class LastStage(nn.Module):
    """C4 (Ren et al. 2015): stage 4 on each RoI, as mmdet's `shared_head`: (N, C3, 14, 14) -> (N, C4, 7, 7).

    It is our backbone, from the trunk's card. mmdet's `ResLayer` has no ResNet-D shortcut (no `avg_down`) and other
    parameter names, so a card's weights would not fit.
    """

    def __init__(self, backbone: dict) -> None:
        super().__init__()
        self.backbone = MODELS.build(backbone)

    def forward(self, rois: Tensor) -> Tensor:
        return self.backbone(rois)[-1]  # of a tuple; mmdet takes a map


@MODELS.register_module()
class LastMap(nn.Module):
    """mmdet's `neck` slot: passes on only the last of the trunk's maps."""

    def forward(self, maps: tuple[Tensor, ...]) -> tuple[Tensor]:
        return (maps[-1],)
