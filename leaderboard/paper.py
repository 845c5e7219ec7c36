"""The paper's numbers by recipe (He et al., "Bag of Tricks", arXiv 1812.01187), each from one run, with its table.

Top-1 of the smoothed and the mixed-up ResNet-50-D reads 78.34 and 79.16 in Tables 8 and 9; Table 6 is taken, which has
top-5 too. Table 8 is VOC07's 11-point AP. Multiply-adds are Table 5's "FLOPs", truncated there.
"""

from typing import NamedTuple


class Value(NamedTuple):
    """A number and the table it stands in."""

    value: float
    table: str


TABLE_3 = {"resnet50_baseline": (75.87, 92.70)}  # top1, top5; the same row is in Table 2
TABLE_5 = {  # top1, top5, parameters (M), multiply-adds (G)
    "resnet50_efficient": (76.21, 92.97, 25, 3.8),
    "resnet50b_efficient": (76.66, 93.28, 25, 4.1),
    "resnet50c_efficient": (76.87, 93.48, 25, 4.3),
    "resnet50d_efficient": (77.16, 93.52, 25, 4.3),
}
TABLE_6 = {  # top1, top5
    "resnet50d_cosine": (77.91, 93.81),
    "resnet50d_smooth": (78.31, 94.09),
    "resnet50d_distill": (78.67, 94.36),
    "resnet50d_mixup": (79.15, 94.58),
    "resnet50d_best": (79.29, 94.63),
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
    ("Table 3", ("top1", "top5"), TABLE_3),
    ("Table 5", ("top1", "top5", "params_m", "gmacs"), TABLE_5),
    ("Table 6", ("top1", "top5"), TABLE_6),
    ("Table 8", ("top1",), TABLE_8_TOP1),
    ("Table 8", ("map_voc07",), TABLE_8),
    ("Table 9", ("pix_acc", "miou"), TABLE_9),
)


def values_of(recipe: str) -> dict[str, Value]:
    """All the paper says of a recipe, by metric; empty for a recipe that is not the paper's."""
    return {
        metric: Value(value, table)
        for table, metrics, rows in SOURCES
        for metric, value in zip(metrics, rows.get(recipe, ()), strict=False)
    }
