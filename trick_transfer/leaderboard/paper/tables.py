"""The paper's numbers (He et al., "Bag of Tricks", arXiv 1812.01187) in the layout of its tables, each from one run.

Tables disagree: MobileNet efficient has 90.47 % top-5 in Table 3 and 90.53 in Table 6; the smoothed and the mixed-up
ResNet-50-D have 78.34 and 79.16 % top-1 in Tables 8 and 9, 78.31 and 79.15 in Table 6; ResNet-50's 75.3 % and 3.9 GMACs
in Table 1 are quoted from its authors (Table 5 has 3.8). Multiply-adds are its "FLOPs", truncated there. Table 8 is
VOC07's 11-point AP.
"""

import json
from dataclasses import dataclass

from trick_transfer.stages import BACKBONE, metrics, stage_of

from ..table import Value

SIZES = ("params_m", "gmacs")
NOTES = {
    "table1": "The paper quotes its first five rows from other papers, with other training.",
    "table3": "The paper's minutes are of 8 V100; ours are of the device in the receipts and include scoring after "
    "each epoch.",
    "table7": "The test set's labels are on its server: `tools/test.py --submission` writes the file that it takes.",
}
ELSEWHERE = {
    "table7": "`mini` has no places; our numbers are of its animals, as in Tables 1 to 6."
}  # in tiers but `paper`
# Columns are our metrics and sizes; after a slash, a metric that only the paper has. A dash, and what is left out at a
# line's end, are numbers that the paper does not give.
TEXT = """
table1: costs and accuracy
                     params_m gmacs top1 top5
resnet50_baseline    - 3.9 75.3  92.2
resnext50_baseline   - 4.2 77.8
seresnet50_baseline  - 3.9 76.71 93.38
seresnext50_baseline - 4.3 78.90 94.51
densenet201_baseline - 4.3 77.42 93.66
resnet50d_best       - 4.3 79.29 94.63

table2: baselines
                      top1 top5 reference/top1 reference/top5
resnet50_baseline     75.87 92.70 75.3 92.2
inception_v3_baseline 77.32 93.43 78.8 94.4
mobilenet_baseline    69.03 88.71 70.6

table3: efficient training against the baseline
                       minutes_per_epoch top1 top5
resnet50_efficient     4.4  76.21 92.97
resnet50_baseline      13.3 75.87 92.70
inception_v3_efficient 8.0  77.50 93.60
inception_v3_baseline  19.8 77.32 93.43
mobilenet_efficient    3.7  71.90 90.47
mobilenet_baseline     6.2  69.03 88.71

table4: large-batch heuristics, at batch 256 and 1024
                            top1 top5
resnet50_baseline           75.87 92.70
resnet50_warmup_256         76.03 92.81
resnet50_zero_gamma_256     76.19 93.03
resnet50_no_bias_decay_256  76.16 92.97
resnet50_amp_256            76.15 93.09
resnet50_linear_1024        75.17 92.54
resnet50_warmup_1024        75.93 92.84
resnet50_zero_gamma_1024    76.37 92.96
resnet50_no_bias_decay_1024 76.03 92.86
resnet50_efficient          76.21 92.97

table5: model tweaks
                    top1 top5 params_m gmacs
resnet50_efficient  76.21 92.97 25 3.8
resnet50b_efficient 76.66 93.28 25 4.1
resnet50c_efficient 76.87 93.48 25 4.3
resnet50d_efficient 77.16 93.52 25 4.3

table6: training refinements
                       top1 top5
resnet50d_efficient    77.16 93.52
resnet50d_cosine       77.91 93.81
resnet50d_smooth       78.31 94.09
resnet50d_distill      78.67 94.36
resnet50d_mixup        79.15 94.58
resnet50d_best         79.29 94.63
inception_v3_efficient 77.50 93.60
inception_v3_cosine    78.19 94.06
inception_v3_smooth    78.40 94.13
inception_v3_distill   78.26 94.01
inception_v3_mixup     78.77 94.39
inception_v3_best      78.34 94.16
mobilenet_efficient    71.90 90.53
mobilenet_cosine       72.83 91.00
mobilenet_smooth       72.93 91.14
mobilenet_distill      71.97 90.89
mobilenet_mixup        73.28 91.30
mobilenet_best         72.51 91.02

table7: Places365, validation
                              top1 top5 test/top1 test/top5
resnet50d_efficient_places365 56.34 86.87 57.18 87.28
resnet50d_best_places365      56.70 87.33 57.63 87.82

table8: Faster R-CNN on VOC by backbone
                    top1 map_voc07
resnet50b_standard  76.14 77.54
resnet50d_efficient 77.16 78.30
resnet50d_cosine    77.91 79.23
resnet50d_smooth    78.34 80.71
resnet50d_distill   78.67 80.96
resnet50d_mixup     79.16 81.10
resnet50d_best      79.29 81.33

table9: FCN on ADE20K by backbone
                    top1 pix_acc miou
resnet50b_standard  76.14 78.08 37.05
resnet50d_efficient 77.16 78.88 38.88
resnet50d_cosine    77.91 79.25 39.33
resnet50d_smooth    78.34 78.64 38.75
resnet50d_distill   78.67 78.97 38.90
resnet50d_mixup     79.16 78.47 37.99
resnet50d_best      79.29 78.72 38.40
"""
PRECEDENCE = (9, 8, 1, 3, 2, 4, 5, 6, 7)  # of tables that give the same number; the last wins


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper: numbers by recipe, from top to bottom, and by column."""

    title: str
    columns: list[str]
    rows: dict[str, dict[str, float]]

    @property
    def stages(self) -> list[str]:
        """The stages whose results it shows; sizes and times are those of the stage that trains the backbone."""
        measured = (stage_of(name) if name in metrics() else BACKBONE for name in self.columns)
        return list(dict.fromkeys(stage.name for stage in measured))


def table(title: str, columns: str, *lines: str) -> PaperTable:
    """A table from its lines in `TEXT`."""
    names, rows = columns.split(), {}
    for recipe, *words in map(str.split, lines):
        rows[recipe] = {name: json.loads(word) for name, word in zip(names, words, strict=False) if word != "-"}
    return PaperTable(title, names, rows)


TABLES = {block.split(":")[0]: table(*block.split(": ", 1)[1].splitlines()) for block in TEXT.strip().split("\n\n")}


def values_of(recipe: str) -> dict[str, Value]:
    """The paper's numbers of a recipe, by metric; empty for a recipe that is not the paper's."""
    return {
        name: Value(value, f"Table {number}")
        for number in PRECEDENCE
        for name, value in TABLES[f"table{number}"].rows.get(recipe, {}).items()
        if "/" not in name
    }
