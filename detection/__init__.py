"""Faster R-CNN on Pascal VOC (Bag of Tricks, sec. 6.1): the protocols, and what mmdet lacks for them."""

import warnings

from . import mmcv_ops

warnings.filterwarnings("ignore", "faster_coco_eval is not installed")  # mmdet, of a metric that we do not use
mmcv_ops.install()  # before anyone imports mmdet.models
