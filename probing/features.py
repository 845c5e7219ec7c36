"""The features of a frozen backbone: its last map averaged over the image, of each image once, in evaluation mode."""

from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import DATASETS as ROOT_DATASETS
from torch import Tensor
from torch.utils.data import ConcatDataset

from backbones.registry import MODELS as BACKBONES
from trick_transfer.engine.names import in_its_folder

from .registry import DATASETS, MODELS


@DATASETS.register_module()
class TrainThenTest(ConcatDataset):
    """The images that a probe is trained on, then the `scored` ones, so that one pass computes the features of all.

    A sample has `inputs`, uint8 (3, H, W), and as `data_samples` a dict: labels, names (<class folder>/<file>), trains.
    """

    def __init__(self, train: dict, test: dict) -> None:
        self.train, self.test = (ROOT_DATASETS.build(part) for part in (train, test))
        super().__init__([self.train, self.test])
        self.files = [*self.train.files, *self.test.files]
        self.metainfo, self.scored = self.test.metainfo, len(self.test)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = super().__getitem__(index)
        image = torch.from_numpy(sample["inputs"]).permute(2, 0, 1)
        facts = dict(labels=sample["labels"], names=in_its_folder(self.files[index]), trains=index < len(self.train))
        return dict(inputs=image, data_samples=facts)


@MODELS.register_module()
class Features(BaseModel):
    """Normalised images (N, 3, H, W) -> features (N, C), or one dict an image. Nothing in it is ever trained."""

    def __init__(self, backbone: dict, data_preprocessor: dict | None = None) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.backbone = BACKBONES.build(backbone)

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = "tensor") -> Any:
        features = self.backbone(inputs)[-1].mean((2, 3)).float()
        if mode != "predict":
            return features
        columns = {"features": features.cpu()} | data_samples
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
