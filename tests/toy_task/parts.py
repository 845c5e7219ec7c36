"""What the protocol names: data set, model, metric."""

from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from torch import nn
from torch.nn import functional as F

from backbones.registry import MODELS as BACKBONES
from toy_task.registry import DATASETS, METRICS, MODELS

CLASSES = ("dark", "bright")


@DATASETS.register_module()
class Photos(torch.utils.data.Dataset):
    metainfo = {"classes": CLASSES}

    def __init__(self, data_root, split):
        self.files = sorted(Path(data_root, split).rglob("*.jpg"))

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        image = cv2.cvtColor(cv2.imread(str(self.files[index])), cv2.COLOR_BGR2RGB)
        label = int(image.mean() > 110)
        return {"inputs": torch.from_numpy(image).permute(2, 0, 1), "data_samples": (self.files[index].name, label)}


@MODELS.register_module()
class Brightness(BaseModel):
    def __init__(self, backbone, data_preprocessor=None):
        super().__init__(data_preprocessor=data_preprocessor)
        self.backbone = BACKBONES.build(backbone)
        self.head = nn.Linear(self.backbone.channels[-1], len(CLASSES))

    def forward(self, inputs, data_samples=None, mode="tensor"):
        logits = self.head(self.backbone(torch.stack(list(inputs)))[-1].mean((2, 3)))
        names, labels = data_samples
        if mode == "loss":
            return {"loss": F.cross_entropy(logits, torch.tensor(labels))}
        return [{"name": n, "hit": bool(z.argmax() == y)} for n, z, y in zip(names, logits, labels, strict=True)]


@METRICS.register_module()
class Accuracy(BaseMetric):
    def __init__(self, outputs=None):
        super().__init__()
        self.outputs = outputs

    def process(self, data_batch, data_samples):
        self.results += [(each["name"], each["hit"]) for each in data_samples]

    def compute_metrics(self, results):
        names, hits = zip(*results, strict=True)
        if self.outputs:
            Path(self.outputs).parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(self.outputs, names=np.array(names), hits=np.array(hits))
        return {"bright": 100 * float(np.mean(hits)), "samples_scored": len(hits)}
