"""Faster R-CNN on Pascal VOC (Bag of Tricks, sec. 6.1): the protocols, and what mmdet lacks for them."""

from . import mmcv_ops

mmcv_ops.install()  # before anyone imports mmdet.models
