"""The scope `segmentation`: the few parts that mmseg does not have, named by the protocols as `segmentation.X`."""

from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import METRICS as ROOT_METRICS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import Registry

MODELS = Registry("model", parent=ROOT_MODELS, scope="segmentation", locations=["segmentation.fcn"])
DATASETS = Registry("dataset", parent=ROOT_DATASETS, scope="segmentation", locations=["segmentation.data"])
TRANSFORMS = Registry("transform", parent=ROOT_TRANSFORMS, scope="segmentation", locations=["segmentation.data"])
METRICS = Registry("metric", parent=ROOT_METRICS, scope="segmentation", locations=["segmentation.metric"])
