"""All stages, in the order of the pipeline. A new task is one line here."""

from classification.stage import CLASSIFICATION
from detection.stage import DETECTION
from probing.stage import Probing
from segmentation.stage import SEGMENTATION

from .engine.stage import Metric, Stage

STAGES: dict[str, Stage] = {
    stage.name: stage for stage in (CLASSIFICATION, Probing(CLASSIFICATION), DETECTION, SEGMENTATION)
}
BACKBONE = next(stage for stage in STAGES.values() if stage.trains_backbone)


def usual() -> tuple[str, ...]:
    """The stages that run where none are named."""
    return tuple(name for name, stage in STAGES.items() if not stage.optional)


def metrics() -> dict[str, Metric]:
    """Every metric by name, in the order of the leaderboard's columns."""
    return {metric.name: metric for stage in STAGES.values() for metric in stage.metrics}


def stage_of(metric: str) -> Stage:
    """The stage that measures a metric. Raises KeyError for a name that none has."""
    for stage in STAGES.values():
        if any(metric == each.name for each in stage.metrics):
            return stage
    raise KeyError(metric)
