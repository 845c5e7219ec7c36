"""The smallest backbone that keeps the contract: four convolutions with their batch norms."""

from torch import nn

from backbones.base import Backbone

WIDTHS = (3, 4, 6, 8, 10)


class Toy(Backbone):
    def __init__(self, stages=(1, 2, 3, 4), output_stride=32, frozen_stages=-1, norm_eval=False, **weights):
        super().__init__(frozen_stages, norm_eval)
        for stage in stages:
            self.add_module(f"stage{stage}", self.layers(stage, output_stride))
        self.channels = tuple(WIDTHS[stage] for stage in stages)
        self.strides = tuple(min(2 ** (stage + 1), output_stride) for stage in stages)
        if weights.get("weights"):
            self.load(**weights)
        self.freeze()

    def layers(self, stage, output_stride):
        stride = 4 if stage == 1 else 2 if 2 ** (stage + 1) <= output_stride else 1
        conv = nn.Conv2d(WIDTHS[stage - 1], WIDTHS[stage], 3, stride, 1, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(WIDTHS[stage]), nn.ReLU())

    def forward(self, x):
        maps = []
        for stage in self.children():
            x = stage(x)
            maps.append(x)
        return tuple(maps)

    def stage_of(self, name):
        return int(name.removeprefix("stage")[0])

    def builds(self, name):
        return hasattr(self, name.split(".")[0])
