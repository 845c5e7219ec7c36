"""paper: ImageNet-1k (or a recipe's own data), VOC07+12 and ADE20K as the recipes and protocols state them."""

detection = dict(data="voc0712")
segmentation = dict(data="ade20k")
