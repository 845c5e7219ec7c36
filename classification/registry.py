"""The scope `classification`: what its Configs name by string."""

from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import METRICS as ROOT_METRICS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import Registry

MODELS = Registry(
    "model",
    parent=ROOT_MODELS,
    scope="classification",
    locations=["classification.classifier", "classification.augment"],
)
DATASETS = Registry("dataset", parent=ROOT_DATASETS, scope="classification", locations=["classification.data"])
METRICS = Registry("metric", parent=ROOT_METRICS, scope="classification", locations=["classification.metric"])
