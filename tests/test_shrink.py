"""A tier changes data, sizes and schedule lengths, never the method."""

import re

import pytest

import detection.config
import segmentation.config
from trick_transfer import mini
from trick_transfer.engine.layers import changed_keys
from trick_transfer.runs.run import Run, plain
from trick_transfer.runs.training import complete

# what the embedded benchmark may change, by the last words of a key
SIZES = (
    "data.name", "num_train", "num_val", "num_classes", "size_px", "shorter_px", "global_batch", "max_epochs",
    "warmup_epochs", "milestones", "lr", "classes", "metainfo", "scale", "scales", "output_size", "roi_feat_size",
    "num", "nms_pre", "max_per_img", "min_bbox_size", "batch_size", "end", "val_begin", "size", "crop_size",
    "optim_wrapper.type",
)  # fmt: skip


@pytest.mark.parametrize(
    ("stage", "protocol"),
    [
        ("classification", None),
        *(("detection", name) for name in detection.config.PROTOCOLS),
        *(("segmentation", name) for name in segmentation.config.PROTOCOLS),
    ],
)
def test_mini_changes_sizes_and_lengths_only(stage, protocol):
    paper, small = (Run(stage, "resnet50d_best", tier, protocol=protocol) for tier in ("paper", "mini"))
    load = (lambda run: run.classification()) if stage == "classification" else (lambda run: run.downstream(None))
    changed = changed_keys(plain(load(paper)), plain(load(small)))
    assert changed
    assert [key for key in changed if not re.sub(r"(\.\d+)+$", "", key).endswith(SIZES)] == []


def test_mini_keeps_the_recipes_apart_as_the_paper_does():
    best, baseline = (Run("classification", name).classification() for name in ("resnet50d_best", "resnet50_baseline"))
    assert best.max_epochs > baseline.max_epochs
    assert best.global_batch == 4 * baseline.global_batch  # 1024 and 256
    assert best.optim_wrapper.optimizer.lr == 4 * baseline.optim_wrapper.optimizer.lr
    # the steps at the same share of the schedule: 30 of 120 epochs
    assert baseline.schedule.milestones[0] / baseline.max_epochs == pytest.approx(30 / 120)


def test_mini_shrinks_every_input_size_in_proportion():
    sizes = {}
    for name in ("resnet50_baseline", "inception_v3_baseline"):
        cfg = Run("classification", name).classification()
        crop = cfg.val_dataloader.dataset.crop
        assert cfg.train_dataloader.dataset.dataset.crop.size_px == crop.size_px
        sizes[name] = (crop.size_px, crop.shorter_px)
    assert sizes["resnet50_baseline"] == (64, 72)
    assert sizes["inception_v3_baseline"] == (round(299 * 64 / 224), round(342 * 72 / 256))


def test_on_mini_places365_is_minis_own_ten_classes():
    cfg = Run("classification", "resnet50d_best_places365").classification()
    assert (cfg.data.name, cfg.model.num_classes) == ("mini", 10)
    assert cfg.data == Run("classification", "resnet50d_mixup").classification().data


def test_what_a_network_follows_is_counted_from_the_swapped_files():
    files = ["swapped/bear/cow_1.jpg", "swapped/bear/dog_2.jpg", "swapped/cat/cow_3.jpg", "swapped/cat/dog_4.jpg"]
    said = ["cow", "bear", "cow", "zebra"]
    assert mini.follows(files, said) == {"follows_shape": 25.0, "follows_coat": 50.0}


def test_a_key_within_a_list_is_set_by_its_number():
    key = "train_dataloader.dataset.dataset.datasets.0.skip_broken"
    cfg = Run("detection", "resnet50d_best", "mini", sets={key: True}).downstream(None)
    assert [part.skip_broken for part in cfg.train_dataloader.dataset.dataset.datasets] == [True, False]


def test_the_detectors_warm_up_sees_the_same_images_however_they_are_accumulated():
    run = Run("detection", "resnet50d_best", "paper")
    cfg = run.downstream(None)
    ends = [complete(run, cfg, run.batch(cfg, 1, parts)).param_scheduler[0].end for parts in (1, 4)]
    assert ends == [2000, 4 * 2000]
