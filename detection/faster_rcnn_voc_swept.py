"""`faster_rcnn_voc` with the rate and the length that suit a backbone best, chosen on held-out training images.

For who wants each backbone at its best, where `faster_rcnn_voc` compares them under one rule. The nine trials cost ten
times the one training, which the device-hours of the row's scores include. The test images are scored once, at the end.
"""

_base_ = "faster_rcnn_voc.py"

# factors of the protocol's rate and of its epochs; `share` of the training images is held out of the trials
sweep = dict(share=0.1, rates=(0.3, 1.0, 3.0), lengths=(0.5, 1.0, 2.0), rate=None, length=None)
