"""The scope `detection`: the few parts that mmdet does not have, named by the protocols as `detection.X`."""

from mmengine import registry as root

from trick_transfer.registry import part_of

MODELS = part_of("detection", root.MODELS, "model")
TASK_UTILS = part_of("detection", root.TASK_UTILS, "model")
DATASETS = part_of("detection", root.DATASETS, "data")
TRANSFORMS = part_of("detection", root.TRANSFORMS, "data")
METRICS = part_of("detection", root.METRICS, "metric")
