"""The scope `segmentation`: the few parts that mmseg does not have, named by the protocols as `segmentation.X`."""

from mmengine import registry as root

from trick_transfer.registry import part_of

MODELS = part_of("segmentation", root.MODELS, "fcn", "authors")
DATASETS = part_of("segmentation", root.DATASETS, "data")
TRANSFORMS = part_of("segmentation", root.TRANSFORMS, "data")
METRICS = part_of("segmentation", root.METRICS, "metric")
