"""The paper's numbers by recipe (He et al., "Bag of Tricks", arXiv 1812.01187), each from one run, with its table.

Where tables disagree, `values_of` takes the last one of `SOURCES`. Known: MobileNet efficient has 90.47 % top-5 in
Table 3 and 90.53 in Table 6; the smoothed and the mixed-up ResNet-50-D have 78.34 and 79.16 % top-1 in Tables 8 and 9
(Table 6 is taken); ResNet-50's 75.3 % and 3.9 GMACs in Table 1 are quoted from its authors (Table 5 counts 3.8).
Multiply-adds are its "FLOPs", truncated there. Table 8 is VOC07's 11-point AP.
"""

from ..table import Value

TABLE_1 = {  # multiply-adds (G), top1, top5; all but the last are quoted there from other papers, of other trainings
    "resnet50_baseline": (3.9, 75.3, 92.2),
    "resnext50_baseline": (4.2, 77.8),
    "seresnet50_baseline": (3.9, 76.71, 93.38),
    "seresnext50_baseline": (4.3, 78.90, 94.51),
    "densenet201_baseline": (4.3, 77.42, 93.66),
    "resnet50d_best": (4.3, 79.29, 94.63),
}
TABLE_2 = {  # top1, top5; Table 3 repeats them
    "resnet50_baseline": (75.87, 92.70),
    "inception_v3_baseline": (77.32, 93.43),
    "mobilenet_baseline": (69.03, 88.71),
}
TABLE_2_REFERENCE = {  # top1, top5 of reference implementations
    "resnet50_baseline": (75.3, 92.2),
    "inception_v3_baseline": (78.8, 94.4),
    "mobilenet_baseline": (70.6,),
}
TABLE_3 = {  # top1, top5
    "resnet50_efficient": (76.21, 92.97),
    "inception_v3_efficient": (77.50, 93.60),
    "mobilenet_efficient": (71.90, 90.47),
}
TABLE_3_MINUTES = {  # an epoch on 8 V100
    "resnet50_efficient": 4.4,
    "resnet50_baseline": 13.3,
    "inception_v3_efficient": 8.0,
    "inception_v3_baseline": 19.8,
    "mobilenet_efficient": 3.7,
    "mobilenet_baseline": 6.2,
}
TABLE_4 = {  # top1, top5: the column of batch 256, then that of 1024, each from top to bottom
    "resnet50_baseline": (75.87, 92.70),
    "resnet50_warmup_256": (76.03, 92.81),
    "resnet50_zero_gamma_256": (76.19, 93.03),
    "resnet50_no_bias_decay_256": (76.16, 92.97),
    "resnet50_amp_256": (76.15, 93.09),
    "resnet50_linear_1024": (75.17, 92.54),
    "resnet50_warmup_1024": (75.93, 92.84),
    "resnet50_zero_gamma_1024": (76.37, 92.96),
    "resnet50_no_bias_decay_1024": (76.03, 92.86),
    "resnet50_efficient": (76.21, 92.97),
}
TABLE_5 = {  # top1, top5, parameters (M), multiply-adds (G)
    "resnet50_efficient": (76.21, 92.97, 25, 3.8),
    "resnet50b_efficient": (76.66, 93.28, 25, 4.1),
    "resnet50c_efficient": (76.87, 93.48, 25, 4.3),
    "resnet50d_efficient": (77.16, 93.52, 25, 4.3),
}
TABLE_6 = {  # top1, top5: three columns, each from top to bottom
    "resnet50d_efficient": (77.16, 93.52),
    "resnet50d_cosine": (77.91, 93.81),
    "resnet50d_smooth": (78.31, 94.09),
    "resnet50d_distill": (78.67, 94.36),
    "resnet50d_mixup": (79.15, 94.58),
    "resnet50d_best": (79.29, 94.63),
    "inception_v3_efficient": (77.50, 93.60),
    "inception_v3_cosine": (78.19, 94.06),
    "inception_v3_smooth": (78.40, 94.13),
    "inception_v3_distill": (78.26, 94.01),
    "inception_v3_mixup": (78.77, 94.39),
    "inception_v3_best": (78.34, 94.16),
    "mobilenet_efficient": (71.90, 90.53),
    "mobilenet_cosine": (72.83, 91.00),
    "mobilenet_smooth": (72.93, 91.14),
    "mobilenet_distill": (71.97, 90.89),
    "mobilenet_mixup": (73.28, 91.30),
    "mobilenet_best": (72.51, 91.02),
}
TABLE_7 = {  # top1, top5 on the validation set of Places365
    "resnet50d_efficient_places365": (56.34, 86.87),
    "resnet50d_best_places365": (56.70, 87.33),
}
TABLE_7_TEST = {  # top1, top5 on its test set, whose labels its server holds
    "resnet50d_efficient_places365": (57.18, 87.28),
    "resnet50d_best_places365": (57.63, 87.82),
}
TABLE_8_TOP1 = {"resnet50b_standard": (76.14,)}
TABLE_8 = {
    "resnet50b_standard": (77.54,),
    "resnet50d_efficient": (78.30,),
    "resnet50d_cosine": (79.23,),
    "resnet50d_smooth": (80.71,),
    "resnet50d_distill": (80.96,),
    "resnet50d_mixup": (81.10,),
    "resnet50d_best": (81.33,),
}
TABLE_9 = {  # pix_acc, miou
    "resnet50b_standard": (78.08, 37.05),
    "resnet50d_efficient": (78.88, 38.88),
    "resnet50d_cosine": (79.25, 39.33),
    "resnet50d_smooth": (78.64, 38.75),
    "resnet50d_distill": (78.97, 38.90),
    "resnet50d_mixup": (78.47, 37.99),
    "resnet50d_best": (78.72, 38.40),
}
SOURCES: tuple[tuple[str, tuple[str, ...], dict], ...] = (
    ("Table 1", ("gmacs", "top1", "top5"), TABLE_1),
    ("Table 2", ("top1", "top5"), TABLE_2),
    ("Table 3", ("top1", "top5"), TABLE_3),
    ("Table 4", ("top1", "top5"), TABLE_4),
    ("Table 5", ("top1", "top5", "params_m", "gmacs"), TABLE_5),
    ("Table 6", ("top1", "top5"), TABLE_6),
    ("Table 7", ("top1", "top5"), TABLE_7),
    ("Table 8", ("top1",), TABLE_8_TOP1),
    ("Table 8", ("map_voc07",), TABLE_8),
    ("Table 9", ("pix_acc", "miou"), TABLE_9),
)


def values_of(recipe: str) -> dict[str, Value]:
    """The paper's numbers of a recipe, by metric; empty for a recipe that is not the paper's."""
    return {
        metric: Value(value, table)
        for table, metrics, rows in SOURCES
        for metric, value in zip(metrics, rows.get(recipe, ()), strict=False)
    }
