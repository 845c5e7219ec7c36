"""Faster R-CNN on Pascal VOC (Bag of Tricks, sec. 6.1): the protocols, and the parts that mmdet lacks."""

import warnings

from . import mmcv_ops

warnings.filterwarnings("ignore", "faster_coco_eval is not installed")  # mmdet, about a metric that we do not use
mmcv_ops.install()  # before mmdet.models is imported
