"""What all stages' runs share: draws that depend on nothing but the position, the batch, and optimisers."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import nn
from torch.utils.data import DataLoader

from classification.tricks.mixup import mix_up
from trick_transfer.engine import precision, receipt
from trick_transfer.engine.batch import solve
from trick_transfer.engine.history import Diverged, FiniteLoss
from trick_transfer.engine.precision import PRECISIONS, LowPrecisionOptimWrapper, low_precision
from trick_transfer.engine.progress import ProgressLine
from trick_transfer.engine.seeding import DrawSampler, SeedEachStep, Seeded, word

ROOT = Path(receipt.__file__).parents[2]
CROP = dict(type="random", size_px=16, area=(0.08, 1.0), aspect=(3 / 4, 4 / 3))


@pytest.fixture
def seeded(photos):
    """The training data with its augmentation, by seed."""
    jitter = dict(form="hsv", low=0.6, high=1.4)
    source = dict(
        type="classification.ImageFolder", root=str(photos), split="train", num_classes=10, crop=CROP, flip=0.5,
        jitter=jitter,
    )  # fmt: skip
    return lambda seed=0: Seeded(source, seed)


def epoch(dataset, number, workers=0):
    """All images of an epoch, in order."""
    sampler = DrawSampler(dataset, shuffle=True, seed=0)
    sampler.set_epoch(number)
    return torch.cat([batch["inputs"] for batch in DataLoader(dataset, 4, sampler=sampler, num_workers=workers)])


def test_samples_do_not_depend_on_the_workers_or_on_what_was_drawn_before(seeded):
    data = seeded()
    alone = epoch(data, 2)  # as after a resume
    epoch(data, 0)
    np.random.random(5)
    assert torch.equal(epoch(data, 2, workers=2), alone)


def test_samples_differ_between_epochs_and_seeds(seeded):
    draws = [seeded()[0, draw]["inputs"] for draw in (0, 20)] + [seeded(1)[0, 0]["inputs"]]
    assert not any(np.array_equal(draws[i], draws[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    assert np.array_equal(draws[0], seeded()[0, 0]["inputs"])
    assert not torch.equal(epoch(seeded(), 0), epoch(seeded(), 1))


def test_no_two_pairs_of_seed_and_epoch_share_an_order():
    """mmengine's sampler has 19 orders for these 100 pairs, one for each sum of seed and epoch."""

    def order(seed, number):
        sampler = DrawSampler(range(50), seed=seed)
        sampler.set_epoch(number)
        return tuple(index for index, _ in sampler)

    orders = {(seed, number): order(seed, number) for seed in range(10) for number in range(10)}
    assert len(set(orders.values())) == 100
    assert all(sorted(each) == list(range(50)) for each in orders.values())
    agree = [np.mean([a == b for a, b in zip(orders[0, e + 1], orders[1, e], strict=True)]) for e in range(9)]
    assert np.mean(agree) < 0.1, "two random orders agree in 1 of 50 places"
    assert order(3, 7) == orders[3, 7], "as after a resume"


def test_positions_of_other_lengths_have_other_seeds():
    assert len({word(0, 1), word(0, 1, 0), word(0, 1, 0, 0)}) == 3  # NumPy pads with zeros


@pytest.mark.parametrize("protocol", ["classification/baseline", "detection/faster_rcnn_voc",
                                      "detection/faster_rcnn_fpn_voc", "segmentation/fcn_ade20k"])  # fmt: skip
def test_every_protocol_trains_on_our_orders(protocol):
    loader = Config.fromfile(ROOT / f"{protocol}.py").train_dataloader
    assert loader.sampler == dict(type="trick_transfer.DrawSampler", shuffle=True)


@pytest.mark.parametrize(("images", "processes"), [(20, 3), (2, 5)])
def test_images_that_processes_cannot_share_evenly_come_round_again(monkeypatch, images, processes):
    drawn = []
    for rank in range(processes):
        monkeypatch.setattr("mmengine.dataset.sampler.get_dist_info", lambda rank=rank: (rank, processes))
        sampler = DrawSampler(range(images), seed=0)
        drawn.append(list(sampler))
        assert len(drawn[-1]) == len(sampler)
    together = [key for round_ in zip(*drawn, strict=True) for key in round_]
    assert [draw for _, draw in together] == list(range(len(together)))
    assert all(together[i][0] == together[i % images][0] for i in range(len(together)))


def test_processes_together_draw_what_one_draws(monkeypatch):
    def keys(rank, world):
        monkeypatch.setattr("mmengine.dataset.sampler.get_dist_info", lambda: (rank, world))
        sampler = DrawSampler(range(20), shuffle=True, seed=0)
        sampler.set_epoch(3)
        return list(sampler)

    alone = keys(0, 1)
    assert sorted(alone) == sorted(keys(0, 2) + keys(1, 2))
    assert sorted(index for index, _ in alone) == list(range(20))
    assert [draw for _, draw in alone] == list(range(60, 80))  # three epochs of 20 lie before


def test_a_steps_randomness_depends_on_its_number_only():
    def drawn(step, seed=0):
        SeedEachStep().before_train_iter(SimpleNamespace(seed=seed, iter=step), 0)
        return np.random.random(), torch.rand(1).item()

    first = drawn(7)
    assert drawn(8) != first != drawn(7, seed=1)
    assert drawn(7) == first


def mixed(monkeypatch, rank, step, accumulation=2):
    """Lambda and the partners of a batch of 64 that is mixed in one of the accumulated steps of a process."""
    monkeypatch.setattr("trick_transfer.engine.seeding.get_rank", lambda: rank)
    SeedEachStep(accumulation).before_train_iter(SimpleNamespace(seed=0, iter=step), 0)
    _, targets = mix_up(torch.zeros(64, 1, 1, 1), torch.eye(64), alpha=1.0)
    own = torch.arange(64)
    share = targets[own, own].min().item()
    return round(share, 6), tuple((targets - share * torch.eye(64)).argmax(1).tolist())


def test_all_processes_and_accumulated_steps_of_an_update_mix_by_one_lambda_and_pair_their_own(monkeypatch):
    parts = [mixed(monkeypatch, rank, step) for step in (6, 7) for rank in (0, 1)]
    assert len({share for share, _ in parts}) == 1 and len({partners for _, partners in parts}) == 4
    assert mixed(monkeypatch, 0, 3, accumulation=1)[0] == parts[0][0], "the fourth update, however it is spread"
    assert mixed(monkeypatch, 0, 8)[0] != parts[0][0], "another update draws another one"


@pytest.mark.parametrize(("total", "devices", "accumulation", "per_device"), [(256, 8, 1, 32), (1024, 8, 4, 32)])
def test_the_global_batch_is_spread_over_devices_and_accumulated_steps(total, devices, accumulation, per_device):
    batch = solve(total, devices, accumulation)
    assert batch.per_device == per_device
    assert str(batch) == f"global batch {total} = {per_device} a device x {devices} x {accumulation} accumulated"


@pytest.mark.parametrize(("devices", "accumulation"), [(3, 1), (1, 5), (512, 1)])
def test_a_batch_that_does_not_divide_is_refused(devices, accumulation):
    with pytest.raises(ValueError, match=r" 256 .*--gpus and --accumulate"):
        solve(256, devices, accumulation)


@pytest.mark.parametrize("total", [0, -4, 1.5])
def test_a_batch_of_no_images_is_refused(total):
    with pytest.raises(ValueError, match=f"global batch .*{total}"):
        solve(total)


@pytest.mark.parametrize(("devices", "accumulation"), [(0, 1), (1, 0), (-2, 1)])
def test_no_devices_or_no_steps_are_refused(devices, accumulation):
    with pytest.raises(ValueError, match=f"--gpus and --accumulate .*{devices} and {accumulation}"):
        solve(256, devices, accumulation)


def test_a_checkout_without_git_still_gets_its_receipt(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert receipt.commit.__wrapped__() == ("unknown", True)  # nobody can tell


@pytest.mark.parametrize("owner", ["own", "another"])
@pytest.mark.parametrize(
    ("changed", "dirty"),
    [("code.py", True), ("recipes/new recipe.py", True), ("work/script.py", False), ("notes.txt", False),
     ("results/one.json", False), ("results/new.py", False), ("README.md", False)],
)  # fmt: skip
def test_code_that_was_changed_makes_a_receipt_dirty_and_results_do_not(monkeypatch, tmp_path, changed, dirty, owner):
    def git(*words):
        run = [
            "git",
            "-c",
            f"safe.directory={tmp_path}",
            "-c",
            "user.name=n",
            "-c",
            "user.email=e",
            "-C",
            str(tmp_path),
            *words,
        ]
        return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()

    if owner == "another":
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # of git's own tests
    (tmp_path / ".gitignore").write_text("work/\n")
    for name in ("code.py", "results/one.json", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("old")
    git("init", "-q"), git("add", "."), git("commit", "-q", "-m", "all")
    monkeypatch.setattr(receipt, "ROOT", tmp_path)
    assert receipt.commit.__wrapped__() == (git("rev-parse", "HEAD"), False)
    (tmp_path / changed).parent.mkdir(exist_ok=True)
    (tmp_path / changed).write_text("new")
    assert receipt.commit.__wrapped__()[1] is dirty


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4))


def trained(model, wrapper, steps=6, device="cpu"):
    """The losses of some steps on one batch."""
    generator = torch.Generator().manual_seed(1)
    images, labels = torch.randn(16, 3, 8, 8, generator=generator).to(device), torch.arange(16, device=device) % 4
    losses = []
    wrapper.initialize_count_status(model, 0, steps)
    for _ in range(steps):
        with wrapper.optim_context(model):
            logits = model(images)
        loss = nn.functional.cross_entropy(logits.float(), labels)
        wrapper.update_params(loss)
        losses.append(loss.item())
    return losses, logits.dtype


def wrapped(kind, model, **options):
    return kind(optimizer=torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True), **options)


def test_in_fp32_the_wrapper_is_mmengines_own(monkeypatch):
    monkeypatch.setattr(precision, "low_precision", lambda name: torch.float32)
    nets = [network(), network()]
    options = dict(clip_grad=dict(max_norm=0.5), accumulative_counts=2)
    for net, kind in zip(nets, (LowPrecisionOptimWrapper, OptimWrapper), strict=True):
        trained(net, wrapped(kind, net, **options))
    assert all(torch.equal(a, b) for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True))


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA computes in fp16")
def test_fp16_is_refused_without_cuda():
    with pytest.raises(ValueError, match="--precision fp16 needs a CUDA device; on a CPU take bf16 or fp32"):
        low_precision("fp16")
    assert low_precision("bf16") == torch.bfloat16 and low_precision("fp32") == torch.float32


def test_bf16_trains_and_keeps_fp32_weights(device):
    low, full, options = network().to(device), network().to(device), dict(clip_grad=dict(max_norm=5.0))
    wrapper = wrapped(LowPrecisionOptimWrapper, low, precision="bf16", **options)
    found, dtype = trained(low, wrapper, 20, device)
    expected, _ = trained(full, wrapped(OptimWrapper, full, **options), 20, device)
    assert not wrapper.scaler.is_enabled() and dtype == torch.bfloat16
    assert all(p.dtype == torch.float32 for p in low.parameters())
    assert found == pytest.approx(expected, abs=0.05) and found[-1] < 0.2 * found[0]


@pytest.fixture
def on_any_device(monkeypatch):
    """fp16 on a CPU, too, which users are refused, as it is slow."""
    monkeypatch.setattr(precision, "low_precision", PRECISIONS.get)


def test_fp16_trains_with_loss_scaling_that_leaves_out_a_step_and_halves_at_an_overflow(device, on_any_device):
    net = network().to(device)
    wrapper = wrapped(LowPrecisionOptimWrapper, net, precision="fp16", clip_grad=dict(max_norm=5.0))
    losses, dtype = trained(net, wrapper, 20, device)
    assert dtype == torch.float16 and losses[-1] < 0.2 * losses[0]
    before, scale = [p.clone() for p in net.parameters()], wrapper.scaler.get_scale()
    wrapper.update_params(net(torch.full((2, 3, 8, 8), torch.inf, device=device)).sum())
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), before, strict=True))
    assert wrapper.scaler.get_scale() == scale / 2


@pytest.mark.parametrize("name", PRECISIONS)
def test_an_interrupted_training_goes_on_with_momentum_and_loss_scale(
    device, on_any_device, name, tmp_path, monkeypatch
):
    """Bit for bit on CUDA, too, as long as its kernels add in a fixed order, which max pooling's gradient does not."""
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    whole, net = network().to(device), network().to(device)
    trained(whole, wrapped(LowPrecisionOptimWrapper, whole, precision=name), 6, device)
    begun = wrapped(LowPrecisionOptimWrapper, net, precision=name)
    trained(net, begun, 3, device)
    torch.save(dict(net=net.state_dict(), wrapper=begun.state_dict()), tmp_path / "latest.pth")
    kept, net = torch.load(tmp_path / "latest.pth"), network(1).to(device)
    net.load_state_dict(kept["net"])
    again = wrapped(LowPrecisionOptimWrapper, net, precision=name)
    again.load_state_dict(kept["wrapper"])
    assert again.scaler.state_dict() == begun.scaler.state_dict()
    trained(net, again, 3, device)
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), whole.parameters(), strict=True))


@pytest.mark.parametrize("name", PRECISIONS)
def test_two_accumulated_halves_make_the_step_of_the_whole_batch(device, on_any_device, name):
    torch.manual_seed(0)
    net, images, labels = nn.Linear(6, 4).to(device), torch.randn(8, 6).to(device), torch.arange(8, device=device) % 4
    exact = nn.Linear(6, 4).double().to(device)
    exact.load_state_dict(net.state_dict())
    nn.functional.cross_entropy(exact(images.double()), labels).backward()
    expected = [p - 0.1 * (1 + 0.9) * p.grad for p in exact.parameters()]  # the first step of SGD with nesterov
    wrapper = wrapped(LowPrecisionOptimWrapper, net, precision=name, accumulative_counts=2)
    wrapper.initialize_count_status(net, 0, 2)
    for half in (slice(4), slice(4, 8)):
        with wrapper.optim_context(net):
            logits = net(images[half])
        wrapper.update_params(nn.functional.cross_entropy(logits.float(), labels[half]))
    rounding = 0.1 * 4 * torch.finfo(PRECISIONS[name]).eps  # of a gradient whose entries are below 1
    for found, each in zip(net.parameters(), expected, strict=True):
        torch.testing.assert_close(found, each.float(), atol=rounding + 1e-6, rtol=0)


def test_the_wrappers_state_comes_back():
    net = network()
    wrapper = wrapped(LowPrecisionOptimWrapper, net)
    trained(net, wrapper, steps=2)
    again = wrapped(LowPrecisionOptimWrapper, net)
    again.load_state_dict(wrapper.state_dict())
    momenta = [[s["momentum_buffer"] for s in w.optimizer.state.values()] for w in (wrapper, again)]
    assert all(torch.equal(a, b) for a, b in zip(*momenta, strict=True))


@pytest.mark.parametrize(
    "paramwise",
    [dict(bias_decay_mult=0.0, norm_decay_mult=0.0), dict(custom_keys={"4": dict(lr_mult=10)}), None],
)
def test_merged_groups_treat_each_parameter_as_mmengines_single_ones_do(paramwise):
    nets, settings = (network(), network()), []
    optimiser = dict(type="SGD", lr=0.1, momentum=0.9, weight_decay=1e-4)
    for net, kind in zip(nets, ("DefaultOptimWrapperConstructor", "trick_transfer.MergedGroups"), strict=True):
        cfg = dict(type="OptimWrapper", optimizer=optimiser, paramwise_cfg=paramwise, constructor=kind)
        wrapper = build_optim_wrapper(net, cfg)
        trained(net, wrapper)
        of = {id(p): (g["lr"], g["weight_decay"]) for g in wrapper.optimizer.param_groups for p in g["params"]}
        settings.append([of[id(p)] for p in net.parameters()])
    assert settings[0] == settings[1]
    assert len(wrapper.optimizer.param_groups) == len(set(settings[0]))
    for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_log_gets_a_line_with_step_rate_loss_and_time_left(capsys):
    line = ProgressLine("toy seed 0 classification")
    runner = SimpleNamespace(train_dataloader=SimpleNamespace(batch_size=4), max_iters=10, iter=0)
    line.before_train(runner)
    for runner.iter in range(10):
        line.after_train_iter(runner, 0, outputs={"loss": torch.tensor(1.5)} if runner.iter != 9 else {})
    line.after_train(runner)
    (text,) = capsys.readouterr().err.splitlines()
    assert text.startswith("toy seed 0 classification train  step 10/10 ")
    assert "images/s" in text and "  loss 1.500  " in text and text.endswith("0 s left")


def lose(rank, folder):
    """One of two processes whose loss is no number at the second step: rank 1's."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    scalars = {"train/loss": HistoryBuffer(), "train/lr": HistoryBuffer([0.02], [1])}
    runner = SimpleNamespace(message_hub=SimpleNamespace(log_scalars=scalars), iter=0, epoch=0)
    for runner.iter in range(3):
        scalars["train/loss"].update(float("nan") if rank and runner.iter else 4.4)
        try:
            FiniteLoss().after_train_iter(runner)
        except Diverged as error:
            Path(folder, str(rank)).write_text(str(error))
            break
    dist.destroy_process_group()


def test_all_processes_end_at_the_step_where_one_diverges(tmp_path):
    mp.spawn(lose, (str(tmp_path),), nprocs=2)
    told = [Path(tmp_path, rank).read_text() for rank in "01"]
    assert [each.split(", in epoch")[0] for each in told] == ["the loss is inf at step 2", "the loss is nan at step 2"]


@pytest.mark.parametrize("library", ["detection.data", "segmentation.data"])
def test_importing_a_stage_prints_nothing(library):
    told = subprocess.run([sys.executable, "-c", f"import {library}"], capture_output=True, text=True, check=True)
    assert told.stdout == ""


@pytest.mark.parametrize(
    ("losses", "ends_at"),
    [
        ([4.4, 7.7, 126.2] + [1e6] * 40, 23),  # the twentieth in a row
        ([4.4] + [1e6] * 19 + [4.4] * 5 + [1e6] * 19, None),
        ([0.01] + [900.0] * 40, None),  # from little, much is not yet too much
        ([4.4, float("inf"), 1.0], 2),
    ],
)
def test_a_loss_that_stays_a_thousand_times_the_first_one_ends_the_training(losses, ends_at):
    scalars = {"train/loss": HistoryBuffer(), "train/lr": HistoryBuffer([0.02], [1])}
    runner = SimpleNamespace(message_hub=SimpleNamespace(log_scalars=scalars), iter=0, epoch=0)
    ended = None
    for runner.iter, loss in enumerate(losses):
        scalars["train/loss"].update(loss)
        try:
            FiniteLoss().after_train_iter(runner)
        except ValueError as error:
            assert "the training diverged" in str(error) and "at the first it was 4.4" in str(error)
            ended = runner.iter + 1
            break
    assert ended == ends_at
