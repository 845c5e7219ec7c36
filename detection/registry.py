"""The scope `detection`: the few parts that mmdet does not have, named by the protocols as `detection.X`."""

from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import METRICS as ROOT_METRICS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import TASK_UTILS as ROOT_TASK_UTILS
from mmengine.registry import Registry

MODELS = Registry("model", parent=ROOT_MODELS, scope="detection", locations=["detection.roi_head", "detection.heads"])
TASK_UTILS = Registry("task util", parent=ROOT_TASK_UTILS, scope="detection", locations=["detection.anchors"])
DATASETS = Registry("dataset", parent=ROOT_DATASETS, scope="detection", locations=["detection.data"])
METRICS = Registry("metric", parent=ROOT_METRICS, scope="detection", locations=["detection.metric"])
