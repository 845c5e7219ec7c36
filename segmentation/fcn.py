"""FCN: mmseg's encoder and decoder, but the heads take the backbone's channels, and the classes are stated once.

`test_cfg` has `scales` and `flip`: the model itself averages predictions over sizes and mirror images, as in the
authors' GluonCV (`MultiEvalModel`), so the Runner's ordinary loop suffices.
"""

import warnings
from collections.abc import Iterator, Sequence

from mmseg.models import EncoderDecoder
from torch import Tensor
from torch.nn.functional import interpolate

from .registry import MODELS

# mmseg warns at every new size that is not 8 n + 1; the sizes are the protocol's.
warnings.filterwarnings("ignore", message="When align_corners=True")


@MODELS.register_module()
class FCN(EncoderDecoder):
    """Fills in `in_channels` of both heads, and `num_classes` of the auxiliary one."""

    def _init_decode_head(self, decode_head: dict) -> None:
        super()._init_decode_head(self.fitted(decode_head))

    def _init_auxiliary_head(self, auxiliary_head: dict) -> None:
        super()._init_auxiliary_head({**self.fitted(auxiliary_head), "num_classes": self.num_classes})

    def fitted(self, head: dict) -> dict:
        """A head's config with the channels of the map it reads."""
        return {**head, "in_channels": self.backbone.channels[head["in_index"]]}

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """(N, 3, H, W) -> (N, classes, H, W): logits of a single view, or the mean probabilities of several."""
        views = len(self.test_cfg["scales"]) * (1 + self.test_cfg["flip"])
        logits = self.logits(inputs)
        if views == 1:
            return next(logits)
        return sum(each.softmax(1) for each in logits) / views

    def logits(self, inputs: Tensor) -> Iterator[Tensor]:
        """The logits of every view, at the size and orientation of `inputs`."""
        for scale in self.test_cfg["scales"]:
            view = self.resized(inputs, [round(scale * side) for side in inputs.shape[2:]])
            yield self.resized(self._forward(view), inputs.shape[2:])
            if self.test_cfg["flip"]:
                yield self.resized(self._forward(view.flip(3)), inputs.shape[2:]).flip(3)

    def resized(self, maps: Tensor, size: Sequence[int]) -> Tensor:
        """Bilinear, in fp32 also under autocast: bf16 logits tie."""
        return interpolate(maps.float(), size=tuple(size), mode="bilinear", align_corners=self.align_corners)
