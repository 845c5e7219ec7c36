"""The detectors: fair to every card, fed bit for bit, frozen where the protocol says so, and able to learn."""

import numpy as np
import pytest
import torch
import torchvision
from mmdet.structures import DetDataSample
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, init_default_scope
from mmengine.registry import MODELS as ROOT
from protocols import DETECTION as PROTOCOLS
from protocols import build, load
from safetensors.torch import load_file
from torch import nn
from toy_voc import nested, shrink, toy_card, write_voc

from backbones.card import arrived_percent
from backbones.compiling import compiled_passes
from backbones.resnet import ResNet
from trick_transfer import mmcv_ops


def trunk_and_head(model):
    parts = [model.backbone]
    return parts + [model.roi_head.shared_head.backbone] if model.roi_head.with_shared_head else parts


def batch_of(cfg):
    init_default_scope("mmdet")
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    return pseudo_collate([dataset[i, i] for i in range(4)])


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Nets this small are faster on one core, above all where others use the second."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    return toy_card(tmp_path_factory.mktemp("card"))


@pytest.fixture(scope="module")
def voc(tmp_path_factory):
    return write_voc(tmp_path_factory.mktemp("voc"), [("cat", 0, (11, 11, 60, 50)), ("bird", 0, (50, 20, 90, 60))])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_two_cards_configs_differ_nowhere_but_in_the_backbone_slots(tmp_path, card, protocol):
    other = toy_card(tmp_path, depth=34, tweak="b", seed=1)
    configs = [load(c, protocol) for c in (card, other)]
    slots = [[part.pop("backbone") for part in nested(cfg._cfg_dict) if "backbone" in part] for cfg in configs]
    assert configs[0].to_dict() == configs[1].to_dict()
    for first, second in zip(*slots, strict=True):
        weights = set() if protocol == "faster_rcnn_voc_scratch" else {"weights", "sha256"}
        assert {k for k in first if first[k] != second[k]} == {"depth", "tweak"} | weights


def test_trunk_and_head_of_the_paper_protocol_come_from_one_card(card):
    model = load(card).model
    trunk, head = model.backbone, model.roi_head.shared_head.backbone
    assert trunk.weights == head.weights == str(card.weights) and trunk.sha256 == card.sha256
    assert (trunk.stages, head.stages) == ((1, 2, 3), (4,))
    assert (trunk.frozen_stages, trunk.norm_eval, head.norm_eval) == (1, True, True)


def test_an_unknown_protocol_is_refused_with_the_nearest_name(card):
    with pytest.raises(ValueError, match="'faster_rcn_voc' .*'faster_rcnn_voc'"):
        load(card, "faster_rcn_voc")


HALF = dict(mean=[127.5, 120.0, 110.0], std=[127.5, 128.0, 129.0])


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_images_are_fed_as_the_cards_weights_saw_them(tmp_path, voc, order):
    cfg = load(toy_card(tmp_path, **HALF, channel_order=order, interpolation="bicubic"), data_root=voc)
    resized = [part for part in nested(cfg._cfg_dict) if part.get("type") == "Resize"]
    assert len(resized) > 1 and {each.interpolation for each in resized} == {"bicubic"}
    init_default_scope("mmdet")
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    sample = DetDataSample(metainfo=dict(img_shape=(32, 48)))
    fed = ROOT.build(cfg.model.data_preprocessor)(
        dict(inputs=[torch.from_numpy(image[..., ::-1].transpose(2, 0, 1).copy())], data_samples=[sample])
    )["inputs"][0]
    expected = ((image - HALF["mean"]) / HALF["std"]).transpose(2, 0, 1)  # of the RGB image
    assert np.allclose(fed[:, :32, :48], expected[:: 1 if order == "rgb" else -1], atol=1e-5)


@pytest.mark.parametrize("protocol", [p for p in PROTOCOLS if p != "faster_rcnn_voc_scratch"])
@pytest.mark.parametrize("tweak", ["", "bcd"])
def test_every_tensor_of_the_card_arrives_bit_for_bit(tmp_path, protocol, tweak):
    card = toy_card(tmp_path, tweak=tweak)
    parts = trunk_and_head(build(shrink(load(card, protocol))))
    assert arrived_percent(card, *parts) == 100
    with torch.no_grad():
        next(parts[-1].parameters()).add_(1)
    assert arrived_percent(card, *parts) < 100


def test_head_after_trunk_computes_what_the_whole_backbone_does(card):
    model = build(shrink(load(card))).eval()
    whole = ResNet(18, "bcd")
    whole.load_state_dict(load_file(card.weights))
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        maps = model.extract_feat(images)
        torch.testing.assert_close(model.roi_head.shared_head(maps[-1]), whole.eval()(images)[-1], rtol=0, atol=0)


@pytest.mark.parametrize(("tweak", "pools"), [("", 0), ("b", 0), ("bc", 0), ("bcd", 1)])
def test_the_head_of_a_resnet_d_averages_in_its_shortcut(tweak, pools):
    head = ROOT.build(
        dict(type="detection.LastStage", backbone=dict(type="backbones.ResNet", tweak=tweak, stages=(4,)))
    )
    found = [module for module in head.modules() if isinstance(module, nn.AvgPool2d) and module.kernel_size == 2]
    assert len(found) == pools
    assert head(torch.zeros(1, 1024, 14, 14)).shape == (1, 2048, 7, 7)


def test_trunk_and_head_are_both_compiled(card, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda run: run)
    model = build(shrink(load(card)))
    assert list(compiled_passes(model)) == trunk_and_head(model)


def test_gradients_reach_what_trains_and_nothing_that_is_frozen(card, voc):
    cfg = shrink(load(card, data_root=voc))
    model = build(cfg).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    model.train_step(batch_of(cfg), wrapper)
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    trained = {  # facts of the authors' code: convolutions of stages 2 to 4, the RPN, the two dense layers
        name
        for name, _ in model.named_parameters()
        if name.split(".")[0] == "rpn_head" or ".fc_" in name or ".conv.weight" in name and ".stage1." not in name
    } - {name for name in before if ".stem." in name}
    assert moved == trained


def losses(card, voc, protocol, steps, device, lr=0.02, **settings):
    cfg = shrink(load(card, protocol, data_root=voc))
    cfg.optim_wrapper.update(settings)
    cfg.optim_wrapper.optimizer.lr = lr
    model, batch = build(cfg).to(device).train(), batch_of(cfg)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    return [model.train_step(batch, wrapper)["loss"].item() for _ in range(steps)]


def test_a_few_steps_lower_the_loss(card, voc, device):
    found = losses(card, voc, "faster_rcnn_voc", 6, device)
    assert max(found[-2:]) < 0.85 * found[0]


def test_the_fpn_protocol_trains(card, voc, device):
    found = losses(card, voc, "faster_rcnn_fpn_voc", 2, device)
    assert found[1] < found[0]


@pytest.mark.gpu
@pytest.mark.parametrize("protocol", ["faster_rcnn_voc", "faster_rcnn_fpn_voc"])
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_both_detectors_train_in_low_precision_on_a_gpu(card, voc, protocol, precision):
    low = dict(type="trick_transfer.LowPrecisionOptimWrapper", precision=precision)
    found = losses(card, voc, protocol, 16, "cuda", **low)  # loss scaling may leave out the first ones
    assert max(found[-2:]) < 0.85 * found[0]


@pytest.mark.gpu
@pytest.mark.parametrize("protocol", ["faster_rcnn_voc", "faster_rcnn_fpn_voc"])
def test_a_gpu_computes_the_maps_that_a_cpu_does(card, voc, protocol, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    cfg = shrink(load(card, protocol, data_root=voc))
    model, images = build(cfg).eval(), torch.randn(2, 3, 64, 96)

    def maps(where):
        with torch.no_grad():
            return [each for kind in model.to(where).rpn_head(model.extract_feat(images.to(where))) for each in kind]

    for other, one in zip(maps("cpu"), [each.cpu() for each in maps("cuda")], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3 * other.abs().max().item())


def test_predictions_are_fp32_under_autocast_and_lie_within_the_image(card, voc, device):
    cfg = shrink(load(card, data_root=voc))
    model, batch = build(cfg).to(device).eval(), batch_of(cfg)
    with torch.no_grad(), torch.autocast(device, torch.bfloat16):
        found = model.val_step(batch)[0].pred_instances
    assert found.scores.dtype == found.bboxes.dtype == torch.float32
    assert 0 < len(found) <= 100 and found.bboxes.min() >= 0 and (found.bboxes <= found.bboxes.new([96, 64] * 2)).all()


def test_anchors_equal_the_published_list_of_faster_rcnn(card):
    # py-faster-rcnn, lib/rpn/generate_anchors.py, at its scales 8, 16, 32; GluonCV rounds in the same way
    published = [
        [-84, -40, 99, 55], [-176, -88, 191, 103], [-360, -184, 375, 199],
        [-56, -56, 71, 71], [-120, -120, 135, 135], [-248, -248, 263, 263],
        [-36, -80, 51, 95], [-80, -168, 95, 183], [-168, -344, 183, 359],
    ]  # fmt: skip
    generator = build(load(card)).rpn_head.prior_generator
    base = generator.base_anchors[0].reshape(3, 5, 4)
    assert base[:, 2:].reshape(9, 4).tolist() == published
    assert base[1, :2].tolist() == [[-8, -8, 23, 23], [-24, -24, 39, 39]]  # scales 2 and 4 at ratio 1
    second = generator.grid_priors([(1, 2)], device="cpu")[0][15:]
    assert torch.equal(second - second.new([16, 0, 16, 0]), generator.base_anchors[0])


def test_the_schedule_is_20_epochs_with_warm_up_from_a_third_and_a_step_at_14(card, voc):
    cfg = load(card)
    images, batch = 16551, cfg.train_dataloader.batch_size  # VOC07+12 trainval
    warm_up, step = cfg.param_scheduler
    assert (cfg.train_cfg.max_epochs, step.milestones, step.gamma, batch) == (20, [14], 0.1, 4)
    assert (warm_up.start_factor, warm_up.end * batch) == (1 / 3, 8000) and warm_up.end < images // batch
    assert cfg.train_cfg.val_begin > cfg.train_cfg.max_epochs  # scored once, after training


def test_the_authors_have_no_warm_up_and_flip_otherwise_and_differ_nowhere_else():
    paper, authors = (load(None, name).to_dict() for name in ("faster_rcnn_voc", "faster_rcnn_voc_authors"))
    assert authors.pop("param_scheduler") == [
        step for step in paper.pop("param_scheduler") if step["type"] != "LinearLR"
    ]
    flips = [each for each in nested(paper) if each.get("type") == "detection.FlipPixels"]
    assert len(flips) == 2 and {flip["prob"] for flip in flips} == {0.5}
    for flip in flips:
        flip["type"] = "RandomFlip"
    assert authors == paper


def test_mmcv_nms_is_the_one_of_torchvision():
    from mmcv.ops import nms  # importable once `detection` is

    boxes = torch.rand(50, 4, generator=torch.manual_seed(0)) * 50
    boxes[:, 2:] += boxes[:, :2]
    scores = torch.rand(50, generator=torch.manual_seed(1))
    assert torch.equal(nms(boxes, scores, 0.3)[1], torchvision.ops.nms(boxes, scores, 0.3))


def test_a_missing_op_is_an_error_with_its_name():
    from mmcv.ops import roi_pool

    if not isinstance(mmcv_ops.sys.modules[mmcv_ops.NAME], mmcv_ops.Ops):
        pytest.skip("mmcv has its compiled ops here")
    with pytest.raises(NotImplementedError, match="roi_pool_forward"):
        roi_pool(torch.zeros(1, 1, 4, 4), torch.zeros(1, 5), 2)


def test_compiled_ops_are_used_where_they_exist(monkeypatch):
    monkeypatch.delitem(mmcv_ops.sys.modules, mmcv_ops.NAME)
    monkeypatch.setattr(mmcv_ops, "find_spec", lambda name: object())
    mmcv_ops.install()
    assert mmcv_ops.NAME not in mmcv_ops.sys.modules
