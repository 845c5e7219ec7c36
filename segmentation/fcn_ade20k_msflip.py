"""`fcn_ade20k` scored over six scales and their mirror images: the same training, another table.

The authors' zoo numbers are of this kind (GluonCV scripts/segmentation/test.py --eval). Departures: they slide
480 px crops over a long side of 520 px x scale and add up exp(sum of both mirrors' logits); we see whole images, short
side 520 px x scale, resized from the 520 px one, and average probabilities (as mmseg does for its published numbers).
`fcn_ade20k_authors` does as they do.
"""

_base_ = "fcn_ade20k.py"

model = dict(test_cfg=dict(scales=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75), flip=True))
