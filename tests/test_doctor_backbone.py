"""tools/doctor.py backbone: a network that breaks the contract fails that check, and is told how to mend it."""

import sys

import pytest
import torch
from torch import nn
from toy_backbone import WIDTHS, Toy

from backbones.contract import dilation, examine, maps, sizes
from backbones.given.imports import NAMED
from backbones.registry import MODELS, by_name
from trick_transfer.command_line import tool
from trick_transfer.commands import doctor

CHECKS = ["maps", "sizes", "dilation", "names", "gradients", "frozen_stages", "norm_eval", "repeats", "bf16", "export"]
CHECKS += ["last stage"]


class TwoMaps(Toy):
    def __init__(self, **options):
        super().__init__(**{"stages": (1, 2)} | options)


class OtherChannels(Toy):
    def __init__(self, **options):
        super().__init__(**options)
        self.channels = self.channels[::-1]


class OtherStrides(Toy):
    def layers(self, stage, output_stride):
        layers = super().layers(stage, output_stride)
        layers[0].stride = (1, 1) if stage == 2 else layers[0].stride
        return layers


class OneSize(Toy):
    def forward(self, x):
        assert x.shape[2:] == (224, 224), "one size only"
        return super().forward(x)


class Undilated(Toy):
    def __init__(self, output_stride=32, **options):
        super().__init__(**options)


class MovingNames(Toy):
    def layers(self, stage, output_stride):
        layers = super().layers(stage, output_stride)
        return nn.Sequential(nn.Identity(), *layers) if output_stride == 8 else layers


class TwinNames(Toy):
    def __init__(self, **options):
        super().__init__(**options)
        self.stage4.add_module("extra", nn.Sequential(nn.BatchNorm2d(WIDTHS[4])))
        self.stage4.add_module("extra_0", nn.BatchNorm2d(WIDTHS[4]))


class Idle(Toy):
    def __init__(self, **options):
        super().__init__(**options)
        self.stage1.unused = nn.Conv2d(3, 3, 1)
        self.stage1.forward = lambda x: self.stage1[2](self.stage1[1](self.stage1[0](x)))


class NeverFrozen(Toy):
    def stage_of(self, name):
        return 9


class AllFrozen(Toy):
    def stage_of(self, name):
        return 0


class NoFreeze(Toy):
    def freeze(self):
        pass


class Random(Toy):
    def forward(self, x):
        return super().forward(nn.functional.dropout(x))


class Coarse(Toy):
    def forward(self, x):
        return tuple((1000 * each).sin() for each in super().forward(x))


class Forgetful(Toy):
    def __init__(self, **options):
        super().__init__(**options)
        self.factor = torch.rand(()) if self.stage1[0].weight.device.type == "cpu" else 1.0

    def forward(self, x):
        return super().forward(self.factor * x)


class Uncut(Toy):
    def __init__(self, stages=(1, 2, 3, 4), **options):
        if tuple(stages) != (1, 2, 3, 4):
            raise ValueError("Uncut is one piece")
        super().__init__(**options)


BROKEN = {  # a network: the check that fails, and what it says
    TwoMaps: ("maps", "strides 4, 8, not 4, 8, 16, 32; detection and segmentation are refused"),
    OtherChannels: ("maps", "4, 6, 8, 10 channels, states 10, 8, 6, 4"),
    OtherStrides: ("maps", "correct `strides`"),
    OneSize: ("sizes", "does not accept images of 352 x 480 px (one size only)"),
    Undilated: ("dilation", "segmentation is refused before training, detection runs"),
    MovingNames: ("names", "it lacks stage1.0.weight"),
    TwinNames: ("names", "stage4.extra.0.bias"),
    Idle: ("gradients", "stage1.unused.bias, stage1.unused.weight"),
    NeverFrozen: ("frozen_stages", "frozen_stages=1 leaves stage1.0.weight"),
    AllFrozen: ("frozen_stages", "frozen_stages=1 also freezes stage2.0.weight"),
    NoFreeze: ("norm_eval", "self.freeze()"),
    Random: ("repeats", "draw nothing at random"),
    Coarse: ("bf16", "--precision fp32"),
    Forgetful: ("export", "parameters and buffers"),
    Uncut: ("last stage", "Uncut is one piece; detection runs with --protocol faster_rcnn_fpn_voc"),
}


@pytest.fixture
def registered():
    """Registers a class for one test."""
    before = dict(MODELS.module_dict)

    def register(kind):
        MODELS.module_dict[kind.__name__] = kind
        return dict(type=f"backbones.{kind.__name__}")

    yield register
    MODELS.module_dict.clear()
    MODELS.module_dict.update(before)


def test_a_network_that_keeps_the_contract_passes_every_check(registered, tmp_path):
    config = registered(Toy)
    found = list(examine(config, MODELS.build(config), tmp_path))
    assert [name for name, *_ in found] == CHECKS
    assert [each for each in found if not each[1]] == []


@pytest.mark.parametrize("kind", BROKEN)
def test_a_network_that_breaks_the_contract_fails_that_check_and_is_told_the_mend(registered, tmp_path, kind):
    config, (check, said) = registered(kind), BROKEN[kind]
    torch.manual_seed(1)
    found = {name: words for name, passed, words in examine(config, MODELS.build(config), tmp_path) if not passed}
    assert said in found[check]
    assert kind is not TwoMaps or not {"dilation", "last stage"} & found.keys()
    assert not any("\n" in words for words in found.values())


def test_of_weights_that_give_nan_one_check_says_so(registered, tmp_path):
    config = registered(Toy)
    net = MODELS.build(config)
    norm = next(module for module in net.modules() if isinstance(module, nn.BatchNorm2d))
    norm.running_var.fill_(-1)
    found = {name: words for name, passed, words in examine(config, net, tmp_path) if not passed}
    assert list(found) == ["repeats"] and "NaN" in found["repeats"] and "running_var" in found["repeats"]


def test_of_timms_networks_it_says_what_can_run():
    with pytest.raises(ValueError, match="vit_tiny.* strides 16, not .*; detection and segmentation are refused"):
        maps(by_name("timm/vit_tiny_patch16_224"))
    with pytest.raises(ValueError, match=r"inception_v3.*; segmentation is refused before training, detection runs"):
        dilation(by_name("timm/inception_v3"))
    with pytest.raises(ValueError, match="swin_tiny.* does not accept images of 352 x 480 px"):
        sizes(by_name("timm/swin_tiny_patch4_window7_224"))


@pytest.fixture
def told(monkeypatch, capsys, registered):
    """Runs the command: its exit code, {check: line}, and the last line on stderr."""
    monkeypatch.setenv(NAMED, "")

    def tell(*words):
        monkeypatch.setattr(sys, "argv", ["doctor", "backbone", *words])
        code = tool(doctor.main)
        out, err = capsys.readouterr()
        return code, {line[8:21].strip(): line for line in out.splitlines()}, err.splitlines()[-1:]

    return tell


OURS = ["toy_backbone:Toy", "--import", "toy_backbone"]
FED = ["--mean", "123.7", "116.3", "103.5", "--std", "58.4", "57.1", "57.4"]


def test_the_command_looks_at_a_class_of_ones_own(told):
    code, lines, _ = told(*OURS)
    assert code == 1 and lines["images"].startswith("failed") and "--mean R G B --std R G B" in lines["images"]
    code, lines, _ = told(*OURS, *FED)
    assert code == 0 and list(lines) == ["source", "images", *CHECKS]
    assert "mean 123.7 116.3 103.5, std 58.4 57.1 57.4, rgb, bilinear" in lines["images"]
    assert all(line.startswith("ok ") for line in lines.values())


def test_the_command_looks_at_weights_and_stops_where_they_do_not_fit(told, tmp_path):
    state = {f"module.{name}": tensor for name, tensor in Toy().state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    words = [str(tmp_path / "a.pth"), "--arch", *OURS, *FED]
    code, lines, _ = told(*words)
    assert code == 0 and list(lines) == ["source", "images", "weights", *CHECKS]
    assert "matched 20 of the backbone's 20 tensors" in lines["weights"]
    del state["module.stage4.0.weight"]
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    code, lines, _ = told(*words)
    assert code == 1 and list(lines)[-1] == "weights" and "stage4.0.weight" in lines["weights"]
    code, lines, _ = told(*words, "--allow-missing", "stage4.0.weight")
    assert code == 0 and "as allowed" in lines["weights"]


def test_a_source_that_does_not_exist_is_one_line(told):
    code, lines, last = told("timm/resnet5O")
    assert code == 2 and not lines and last[0].startswith("error: timm/resnet5O does not exist; did you mean")
