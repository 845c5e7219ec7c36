"""FCN: mmseg's encoder and decoder, but the heads ask the backbone for its channels, and the classes are stated once.

With `test_cfg=dict(scales=..., flip=True)` it also averages predictions over sizes and mirror images (Long et al.
2015 for FCN; the authors' GluonCV `MultiEvalModel` for the averaging). That happens within the model, as there, and
so in the Runner's ordinary loops.
"""

import warnings
from collections.abc import Iterator

from mmseg.models import EncoderDecoder
from torch import Tensor
from torch.nn.functional import interpolate

from .registry import MODELS

# mmseg warns at every new size that is not 8 n + 1; the sizes are the protocol's.
warnings.filterwarnings("ignore", message="When align_corners=True")


@MODELS.register_module()
class FCN(EncoderDecoder):
    """`in_channels` of both heads, and `num_classes` of the auxiliary one, are filled in here."""

    def _init_decode_head(self, decode_head: dict) -> None:
        super()._init_decode_head(self.fitted(decode_head))

    def _init_auxiliary_head(self, auxiliary_head: dict) -> None:
        super()._init_auxiliary_head({**self.fitted(auxiliary_head), "num_classes": self.num_classes})

    def fitted(self, head: dict) -> dict:
        """A head's config with the channels of the map it reads."""
        return {**head, "in_channels": self.backbone.channels[head["in_index"]]}

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """(N, 3, H, W) -> (N, classes, H, W): logits, or the mean probabilities of `test_cfg.scales` and `.flip`."""
        if "scales" not in self.test_cfg:
            return super().inference(inputs, batch_img_metas)
        views = [self.probabilities(view, mirrored, inputs.shape[2:]) for view, mirrored in self.views(inputs)]
        return sum(views[1:], views[0]) / len(views)

    def views(self, inputs: Tensor) -> Iterator[tuple[Tensor, bool]]:
        """The images at each scale, as they are and, if asked, mirrored."""
        for scale in self.test_cfg["scales"]:
            view = interpolate(inputs, scale_factor=scale, mode="bilinear", align_corners=self.align_corners)
            yield view, False
            if self.test_cfg["flip"]:
                yield view.flip(3), True

    def probabilities(self, view: Tensor, mirrored: bool, size: tuple[int, int]) -> Tensor:
        """(N, 3, h, w) -> (N, classes, H, W), mirrored back."""
        logits = self._forward(view).float()
        logits = interpolate(logits, size=size, mode="bilinear", align_corners=self.align_corners)
        return (logits.flip(3) if mirrored else logits).softmax(1)
