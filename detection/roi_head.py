"""C4 (Ren et al. 2015): the maps of stage 3 feed the RPN and the RoIs, and stage 4 runs on each RoI.

Both parts are our backbone, from one card. mmdet's `ResLayer` knows no ResNet-D shortcut (no `avg_down`) and has other
parameter names, so that a card's weights would not fit it.
"""

from torch import Tensor, nn

from .registry import MODELS


@MODELS.register_module()
class LastStage(nn.Module):
    """mmdet's `shared_head` slot: (N, C3, 14, 14) -> (N, C4, 7, 7); a backbone returns a tuple, mmdet wants a map."""

    def __init__(self, backbone: dict) -> None:
        super().__init__()
        self.backbone = MODELS.build(backbone)

    def forward(self, rois: Tensor) -> Tensor:
        return self.backbone(rois)[-1]


@MODELS.register_module()
class LastMap(nn.Module):
    """mmdet's `neck` slot: of the trunk's maps only the last one goes on."""

    def forward(self, maps: tuple[Tensor, ...]) -> tuple[Tensor]:
        return (maps[-1],)
