"""Dilated FCN on ADE20K (Bag of Tricks, sec. 6.2): the protocols, and the parts that mmseg lacks."""

import warnings

from trick_transfer.engine import quiet  # noqa: F401  before mmseg is imported

warnings.filterwarnings("ignore", "Fail to import ``MultiScaleDeformableAttention``")  # mmcv: we do not use that op
