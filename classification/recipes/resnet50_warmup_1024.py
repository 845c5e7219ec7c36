"""+ learning-rate warm-up at batch 1024: 75.93 % top-1, 92.84 % top-5 in the paper (Table 4)."""

_base_ = "resnet50_linear_1024.py"

tricks = dict(schedule=dict(warmup_epochs=5, decay="step"))
