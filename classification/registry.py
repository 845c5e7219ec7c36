"""The scope `classification`: what its Configs name by string."""

from mmengine import registry as root

from trick_transfer.registry import part_of

MODELS = part_of("classification", root.MODELS, "classifier", "augment")
DATASETS = part_of("classification", root.DATASETS, "data")
METRICS = part_of("classification", root.METRICS, "metric")
