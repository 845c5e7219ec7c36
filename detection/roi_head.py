"""C4 (Ren et al. 2015): the maps of stage 3 feed the RPN and the RoIs, and stage 4 runs on each RoI.

Both parts are our backbone, from one card. mmdet's `ResLayer` has no ResNet-D shortcut (no `avg_down`) and other
parameter names, so a card's weights would not fit.
"""

from torch import Tensor, nn

from .registry import MODELS


@MODELS.register_module()
class LastStage(nn.Module):
    """mmdet's `shared_head` slot: (N, C3, 14, 14) -> (N, C4, 7, 7); a backbone returns a tuple, mmdet takes a map."""

    def __init__(self, backbone: dict) -> None:
        super().__init__()
        self.backbone = MODELS.build(backbone)

    def forward(self, rois: Tensor) -> Tensor:
        return self.backbone(rois)[-1]


@MODELS.register_module()
class LastMap(nn.Module):
    """mmdet's `neck` slot: passes on only the last of the trunk's maps."""

    def forward(self, maps: tuple[Tensor, ...]) -> tuple[Tensor]:
        return (maps[-1],)
