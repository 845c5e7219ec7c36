"""Faster R-CNN on Pascal VOC (Bag of Tricks, sec. 6.1): the protocols, and the parts that mmdet lacks."""

import warnings

from trick_transfer import mmcv_ops  # noqa: F401  before mmdet.models is imported
from trick_transfer.engine import quiet  # noqa: F401  before mmdet is imported

warnings.filterwarnings("ignore", "faster_coco_eval is not installed")  # mmdet, about a metric that we do not use
