"""The scope `toy_task`."""

from mmengine import registry as root
from mmengine.registry import Registry

HERE = ["toy_task.parts"]
MODELS = Registry("model", parent=root.MODELS, scope="toy_task", locations=HERE)
DATASETS = Registry("dataset", parent=root.DATASETS, scope="toy_task", locations=HERE)
METRICS = Registry("metric", parent=root.METRICS, scope="toy_task", locations=HERE)
