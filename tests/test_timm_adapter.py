"""timm's networks as backbones: against timm and torchvision, the counts of their papers, and in each stage."""

import math

import protocols
import pytest
import timm
import torch
import torchvision
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, init_default_scope
from mmengine.registry import MODELS as ROOT
from torch import nn
from toy_voc import MEAN, STD, nested, shrink, write_voc

from backbones import registry
from backbones.base import gmacs, params_m
from backbones.card import arrived_percent, write_card
from backbones.naming import from_timm
from backbones.registry import check_size
from backbones.timm_adapter import Timm
from classification.classifier import ImageClassifier, export, read_classifier, untrained_card
from classification.config import check_backbone, load

RELU = dict(act_layer="relu")
SWIN = "swin_tiny_patch4_window7_224"
NO_SEQUENCE = "cspnext_tiny"  # timm's FeatureGetterNet


def classifier(model, num_classes=10, **options):
    return ImageClassifier(dict(type="backbones.Timm", model=model, **options), num_classes=num_classes)


def sketch(model, **options):
    with torch.device("meta"):
        return Timm(model, **options)


def randomise(model):
    """Weights that keep signals of one size, and batch norms as after training."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, 0, 0.1)
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.eval()


@pytest.mark.parametrize(
    ("model", "options"),
    [("mobilenetv1_100", RELU), ("seresnext50_32x4d", {}), ("legacy_seresnet50", {}), ("densenet201", {}),
     ("inception_v3", {})],
)  # fmt: skip
def test_logits_equal_those_of_timms_own_classifier(model, options):
    theirs = randomise(timm.create_model(model, num_classes=10, **options))
    ours = classifier(model, options=options).eval()
    ours.load_state_dict(from_timm(theirs.state_dict(), ours))
    images = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-5, atol=1e-5)


def test_timms_weights_of_a_network_with_more_than_an_output_layer_are_refused():
    theirs, ours = timm.create_model("convnext_atto", num_classes=10), classifier("convnext_atto")
    with pytest.raises(ValueError, match=r"architecture.* head\.norm\.bias"):
        from_timm(theirs.state_dict(), ours)


# parameters (M) and multiply-adds (G) as published by others than timm
VISION = torchvision.models
NO_AUXILIARY = dict(num_params=23_834_568)  # timm's model card, 23.83 M; torchvision counts the head too
PUBLISHED = [
    ("resnext50_32x4d", {}, VISION.ResNeXt50_32X4D_Weights.IMAGENET1K_V1.meta, 224),
    ("densenet201", {}, VISION.DenseNet201_Weights.IMAGENET1K_V1.meta, 224),
    (
        "inception_v3",
        {},
        VISION.Inception_V3_Weights.IMAGENET1K_V1.meta | dict(num_params=23_834_568),
        299,
    ),  # no aux head
    ("mobilenetv1_100", RELU, dict(num_params=4_231_976, _ops=0.569), 224),  # GluonCV; Howard et al. 2017, Table 4
    ("legacy_seresnet50", {}, dict(num_params=28_088_024, _ops=3.87), 224),  # Hu et al. 2018, Table 2
    ("seresnext50_32x4d", {}, dict(num_params=27_559_896, _ops=4.25), 224),  # Hu et al. 2018, Table 2
]


@pytest.mark.parametrize(("model", "options", "meta", "px"), PUBLISHED)
def test_parameters_and_multiply_adds_are_the_published_ones(model, options, meta, px):
    with torch.device("meta"):
        ours = classifier(model, num_classes=1000, options=options)
    assert params_m(ours) * 1e6 == meta["num_params"]
    assert gmacs(ours, px) == pytest.approx(meta["_ops"], abs=0.02)


# Table 1: "FLOPs"
@pytest.mark.parametrize(
    ("recipe", "flops_g"),
    [("resnext50_baseline", 4.2), ("seresnet50_baseline", 3.9), ("seresnext50_baseline", 4.3),
     ("densenet201_baseline", 4.3)],
)  # fmt: skip
def test_the_recipes_of_table_1_have_its_multiply_adds(recipe, flops_g):
    with torch.device("meta"):
        model = ImageClassifier(load(recipe).model.backbone, num_classes=1000)
    assert gmacs(model, 224) == pytest.approx(flops_g, abs=0.07)


def test_inception_v3_has_the_maps_of_its_paper_at_299_px():
    """Szegedy et al. 2016, Table 1: 71x71x192 (after the last convolution), 35x35x288, 17x17x768, 8x8x2048."""
    maps = sketch("inception_v3").eval()(torch.zeros(1, 3, 299, 299, device="meta"))
    assert [tuple(each.shape[1:]) for each in maps] == [(192, 71, 71), (288, 35, 35), (768, 17, 17), (2048, 8, 8)]


def test_mobilenet_is_of_plain_relus():
    net = Timm(**{key: value for key, value in load("mobilenet_baseline").model.backbone.items() if key != "type"})
    kinds = {type(module) for module in net.modules() if "ReLU" in type(module).__name__}
    assert kinds == {nn.ReLU}


@pytest.mark.parametrize("model", ["mobilenetv1_100", "seresnext50_32x4d", "inception_v3"])
def test_weights_start_from_xaviers_uniform_whatever_timm_does(model):
    """Sec. 2.1: U[-a, a], a = sqrt(6 / (d_in + d_out)), biases 0, gamma 1, beta 0; the kernel's area counts in both."""
    torch.manual_seed(0)
    for module in Timm(model).modules():
        if isinstance(module, nn.Conv2d):
            area = math.prod(module.kernel_size)
            a = math.sqrt(6 / ((module.in_channels / module.groups + module.out_channels) * area))
            assert module.weight.abs().max() <= a
            assert module.weight.std().item() == pytest.approx(a / math.sqrt(3), rel=0.1)
            assert module.bias is None or not module.bias.any()
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.eq(1).all() and module.bias.eq(0).all()


def test_zero_gamma_leaves_of_each_block_its_shortcut():
    blocks = [module for module in Timm("seresnext50_32x4d", zero_gamma=True).modules() if hasattr(module, "shortcut")
              or hasattr(module, "downsample")]  # fmt: skip
    assert len(blocks) == 3 + 4 + 6 + 3
    for block in blocks[:4]:
        x = torch.rand(2, block.conv1.in_channels, 8, 8)  # not negative, as after a ReLU
        short = block.downsample(x) if block.downsample else x
        torch.testing.assert_close(block(x), short.relu(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({"model.backbone": "timm/seresnext50"}, "timm/seresnext50 .*mean seresnext50_32x4d or "),
        ({"model.backbone": "timm/swin_tiny"}, "timm/swin_tiny .*mean swin_tiny_patch4_window7_224 or "),
        ({"model.backbone": "timm/vit_small"}, "timm/vit_small .*mean vit_small_.* or vit_small_patch16_224 or "),
        ({"model.backbone": "timm/swn_tiny"}, "timm/swn_tiny .*tiny"),
        ({"model.backbone": "resnet51"}, "'resnet51' .*timm/NAME"),
        ({"model.backbone": "timm/mobilenetv1_100", "tricks.zero_gamma": {}}, "mobilenetv1_100 .*tricks.zero_gamma"),
    ],
)  # fmt: skip
def test_what_timm_does_not_have_is_refused_in_one_line(sets, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_backbone(load("resnet50_baseline", sets).model.backbone)
    assert "\n" not in str(caught.value)


def test_an_unknown_option_of_an_architecture_is_refused_by_name():
    with pytest.raises(ValueError, match="backbones.Timm .*'widht'"):
        registry.sketch(dict(type="backbones.Timm", model="mobilenetv1_100", options=dict(widht=2)))


def test_a_network_of_one_size_accepts_no_other_unless_timm_has_an_option():
    vit = dict(type="backbones.Timm", model="vit_tiny_patch16_224")
    check_size(vit, 224, 224)
    with pytest.raises(ValueError, match=r"timm/vit_tiny_patch16_224 .*64 x 64 px .*224.*dynamic_img_size"):
        check_size(vit, 64, 64)
    check_size(vit | dict(options=dict(dynamic_img_size=True)), 64, 64)
    with pytest.raises(ValueError, match=r"timm/halonet26t .*64 x 64 px \(AssertionError\)"):  # timm gives no reason
        check_size(dict(type="backbones.Timm", model="halonet26t"), 64, 64)


@pytest.mark.parametrize(
    ("protocol", "model", "size"),
    [("faster_rcnn_voc", SWIN, "600 x 901"), ("faster_rcnn_fpn_voc", SWIN, "608 x 928"),
     ("fcn_ade20k", "botnet26t_256", "520 x 781")],
)  # fmt: skip
def test_a_network_of_one_size_is_refused_by_the_tasks_whose_photographs_have_many(protocol, model, size):
    """The sizes: 500 x 333 px with a short side of 600 or 520; in FPN padded to multiples of 32."""
    made = untrained_card(load("resnet50_baseline", {"model.backbone": f"timm/{model}"}), "toy")
    with pytest.raises(ValueError, match=f"timm/{model} .*{size} px"):
        protocols.load(made, protocol)


def test_a_network_that_reads_values_is_not_judged_by_a_sketch(monkeypatch):
    class Curious(nn.Module):
        def forward(self, x):
            return x * x.max().item()

    monkeypatch.setattr("backbones.registry.build_once", lambda kind, options: Curious())
    check_size(dict(type="Curious"), 64, 64)


@pytest.mark.parametrize("stages", [(1, 3), (4, 5), (0, 1), ()])
def test_stages_that_do_not_exist_are_refused(stages):
    with pytest.raises(ValueError, match=r"timm/regnetx_002: stages=.*4, 8, 16, 32"):
        sketch("regnetx_002", stages=stages)


@pytest.mark.parametrize(
    ("model", "strides"),
    [("mambaout_femto", (4, 8, 16, 32)), ("hrnet_w18_small", (4, 8, 16, 32)), ("vgg11_bn", (4, 8, 16, 32)),
     ("coat_lite_mini", (4, 8, 16, 32)), ("visformer_tiny", (8, 16, 32)), ("vit_tiny_patch16_224", (16,))],
)  # fmt: skip
def test_of_timms_maps_the_last_of_each_stride_from_4_on_is_taken(model, strides):
    net = sketch(model).eval()
    maps = net(torch.zeros(1, 3, 224, 224, device="meta"))
    assert net.strides == strides
    assert [tuple(m.shape[1:]) for m in maps] == [
        (c, 224 // s, 224 // s) for c, s in zip(net.channels, strides, strict=True)
    ]


def test_a_network_that_is_no_sequence_of_layers_is_frozen_by_what_acts_on_its_first_map():
    first, second, *_ = Timm(NO_SEQUENCE, frozen_stages=1).train()(torch.randn(2, 3, 64, 64))
    assert not first.requires_grad and second.requires_grad
    with pytest.raises(ValueError, match=f"timm/{NO_SEQUENCE}"):
        sketch(NO_SEQUENCE, frozen_stages=0)


@pytest.fixture(scope="module")
def voc(tmp_path_factory):
    return write_voc(tmp_path_factory.mktemp("voc"), [("cat", 0, (11, 11, 60, 50)), ("bird", 0, (50, 20, 90, 60))])


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    """Makes a card over random weights."""

    def make(model, **options):
        torch.manual_seed(0)
        facts = dict(name=model, tier="smoke", seed=0, mean=MEAN, std=STD, licences={})
        config = dict(type="backbones.Timm", model=model, **options)
        return write_card(tmp_path_factory.mktemp(model), Timm(model, **options), config, {}, 96, **facts)

    return make


def test_an_exported_mobilenet_comes_back_bit_for_bit_with_its_relus(tmp_path):
    cfg = load("mobilenet_baseline")
    model = randomise(ImageClassifier(cfg.model.backbone, num_classes=5))
    made = export(model, cfg, tmp_path, {}, name="toy", tier="smoke", seed=0)
    assert made.backbone == dict(type="backbones.Timm", model="mobilenetv1_100", options=RELU)
    again = read_classifier(tmp_path / "card.json").eval()
    images = 10 * torch.randn(2, 3, 64, 64)  # large enough for ReLU6 to show
    with torch.no_grad():
        assert torch.equal(*(net.to(memory_format=torch.channels_last)(images) for net in (again, model)))


C4, FPN, *_ = protocols.DETECTION


@pytest.mark.parametrize(
    ("model", "protocol"),
    [
        ("mobilenetv1_100", C4),
        ("mobilenetv1_100", FPN),
        ("inception_v3", C4),
        ("inception_v3", FPN),
        ("densenet201", C4),
    ],
)
def test_it_trains_in_the_detectors(model, protocol, card, voc):
    made = card(model)
    cfg = shrink(protocols.load(made, protocol, voc))
    for part in nested(cfg._cfg_dict):
        if part.get("type") == "Resize":
            part.scale = (10_000, 96)  # Inception-V3 takes no less than 75
    init_default_scope("mmdet")
    net = ROOT.build(cfg.model)
    net.init_weights()
    assert arrived_percent(made, *(module for module in net.modules() if isinstance(module, Timm))) == 100
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    batch = pseudo_collate([dataset[i, i] for i in range(2)])
    loss = net.train().train_step(batch, build_optim_wrapper(net, cfg.optim_wrapper))["loss"]
    assert loss.isfinite()
    with torch.no_grad():
        assert len(net.eval().val_step(batch)) == 2


def test_a_network_that_cannot_be_cut_is_for_the_fpn_detector_only(card):
    made = card(NO_SEQUENCE)
    with pytest.raises(ValueError, match="timm/cspnext_tiny .*--protocol faster_rcnn_fpn_voc"):
        protocols.load(made)
    assert protocols.load(made, "faster_rcnn_fpn_voc").model.neck.in_channels == list(made.channels)


def test_a_network_of_other_strides_is_for_no_detector(card):
    with pytest.raises(ValueError, match=r"\[8, 16, 32\].*\[4, 8, 16, 32\]"):
        protocols.load(card("visformer_tiny", options=dict(img_size=96)), "faster_rcnn_fpn_voc")


def test_the_dilated_fcn_accepts_a_mobilenet_and_refuses_an_inception(card):
    init_default_scope("mmseg")
    net = ROOT.build(protocols.load(card("mobilenetv1_100"), "fcn_ade20k").model).eval()
    images = torch.randn(1, 3, 64, 64)
    assert net.inference(images, []).shape == (1, 150, 64, 64) and net.extract_feat(images)[3].shape == (1, 1024, 8, 8)
    with pytest.raises(ValueError, match="timm/inception_v3 .*output_stride=8"):
        protocols.load(card("inception_v3"), "fcn_ade20k")
