"""Probes of frozen features against scikit-learn's, and the stage that runs them."""

import csv
import shutil
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler, normalize
from test_pipeline import pipeline
from toy_voc import toy_card

from probing.classifiers import logistic_regression, nearest_neighbours, ranked, standardised
from probing.features import Features
from probing.metric import FewShot, LinearProbe, NearestNeighbours, accuracies
from trick_transfer.commands import leaderboard
from trick_transfer.engine.files import read_arrays
from trick_transfer.runs.grid import chains
from trick_transfer.runs.own_tier import sources_in
from trick_transfer.runs.run import Run
from trick_transfer.runs.scoring import score
from trick_transfer.runs.training import train
from trick_transfer.stages import STAGES, usual

CLASSES, TRAINED = 10, 600
PROTOCOLS = ("linear_probe", "knn", "few_shot")
L2, HELD_OUT = (1.0, 1e-1, 1e-3), 20


@pytest.fixture(scope="module")
def digits():
    """Features, labels and names of scikit-learn's handwritten digits: those to train on and 200 others."""
    images, labels = load_digits(return_X_y=True)
    names = [f"{label}/{number}.jpg" for number, label in enumerate(labels)]
    part = slice(TRAINED), slice(TRAINED, TRAINED + 200)
    return tuple((images[some], labels[some], names[some]) for some in part)


def measured(probe, digits, outputs):
    """The metrics of a probe, which also writes its outputs."""
    probe.outputs = str(outputs)
    probe.dataset_meta = {"classes": list(map(str, range(CLASSES)))}
    for trains, (images, labels, names) in zip((True, False), digits, strict=True):
        columns = zip(images, labels, names, strict=True)
        samples = [dict(features=torch.tensor(a), labels=b, names=c, trains=trains) for a, b, c in columns]
        probe.process(None, samples)
    return probe.compute_metrics(probe.results)


def share(name):
    """The place of a name's sha256 among all, from 0 to 1."""
    return int(sha256(name.encode()).hexdigest(), 16) / 2**256


def percent(right):
    return 100 * float(np.mean(right))


@pytest.mark.parametrize("l2", [1.0, 1e-2])
def test_the_logistic_regression_is_scikit_learns(digits, l2):
    (images, labels, _), (others, *_) = digits
    train, test = standardised(torch.tensor(images), torch.tensor(others))
    weights = logistic_regression(train, torch.tensor(labels), CLASSES, l2, 1000)
    theirs = LogisticRegression(C=1 / (l2 * TRAINED), tol=1e-8, max_iter=5000).fit(train.numpy(), labels)
    assert weights[:-1].T.numpy() == pytest.approx(theirs.coef_, abs=2e-3)
    ours = (test @ weights[:-1] + weights[-1]).softmax(1)
    assert ours.numpy() == pytest.approx(theirs.predict_proba(test.numpy()), abs=1e-3)


def test_features_are_standardised_over_the_training_images_alone(digits):
    (images, *_), (others, *_) = digits
    seen = images.std(0) > 0  # where all are equal, scikit-learn only shifts
    ours = standardised(torch.tensor(images), torch.tensor(others))
    scaler = StandardScaler().fit(images)
    for found, there in zip(ours, (images, others), strict=True):
        assert found.numpy()[:, seen] == pytest.approx(scaler.transform(there)[:, seen], rel=1e-3, abs=1e-4)


def test_neighbours_vote_as_scikit_learns_do(digits):
    (images, labels, _), (others, *_) = digits
    theirs = KNeighborsClassifier(20, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.07))
    votes = nearest_neighbours(*map(torch.tensor, (images, labels, others)), CLASSES, 20, 0.07)
    expected = theirs.fit(images, labels).predict_proba(others)
    assert (votes / votes.sum(1, keepdim=True)).numpy() == pytest.approx(expected, abs=1e-9)


def test_of_equal_scores_the_lower_class_comes_first():
    assert ranked(torch.tensor([[0.0, 2.0, 0.0, 2.0]]), 3).tolist() == [[1, 3, 0]]


def test_the_linear_probes_penalty_is_chosen_on_held_out_training_images(digits, tmp_path):
    (images, labels, names), (others, truth, _) = digits
    apart = np.array([100 * share(name) < HELD_OUT for name in names])

    def predicted(l2, some, there):
        scaler = StandardScaler().fit(images[some])
        fitted = LogisticRegression(C=1 / (l2 * some.sum()), max_iter=1000).fit(
            scaler.transform(images[some]), labels[some]
        )
        return fitted.predict(scaler.transform(there))

    right = [percent(predicted(l2, ~apart, images[apart]) == labels[apart]) for l2 in L2]
    best = L2[int(np.argmax(right))]
    assert len(set(right)) > 1 and best != L2[0]
    found = measured(LinearProbe(L2, HELD_OUT, 1000), digits, tmp_path / "outputs.npz")
    expected = predicted(best, np.ones(TRAINED, bool), others)
    assert found["linear_top1"] == pytest.approx(percent(expected == truth)) and found["samples_scored"] == 200
    assert (read_arrays(tmp_path / "outputs.npz")["linear"][0, :, 0] == expected).all()


def test_few_shots_are_those_of_the_lowest_hashes_and_scored_by_mean_and_spread(digits, tmp_path):
    (images, labels, names), (others, truth, _) = digits
    top1 = {shots: [] for shots in (1, 5)}
    for draw in range(3):
        for shots, found in top1.items():
            some = []
            for label in range(CLASSES):
                of_class = [place for place in range(TRAINED) if labels[place] == label]
                some += sorted(of_class, key=lambda place: share(f"{draw} {names[place]}"))[:shots]
            fitted = LogisticRegression(C=1.0, max_iter=1000, tol=1e-6).fit(normalize(images[some]), labels[some])
            found.append(percent(fitted.predict(normalize(others)) == truth))
    found = measured(FewShot((1, 5), 3, 1.0, 1000), digits, tmp_path / "outputs.npz")
    for shots, expected in top1.items():
        assert found[f"shots{shots}_top1"] == pytest.approx(np.mean(expected))
        assert found[f"shots{shots}_sd"] == pytest.approx(np.std(expected, ddof=1))


def test_every_metric_can_be_computed_again_for_weighted_images(digits, tmp_path):
    metrics = measured(NearestNeighbours(20, 0.07), digits, tmp_path / "outputs.npz")
    outputs = STAGES["probing"].outputs(read_arrays(tmp_path / "outputs.npz"))
    assert outputs.metrics == {name: metrics[name] for name in ("knn_top1", "knn_top5")}
    arrays = {"labels": np.array([0, 1]), "shots1": np.array([[[0], [0]], [[0], [1]]])}  # 1 of 2 right, then 2 of 2
    once, first = accuracies(arrays, np.array([[1.0, 3.0], [1.0, 0.0]])).values()
    assert once.tolist() == [75, 100] and first == pytest.approx([np.std([50, 100], ddof=1), 0])
    with pytest.raises(ValueError, match="none of linear, knn"):
        dict(STAGES["probing"].outputs({"labels": np.zeros(2)}).metrics)


def test_features_are_the_last_map_averaged_as_torchvision_does_for_its_classifier():
    from torchvision.models import resnet18

    net, theirs = Features(dict(type="backbones.Timm", model="resnet18")).eval(), resnet18().eval()
    theirs.fc = torch.nn.Identity()
    state = theirs.state_dict()  # timm's names are torchvision's
    net.backbone.load_state_dict({key: state[key.removeprefix("net.")] for key in net.backbone.state_dict()})
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert net(images) == pytest.approx(theirs(images), abs=1e-5)


def on(photos, protocol, **sets):
    """A run of the smoke tier on a folder of photographs, scored whole."""
    sets = {"val_dataloader.num_batch_per_epoch": None, "val_evaluator.shots": (1,)} | sets
    if protocol != "few_shot":
        del sets["val_evaluator.shots"]
    return Run("probing", "resnet50d_best", "smoke", sets=sets, protocol=protocol, data_root=photos)


def test_images_are_fed_as_the_card_says(photos, tmp_path):
    card = replace(toy_card(tmp_path), mean=[127.5] * 3, channel_order="bgr", interpolation="bicubic")
    cfg = on(photos, "knn").connected(card).cfg
    assert (cfg.model.data_preprocessor.mean, cfg.model.data_preprocessor.bgr_to_rgb) == ([127.5] * 3, True)
    assert cfg.data.crop.interpolation == "bicubic"


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_card_is_probed_scored_again_and_ranked_with_columns_of_its_own(photos, protocol, monkeypatch, tmp_path):
    run = on(photos, protocol)
    toy_card(run.card.parent)
    result = train(run)
    assert (result.samples_scored, result.arrived_percent, result.steps) == (11, 100, 0)
    assert (result.precision, result.protocol) == ("float32", protocol)
    assert score(run, run.folder / "model.safetensors") == result.metrics | {"samples_scored": 11}
    assert train(run) == result, "done already"
    monkeypatch.setattr(sys, "argv", ["leaderboard", "--results", str(run.results_root), "--out", "out"])
    assert leaderboard.main() == 0
    rows = csv.DictReader(Path("out/leaderboard.csv").read_text().splitlines())
    (row,) = (each for each in rows if each["tier"] == "smoke")
    assert {name: float(row[name]) for name in result.metrics} == pytest.approx(result.metrics)
    labels = [metric.label for metric in STAGES["probing"].metrics if metric.name in result.metrics]
    assert labels and all(label in Path("out/LEADERBOARD.md").read_text() for label in labels)


@pytest.mark.slow
def test_two_processes_rank_as_one_does(photos, tmp_path):
    run = on(photos, "knn")
    alone = replace(run, work_dir=Path("alone"))
    for each in (run, alone):
        toy_card(each.card.parent)
    words = ["resnet50d_best", "--tier", "smoke", "--stages", "probing", "--protocol", "knn", "--tracker", "none"]
    words += ["--imagenet-root", photos, "--set", "probing.val_dataloader.num_batch_per_epoch=None"]
    done = pipeline(*words, "--gpus", 2, folder=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    train(alone)
    one, two = (read_arrays(next((each.work_dir / "results").rglob("outputs.npz"))) for each in (alone, run))
    assert all((one[name] == two[name]).all() for name in ("labels", "knn"))


def test_the_stage_runs_only_where_it_is_asked_for(monkeypatch, photos):
    from trick_transfer.commands import pipeline as tool

    def stages(*words):
        monkeypatch.setattr(sys, "argv", ["pipeline", "resnet50_baseline", *words])
        args = tool.options()
        return [run.stage for run in chains(args)[0]]

    assert usual() == ("classification", "detection", "segmentation")
    assert stages() == list(usual()) and "probing" in stages("--stages", "classification", "probing", "detection")
    assert [stage.name for stage in sources_in(photos)] == ["classification"]


def test_own_class_folders_are_probed_under_the_sizes_of_a_tier(monkeypatch, photos):
    from trick_transfer.commands import pipeline as tool

    monkeypatch.setattr(sys, "argv", ["pipeline", "resnet50_baseline", "--probing", str(photos), "--name", "mine"])
    args = tool.options()
    ((first, run),) = chains(args)
    assert (first.stage, first.tier, run.stage) == ("classification", "photos", "probing")
    cfg = run.layers.cfg
    assert (cfg.data.num_classes, cfg.data.crop.size_px, cfg.data.data_root) == (10, 64, "data/mine/probing")
    run.task.check_data(Run("probing", "resnet50_baseline", args.tier, protocol="knn").layers.cfg)


@pytest.mark.parametrize(
    ("protocol", "sets", "said"),
    [
        ("few_shot", {"val_evaluator.shots": (1, 3)}, "shots must be some of .*1, 5, 10.*got"),
        (
            "few_shot",
            {"val_evaluator.shots": (1, 5)},
            r"class class0 has 2 .* takes 5; --set val_evaluator.shots=\[1\]",
        ),
        ("linear_probe", {"val_evaluator.held_out_percent": 100}, "held_out_percent=100 of 20 .*none"),
        ("knn", {"data.num_classes": 9}, "has 10 class folders.*9"),
        ("knn", {"val_evaluator.neighbour": 9}, "did you mean 'neighbours'"),
        ("knn", {"held_out.share": 0.1}, "probing trains nothing.*--set detection.held_out.share"),
    ],
)
def test_what_cannot_be_probed_is_told_before_any_feature_is_computed(photos, protocol, sets, said):
    with pytest.raises(ValueError, match=said):
        run = on(photos, protocol, **sets)
        run.task.check_data(run.layers.cfg)


def test_classes_that_only_one_part_has_are_told(photos, tmp_path):
    root = shutil.copytree(photos, tmp_path / "photos")
    (root / "val" / "class3").rename(root / "val" / "class33")
    with pytest.raises(ValueError, match="train and val differ in the classes class3, class33"):
        run = on(root, "knn")
        run.task.check_data(run.layers.cfg)
