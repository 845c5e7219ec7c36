"""The paper's numbers, quoted row by row, and its recipes."""

import pytest

from classification.config import load
from trick_transfer.leaderboard.paper.tables import TABLES, values_of
from trick_transfer.leaderboard.table import Value

# As printed. Table 1: FLOPs, top-1, top-5. Table 2: top-1, top-5, reference top-1, top-5.
TABLE_1 = """
resnet50_baseline    3.9 75.3 92.2
resnext50_baseline   4.2 77.8
seresnet50_baseline  3.9 76.71 93.38
seresnext50_baseline 4.3 78.90 94.51
densenet201_baseline 4.3 77.42 93.66
resnet50d_best       4.3 79.29 94.63
"""
TABLE_2 = """
resnet50_baseline     75.87 92.70 75.3 92.2
inception_v3_baseline 77.32 93.43 78.8 94.4
mobilenet_baseline    69.03 88.71 70.6
"""
# Table 3: efficient minutes, top-1, top-5, then the baseline's.
TABLE_3 = """
resnet50     4.4 76.21 92.97 13.3 75.87 92.70
inception_v3 8   77.50 93.60 19.8 77.32 93.43
mobilenet    3.7 71.90 90.47 6.2  69.03 88.71
"""
# Table 4: batch 256 top-1, top-5, batch 1024 top-1, top-5.
TABLE_4 = """
resnet50_baseline          resnet50_linear_1024        75.87 92.70 75.17 92.54
resnet50_warmup_256        resnet50_warmup_1024        76.03 92.81 75.93 92.84
resnet50_zero_gamma_256    resnet50_zero_gamma_1024    76.19 93.03 76.37 92.96
resnet50_no_bias_decay_256 resnet50_no_bias_decay_1024 76.16 92.97 76.03 92.86
resnet50_amp_256           resnet50_efficient          76.15 93.09 76.21 92.97
"""
# Table 5: #params, FLOPs, top-1, top-5; "ResNet-50-D 25 M 4.3 G 77.16 93.52".
TABLE_5 = """
resnet50_efficient  25 3.8 76.21 92.97
resnet50b_efficient 25 4.1 76.66 93.28
resnet50c_efficient 25 4.3 76.87 93.48
resnet50d_efficient 25 4.3 77.16 93.52
"""
# Table 6: top-1, top-5 of ResNet-50-D, Inception-V3, MobileNet.
TABLE_6 = """
efficient 77.16 93.52 77.50 93.60 71.90 90.53
cosine    77.91 93.81 78.19 94.06 72.83 91.00
smooth    78.31 94.09 78.40 94.13 72.93 91.14
distill   78.67 94.36 78.26 94.01 71.97 90.89
mixup     79.15 94.58 78.77 94.39 73.28 91.30
best      79.29 94.63 78.34 94.16 72.51 91.02
"""
# Table 7: validation top-1, top-5, test top-1, top-5.
TABLE_7 = """
resnet50d_efficient_places365 56.34 86.87 57.18 87.28
resnet50d_best_places365      56.70 87.33 57.63 87.82
"""

# Table 8: top-1, mAP; Table 9: top-1, pixAcc, mIoU.
TABLES_8_AND_9 = """
resnet50b_standard  76.14 77.54 76.14 78.08 37.05
resnet50d_efficient 77.16 78.30 77.16 78.88 38.88
resnet50d_cosine    77.91 79.23 77.91 79.25 39.33
resnet50d_smooth    78.34 80.71 78.34 78.64 38.75
resnet50d_distill   78.67 80.96 78.67 78.97 38.90
resnet50d_mixup     79.16 81.10 79.16 78.47 37.99
resnet50d_best      79.29 81.33 79.29 78.72 38.40
"""
NETWORKS = ("resnet50d", "inception_v3", "mobilenet")


def quoted(text, words=1):
    for line in text.strip().splitlines():
        cells = line.split()
        yield (*cells[:words], [float(cell) for cell in cells[words:]])


def row(number, recipe):
    """A row of a table as it is stored."""
    return [*TABLES[f"table{number}"].rows[recipe].values()]


def test_the_papers_tables_are_quoted_to_the_digit():
    for number, text in ((1, TABLE_1), (2, TABLE_2), (7, TABLE_7)):
        stored = [[recipe, row(number, recipe)] for recipe in TABLES[f"table{number}"].rows]
        assert stored == [[*each] for each in quoted(text)]
    for network, numbers in quoted(TABLE_3):
        assert row(3, f"{network}_efficient") + row(3, f"{network}_baseline") == numbers
    for small, large, numbers in quoted(TABLE_4, words=2):
        assert row(4, small) + row(4, large) == numbers
    for recipe, (params_m, gmacs, *scores) in quoted(TABLE_5):
        assert row(5, recipe) == [*scores, params_m, gmacs]
    for recipe, numbers in quoted(TABLES_8_AND_9):
        assert row(8, recipe) + row(9, recipe) == numbers
    for name, numbers in quoted(TABLE_6):
        assert [value for network in NETWORKS for value in row(6, f"{network}_{name}")] == numbers


def test_where_tables_disagree_one_is_preferred():
    assert values_of("mobilenet_efficient")["top5"] == Value(90.53, "Table 6")  # Table 3: 90.47
    assert values_of("resnet50_baseline")["top1"] == Value(75.87, "Table 4")  # Table 1: 75.3, of its authors
    assert values_of("inception_v3_baseline")["top1"] == Value(77.32, "Table 2")  # Table 3 repeats it
    assert values_of("resnet50d_smooth")["top1"] == Value(78.31, "Table 6")  # Tables 8 and 9: 78.34
    assert values_of("resnet50b_standard")["top1"] == Value(76.14, "Table 8")  # and 9
    assert values_of("resnet50d_random") == {}


# Table 4 row by row: batch, rate, warm-up, zero gamma, no bias decay, low precision
LADDER = {
    "linear": (0, False, False, False),
    "warmup": (5, False, False, False),
    "zero_gamma": (5, True, False, False),
    "no_bias_decay": (5, True, True, False),
    "amp": (5, True, True, True),
}


@pytest.mark.parametrize("batch", [256, 1024])
@pytest.mark.parametrize("row", LADDER)
def test_each_rung_of_table_4_adds_one_trick(row, batch):
    others = {("linear", 256): "resnet50_baseline", ("amp", 1024): "resnet50_efficient"}
    cfg = load(others.get((row, batch), f"resnet50_{row}_{batch}"))
    switches = (
        cfg.schedule.warmup_epochs,
        cfg.model.backbone.zero_gamma,
        bool(cfg.optim_wrapper.paramwise_cfg),
        "LowPrecision" in cfg.optim_wrapper.type,
    )
    assert switches == LADDER[row]
    assert (cfg.global_batch, cfg.optim_wrapper.optimizer.lr) == (batch, pytest.approx(0.1 * batch / 256))
    assert (cfg.schedule.decay, cfg.max_epochs) == ("step", 120)


@pytest.mark.parametrize("network", NETWORKS)
def test_table_6_stacks_the_refinements_in_the_same_way_on_each_network(network):
    found = {}
    for row in ("efficient", "cosine", "smooth", "distill", "mixup", "best"):
        cfg = load(f"{network}_{row}")
        teacher = cfg.model.teacher and cfg.model.teacher.recipe
        found[row] = (cfg.schedule.decay, bool(cfg.model.smoothing), teacher, bool(cfg.model.mix), cfg.max_epochs)
    assert found == {  # sec. 5.5
        "efficient": ("step", False, None, False, 120),
        "cosine": ("cosine", False, None, False, 120),
        "smooth": ("cosine", True, None, False, 120),
        "distill": ("cosine", True, "resnet152d_smooth", False, 120),
        "mixup": ("cosine", True, None, True, 200),
        "best": ("cosine", True, "resnet152d_mixup", True, 200),
    }


def test_inception_sees_299_px_and_is_scored_on_the_middle_of_342():
    cfg = load("inception_v3_best")
    crops = cfg.train_dataloader.dataset.dataset.crop, cfg.val_dataloader.dataset.crop
    assert [crop.size_px for crop in crops] == [299, 299]  # sec. 2.2
    assert crops[1].shorter_px == 342  # GluonCV: ceil(299 / 0.875)


def test_places365_counts_its_images_and_leaves_distillation_out():
    for name, mixed in (("resnet50d_efficient_places365", False), ("resnet50d_best_places365", True)):
        cfg = load(name)
        assert (cfg.model.num_classes, cfg.data.num_train, cfg.data.num_val) == (365, 1_803_460, 36_500)
        assert bool(cfg.model.mix) == bool(cfg.model.smoothing) == mixed and cfg.model.teacher is None
