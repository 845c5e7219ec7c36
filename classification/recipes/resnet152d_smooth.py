"""The teacher without mixup: ResNet-152-D, cosine and label smoothing (sec. 5.5); 80.26 % top-1 in its authors' zoo.

The zoo's was trained in fp32 with batch 512 and rate 0.2 (gluon-cv's published command), as it is with --follow
authors; else, as all recipes that the paper's text describes, in low precision with batch 1024 and rate 0.4.
"""

_base_ = "resnet50d_efficient.py"

model = dict(backbone=dict(depth=152))
tricks = dict(schedule=dict(decay="cosine"), label_smoothing=dict(eps=0.1))
authors = {"tricks.amp": None, "tricks.large_batch.batch": 512}  # the rate follows
