"""The scope `backbones`: any mmengine config may say `type="backbones.ResNet"` with no custom import."""

from mmengine.registry import MODELS as ROOT
from mmengine.registry import Registry

MODELS = Registry("model", parent=ROOT, scope="backbones", locations=["backbones.resnet"])
