"""ResNet-50 as in sec. 2.1, no trick: 75.87 % top-1, 92.70 % top-5 in the paper (Table 2).

torchrun --nproc_per_node 8 tools/train.py classification resnet50_baseline --tier paper
"""

_base_ = "../baseline.py"
