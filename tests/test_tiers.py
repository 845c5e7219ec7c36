"""A tier is a file of data: it changes data, sizes and lengths, and lists what else it changes."""

from pathlib import Path

import pytest
from test_results import a_detection

from classification.config import load as recipe
from classification.diagnostics import follows
from trick_transfer import mini
from trick_transfer.engine.layers import changed_keys
from trick_transfer.engine.source import Found, Sample
from trick_transfer.mini.splits import SPLITS
from trick_transfer.own_data.describe import Described
from trick_transfer.own_data.source import Source
from trick_transfer.runs import tiers
from trick_transfer.runs.identity import plain
from trick_transfer.runs.resolve import resolve
from trick_transfer.runs.run import Run
from trick_transfer.stages import STAGES

PROTOCOLS = [("classification", None), *((s.name, each) for s in STAGES.values() for each in s.protocols)]
LOW_PRECISION = "optim_wrapper.type"
DEPTH = "model.backbone.depth"


def tier(name, recipe="resnet50_baseline", **options):
    return Run("classification", recipe, name, **options).draft()


@pytest.mark.parametrize(("stage", "protocol"), PROTOCOLS)
def test_mini_departs_from_the_method_in_depth_and_in_precision_only(stage, protocol, tmp_path):
    text = {"follow": "text"} if stage == "classification" else {}
    paper, small = (Run(stage, "resnet50d_best", t, 0, text, protocol, tmp_path) for t in ("paper", "mini"))
    changed = changed_keys(plain(paper.draft()), plain(small.draft()))
    words = [[word for word in key.split(".") if not word.isdigit()] for key in changed]
    departing = {".".join(each) for each in words if each[-1] not in tiers.MAY_CHANGE}
    trains = {"classification": {DEPTH}, "probing": set()}
    expected = trains.get(stage, set() if str(protocol).endswith("_small") else {LOW_PRECISION})
    assert changed and departing == expected


@pytest.mark.parametrize("images", [None, 1_000, 6_264, 8_400, 100_000])
@pytest.mark.parametrize("protocol", STAGES["detection"].protocols)
def test_a_detectors_rate_drops_before_its_last_epoch_however_short_it_is(protocol, images, tmp_path):
    name = "photos"
    if images:  # as the pipeline fits lengths to own data
        part, source = tiers.load(name).parts["detection"], Source(tmp_path, "voc", {})
        found = Found([Sample(str(number), tmp_path, 0, "train") for number in range(images)], ("a",))
        lengths = Described(source, found, part).lengths()
        name = str(tmp_path / "mine.py")
        Path(name).write_text(f"base = 'photos'\ndetection = {lengths}\n")
    cfg = Run("detection", "resnet50d_best", name, protocol=protocol).draft()
    steps = [each.milestones for each in cfg.param_scheduler if "milestones" in each]
    assert steps and all(each[-1] < cfg.train_cfg.max_epochs for each in steps if cfg.train_cfg.max_epochs > 1)


def test_mini_keeps_the_recipes_apart_as_the_paper_does():
    best, baseline = tier("mini", "resnet50d_best"), tier("mini")
    assert best.max_epochs > baseline.max_epochs
    depths = [tier("mini", name).model.backbone.depth for name in ("resnet50d_best", "resnet152d_mixup")]
    assert depths == [18, 34], "the teacher is the deeper one"
    assert best.global_batch == 4 * baseline.global_batch  # 1024 and 256
    assert best.optim_wrapper.optimizer.lr == 4 * baseline.optim_wrapper.optimizer.lr
    # the steps at the same share of the schedule: 30 of 120 epochs
    assert baseline.schedule.milestones[0] / baseline.max_epochs == pytest.approx(30 / 120)


def test_mini_shrinks_every_input_size_in_proportion():
    for name, px, shorter_px in (("resnet50_baseline", 224, 256), ("inception_v3_baseline", 299, 342)):
        crop = tier("mini", name).val_dataloader.dataset.crop
        assert tier("mini", name).train_dataloader.dataset.dataset.crop.size_px == crop.size_px
        assert (crop.size_px, crop.shorter_px) == (round(px * 64 / 224), round(shorter_px * 72 / 256))


def test_minis_file_states_the_counts_and_classes_that_mini_makes():
    cfg = tier("mini")
    counts = {split.name: split.count for split in SPLITS}
    assert (cfg.data.num_train, cfg.data.num_val) == (counts["train"], counts["val"])
    detector = Run("detection", "resnet50d_best").draft().val_dataloader.dataset.metainfo.classes
    segmenter = Run("segmentation", "resnet50d_best").draft().val_dataloader.dataset.metainfo.classes
    assert tuple(detector) == mini.CLASSES and tuple(segmenter) == mini.CLASSES + mini.STUFF


def test_on_mini_places365_is_minis_own_ten_classes():
    cfg = tier("mini", "resnet50d_best_places365")
    assert (cfg.data.name, cfg.model.num_classes) == ("mini", 10)
    assert cfg.data == tier("mini", "resnet50d_mixup").data


def test_a_users_own_tier_is_one_file_and_gives_its_name_to_the_results(tmp_path):
    path = tmp_path / "evening.py"
    stated = dict(data="my/photos", values={"max_epochs": 7}, times={"schedule.milestones": 2})
    path.write_text(f"classification = {stated}")
    run = Run("classification", "resnet50_baseline", str(path), work_dir=tmp_path)
    cfg = run.draft()
    assert (cfg.max_epochs, cfg.data.root) == (7, "data/my/photos")
    assert cfg.schedule.milestones == [2 * epoch for epoch in recipe("resnet50_baseline").schedule.milestones]
    assert run.folder == tmp_path / "evening/resnet50_baseline/seed0/classification"
    assert Run("detection", "resnet50_baseline", str(path)).draft().train_cfg.max_epochs == 20  # the protocol's own


@pytest.mark.parametrize("tier", ["photos", Path(__file__).parents[1] / "docs/benchmarks/photos100.py"])
def test_on_photographs_fpn_trains_on_one_set_and_drops_its_rate(tier, monkeypatch):
    monkeypatch.setattr(Run, "facts", None)  # the photographs need not be there
    fpn = Run("detection", "resnet50_baseline", str(tier), protocol="faster_rcnn_fpn_voc").draft()
    assert fpn.train_cfg.max_epochs == 2 and fpn.param_scheduler[0].milestones == [1]
    assert len(fpn.train_dataloader.dataset.dataset.datasets) == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('classification = dict(values={"model.smoothing": None})', "model.smoothing"),  # the method
        ('classification = dict(value={"max_epochs": 7})', "values"),
        ('classification = dict(values={"nowhere.max_epochs": 7})', "nowhere.max_epochs"),
        ('detection = dict(first={"train_dataloader.dataset.pipeline": 1})', "train_dataloader.dataset.pipeline"),
        ("classification = 3", "dict"),
        ("classification = dict(values=3)", "values must be a dict with texts as keys, got 3"),
        ("detection = dict(source='cows')", "source must be a dict with texts as keys, got 'cows'"),
        ("detektion = dict(values={})", "'detection'"),
        ("stages = 'detection'", "stages must be a list of names"),
        ("stages = ['detektion']", "'detection'"),
        ("backbones = 3", "backbones must be a tier's name, got 3"),
        ("classification = dict(images='many')", "images must be a whole number >= 0, got 'many'"),
        ("classification = dict(protocol=['x'])", "protocol must be a name, got ['x']"),
        (
            "classification = dict(rounded_times={'max_epochs': None})",
            "max_epochs must be a number, or a key, got None",
        ),
        ("classification = dict(rounded_times={'max_epochs': 'x'})", "the factor 'x' of max_epochs is neither"),
        ("classification = dict(stand_ins={'model.backbone.depth': 3})", "depth must be a dict {old value: new value}"),
        ("classification = dict(values={3: 4})", "values must be a dict with texts as keys"),
        (
            "detection = dict(first={'train_dataloader.dataset.datasets': 'x'})",
            "datasets must be a whole number, got 'x'",
        ),
        ("a = (\nb = 3", "line 1: '(' was never closed"),
        ("a = b", "name 'b' is not defined"),
    ],
)
def test_a_tier_that_changes_the_method_or_is_misspelt_is_refused_by_name(tmp_path, text, named):
    path = tmp_path / "odd.py"
    path.write_text(text)
    with pytest.raises(ValueError, match="odd|tier") as error:
        tier(str(path))
    assert named in str(error.value)


def test_other_networks_may_stand_in_over_a_built_in_tier(tmp_path):
    (tmp_path / "own.py").write_text(
        "base = 'mini'\nclassification = dict(stand_ins={'model.backbone.depth': {50: 34, 152: 18}})\n"
    )
    depths = {
        name: Run("classification", "resnet50_baseline", name).layers.cfg.model.backbone.depth
        for name in ("mini", str(tmp_path / "own.py"))
    }
    assert [*depths.values()] == [18, 34]


def test_own_classification_data_are_probed_too_unless_the_tier_names_others(tmp_path):
    own = "base = 'photos'\nclassification = dict(source=dict(folder='flowers', format='folders'))\n"
    for name, more, folder in (("a", "", "flowers"), ("b", "probing = dict(source=dict(folder='cars'))\n", "cars")):
        (tmp_path / f"{name}.py").write_text(own + more)
        part = tiers.load(str(tmp_path / f"{name}.py")).parts["probing"]
        assert part["source"]["folder"] == folder and "data" not in part


@pytest.mark.parametrize("text", ["classification = 5", "probing = 5\nclassification = dict(source=dict(folder='f'))"])
def test_a_part_that_is_no_dict_is_refused_also_over_another_tier(tmp_path, text):
    path = tmp_path / "odd.py"
    path.write_text(f"base = 'photos'\n{text}\n")
    with pytest.raises(ValueError, match="must be a dict.*got 5"):
        tiers.load(str(path))


def test_a_tiers_own_protocol_is_named_where_its_runs_lie_as_in_their_results():
    run, result = Run("detection", "a", "photos"), a_detection(protocol="faster_rcnn_voc_small")
    assert run.folder.name == result.folder.name == "detection-faster_rcnn_voc_small"
    assert Run("detection", "a", "photos", protocol="faster_rcnn_voc").folder.name == "detection"


def test_an_unknown_tier_is_refused_with_the_closest_name(tmp_path):
    with pytest.raises(ValueError, match="'mini'"):
        tier("mimi")
    (tmp_path / "mini.py").write_text("")
    with pytest.raises(ValueError, match="built-in"):
        tier(str(tmp_path / "mini.py"))


def test_what_a_network_follows_is_counted_from_the_swapped_files():
    files = ["swapped/bear/cow_1.jpg", "swapped/bear/dog_2.jpg", "swapped/cat/cow_3.jpg", "swapped/cat/dog_4.jpg"]
    predicted = ["cow", "bear", "cow", "zebra"]
    assert follows(files, predicted) == {"follows_shape": 25.0, "follows_coat": 50.0}


def test_a_key_within_a_list_is_set_by_its_number():
    key = "train_dataloader.dataset.dataset.datasets.0.skip_broken"
    cfg = Run("detection", "resnet50d_best", "mini", sets={key: True}).draft()
    assert [part.skip_broken for part in cfg.train_dataloader.dataset.dataset.datasets] == [True, False]


def test_the_detectors_warm_up_sees_the_same_images_however_they_are_accumulated():
    run = Run("detection", "resnet50d_best", "paper")
    ends = [resolve(run, run.layers, run.batch(1, parts)).cfg.param_scheduler[0].end for parts in (1, 4)]
    assert ends == [2000, 2000], "updates, which trick_transfer.ScheduleUpdates counts"
