"""Weights from elsewhere, not trained here: tools/pipeline.sh --backbone SOURCE. Not a row of the paper."""

_base_ = "../baseline.py"

max_epochs = 0
