"""Dilated FCN on ADE20K (Bag of Tricks, sec. 6.2): the protocols, and the parts that mmseg lacks."""

import warnings

warnings.filterwarnings("ignore", "Fail to import ``MultiScaleDeformableAttention``")  # mmcv: we do not use that op
