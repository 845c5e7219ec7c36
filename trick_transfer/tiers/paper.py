"""paper: ImageNet-1k (or a recipe's own data), VOC07+12 and ADE20K as the recipes and protocols state them."""

# the published numbers came from the authors' code, not from the text, where the two differ
classification = dict(early={"follow": "authors"})
probing = dict(data="imagenet1k")
detection = dict(data="voc0712")
segmentation = dict(data="ade20k")
