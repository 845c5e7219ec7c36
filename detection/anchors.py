"""The authors' anchors (GluonCV gluoncv/model_zoo/rpn/anchor.py), as in the first Faster R-CNN (Ren et al. 2015).

mmdet centres anchors on the cell's corner and keeps the exact ratio. Here sides are rounded before they are scaled
(23 x 12, 16 x 16, 11 x 22 at base 16), the centre is the cell's middle pixel, and w pixels span x2 - x1 = w - 1.
"""

import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from torch import Tensor

from .registry import TASK_UTILS


@TASK_UTILS.register_module()
class RoundedAnchors(AnchorGenerator):
    """mmdet's generator with the base anchors of 2015."""

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
