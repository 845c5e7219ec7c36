"""Dilated FCN on ADE20K (Bag of Tricks, sec. 6.2): the protocols, and what mmseg lacks for them."""

import warnings

warnings.filterwarnings("ignore", "Fail to import ``MultiScaleDeformableAttention``")  # mmcv, of an op we do not use
