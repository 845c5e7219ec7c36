"""The scope `probing`: what its protocols name by string. Images are read by `classification.ImageFolder`."""

from mmengine import registry as root

from trick_transfer.registry import part_of

MODELS = part_of("probing", root.MODELS, "features")
DATASETS = part_of("probing", root.DATASETS, "features")
METRICS = part_of("probing", root.METRICS, "metric")
