"""The classifier's loss: equations 4 to 8 of the paper by hand, each trick alone and all together."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from classification.classifier import ImageClassifier, export
from classification.config import load
from classification.tricks.label_smoothing import smooth
from classification.tricks.mixup import mix_up

K, EPS, T = 7, 0.1, 20
BACKBONE = dict(type="backbones.ResNet", depth=18, tweak="b")


def softmax(z):
    z = np.exp(z - z.max(1, keepdims=True))
    return z / z.sum(1, keepdims=True)


def cross_entropy(p, q):
    """Equation 3, the mean over the batch, in double precision."""
    return float(-(p * np.log(q)).sum(1).mean())


def by_hand(labels):
    """Equation 4."""
    return np.where(labels[:, None] == np.arange(K), 1 - EPS, EPS / (K - 1))


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    """An exported teacher with random weights."""
    torch.manual_seed(5)
    model = ImageClassifier(BACKBONE, K)
    cfg = load("resnet50_baseline", {"model.backbone.depth": 18, "model.backbone.tweak": "b"})
    folder = tmp_path_factory.mktemp("teacher")
    export(model, cfg, folder, {}, name="teacher", tier="smoke", seed=0)
    return folder / "card.json"


def teacher_of(card, form="paper"):
    return dict(recipe="teacher", temperature=T, form=form, card=str(card))


def classifier(**tricks):
    torch.manual_seed(0)
    return ImageClassifier(BACKBONE, K, **tricks)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(4, 3, 32, 32, generator=generator), torch.tensor([0, 3, 3, 6])


@pytest.fixture
def fixed_mix(monkeypatch):
    """Mixup's two draws: lambda 0.3, partners in a ring."""
    monkeypatch.setattr(np.random, "beta", lambda a, b: 0.3)
    monkeypatch.setattr(torch, "randperm", lambda n, device=None: torch.arange(n).roll(1))


def test_smoothing_is_equation_4():
    labels = torch.tensor([0, 3, 6])
    np.testing.assert_allclose(smooth(labels, K, EPS, "paper"), by_hand(labels.numpy()), rtol=1e-6)


def test_the_best_logits_under_smoothing_have_the_gap_of_equation_5():
    gap = np.log((K - 1) * (1 - EPS) / EPS)
    logits = torch.zeros(1, K, dtype=torch.float64)
    logits[0, 2] = gap
    logits.requires_grad_()
    F.cross_entropy(logits, smooth(torch.tensor([2]), K, EPS, "paper").double()).backward()
    assert logits.grad.abs().max() < 1e-8  # a minimum of a convex function


def test_the_authors_smoothing_is_torchs():
    logits, labels = torch.randn(5, K), torch.tensor([0, 1, 2, 5, 6])
    ours = F.cross_entropy(logits, smooth(labels, K, EPS, "authors"))
    torch.testing.assert_close(ours, F.cross_entropy(logits, labels, label_smoothing=EPS))


def test_without_tricks_the_loss_is_cross_entropy(batch):
    model = classifier()
    torch.testing.assert_close(model.loss(*batch), F.cross_entropy(model.logits(batch[0]), batch[1]))


def test_mixup_mixes_images_and_targets_by_one_lambda(fixed_mix):
    images, targets = torch.randn(4, 3, 2, 2), torch.eye(4)
    mixed, shares = mix_up(images, targets, 0.2)
    for i in range(4):  # equations 7 and 8
        torch.testing.assert_close(mixed[i], 0.3 * images[i] + 0.7 * images[i - 1])
        torch.testing.assert_close(shares[i], 0.3 * targets[i] + 0.7 * targets[i - 1])


def test_lambda_is_drawn_from_beta(monkeypatch):
    draw, drawn = np.random.default_rng(0).beta, []
    monkeypatch.setattr(np.random, "beta", lambda a, b: drawn.append(draw(a, b)) or drawn[-1])
    for _ in range(2000):
        mix_up(torch.zeros(2, 1, 1, 1), torch.eye(2), 0.2)
    assert len(drawn) == 2000 and np.mean(drawn) == pytest.approx(0.5, abs=0.04)  # one lambda a batch
    assert np.var(drawn) == pytest.approx(1 / (4 * (2 * 0.2 + 1)), rel=0.06)  # of Beta(a, a)


def test_distillation_is_equation_6(batch, card):
    model = classifier(teacher=teacher_of(card))
    r = model.teacher[0].model(batch[0]).double().numpy()
    z = model.logits(batch[0]).detach().double().numpy()
    p = np.eye(K)[batch[1]]
    expected = cross_entropy(p, softmax(z)) + T**2 * cross_entropy(softmax(r / T), softmax(z / T))
    assert model.loss(*batch).item() == pytest.approx(expected, rel=1e-5)


def test_the_authors_distillation_is_half_of_it(batch, card):
    paper, authors = (classifier(teacher=teacher_of(card, form)).loss(*batch) for form in ("paper", "authors"))
    torch.testing.assert_close(authors, paper / 2)


def test_a_teacher_computes_in_low_precision_and_its_term_is_in_fp32(device, batch, card):
    model, dtypes = classifier(teacher=teacher_of(card)).to(device), []
    teacher, (images, labels) = model.teacher[0].model.to(device), (each.to(device) for each in batch)
    teacher.backbone.register_forward_hook(lambda net, given, maps: dtypes.append(maps[-1].dtype))
    with torch.autocast(device, torch.bfloat16):
        found = model.loss(images, labels)
        with torch.no_grad():
            r, z = (net.logits(images).double().cpu().numpy() for net in (teacher, model))
    expected = cross_entropy(np.eye(K)[batch[1]], softmax(z)) + T**2 * cross_entropy(softmax(r / T), softmax(z / T))
    assert set(dtypes) == {torch.bfloat16} and found.dtype == torch.float32
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_maps_weights_and_gradients_are_in_channels_last_from_the_batch_on(device, card):
    scaler = load("resnet50d_best").model.data_preprocessor
    model = classifier(teacher=teacher_of(card), data_preprocessor=scaler).to(device)
    model = model.to(memory_format=torch.channels_last).train()
    maps = []
    for each in (*model.backbone.modules(), *model.teacher[0].model.backbone.modules()):
        each.register_forward_hook(lambda net, given, made: maps.extend(made if isinstance(made, tuple) else [made]))
    data = dict(inputs=torch.randint(256, (4, 64, 64, 3), dtype=torch.uint8), labels=torch.arange(4))
    data = model.data_preprocessor(data, training=True)
    model.loss(data["inputs"], data["labels"]).backward()
    weights = [each for each in model.backbone.parameters() if each.dim() == 4]
    held = [data["inputs"], *maps, *weights, *(each.grad for each in weights)]
    assert len(maps) > 80 and len(weights) == 20
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in held)


def test_a_teacher_is_neither_trained_nor_saved(batch, card):
    model, alone = classifier(teacher=teacher_of(card)).train(), classifier()
    teacher = model.teacher[0].model
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    model.loss(*batch).backward()
    assert not teacher.training and all(p.grad is None for p in teacher.parameters())
    assert all(torch.equal(tensor, teacher.state_dict()[name]) for name, tensor in before.items())
    assert model.state_dict().keys() == alone.state_dict().keys()
    assert len(list(model.parameters())) == len(list(alone.parameters()))


def test_a_missing_teacher_is_named_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"tools/train\.py classification resnet152d_mixup"):
        classifier(teacher=dict(recipe="resnet152d_mixup", temperature=T, form="paper", card=str(tmp_path / "no")))


def test_smoothing_mixup_and_distillation_together(batch, card, fixed_mix):
    model = classifier(smoothing=dict(eps=EPS, form="paper"), mix=dict(alpha=0.2), teacher=teacher_of(card))
    images, q = batch[0].numpy(), by_hand(batch[1].numpy())
    mixed, q = (0.3 * each + 0.7 * np.roll(each, 1, axis=0) for each in (images, q))
    r = model.teacher[0].model(torch.from_numpy(mixed)).double().numpy()
    z = model.logits(torch.from_numpy(mixed)).detach().double().numpy()
    expected = cross_entropy(q, softmax(z)) + T**2 * cross_entropy(softmax(r / T), softmax(z / T))
    assert model.loss(*batch).item() == pytest.approx(expected, rel=1e-5)
