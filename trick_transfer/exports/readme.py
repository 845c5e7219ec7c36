"""The model card: README.md with the Hugging Face hub's metadata, so that a folder can be uploaded as it is."""

import re
from functools import partial
from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData

from trick_transfer.engine.files import write_whole
from trick_transfer.leaderboard.rendering.text import NOTES, between, grid
from trick_transfer.runs.run import Run, lineage
from trick_transfer.stages import STAGES, metrics, stage_of

from .scores import Scores, scores_of
from .trained import Trained

LIBRARIES = {"mm": "mmdet", "card": "trick-transfer"}  # the others are called as the format is
HUB_METRICS = {"top1": "accuracy", "miou": "mean_iou"}
# of the hub's identifiers those that weights have here; any other licence is "other", with its own words
LICENCES = ("apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-nc-4.0", "unknown")
README = """\
---
{metadata}
---

# {name}

{network}, {origin} trick-transfer, an implementation of
[Bag of Tricks for Image Classification with Convolutional Neural Networks](https://arxiv.org/abs/1812.01187).

## Use

```python
{use}```

Images: RGB with mean {mean} and standard deviation {std} (0 to 255), given to the network as {order}; the shorter edge
resized to {shorter_px} px ({interpolation}, OpenCV), then the middle {size_px} x {size_px} px.

## Scores

{scores}{note}

## Licence

{licences}

## Made by

```sh
{commands}
```

trick-transfer at {commit}; {versions}. To upload: `hf upload USER/NAME FOLDER`
"""


def describe(trained: Trained, to: str, out: Path, use: str, command: str) -> None:
    """README.md in a folder of a format."""
    scores = None if trained.others else scores_of(trained.run)
    text = model_card(trained, to, use, command, scores)
    write_whole(out / "README.md", partial(Path.write_text, data=text, encoding="utf-8"))


def model_card(trained: Trained, to: str, use: str, command: str, scores: Scores | None) -> str:
    """Its text."""
    card, run = trained.card, trained.run
    made = [each.command for each in scores.results] if scores else []
    teachers = [each.command for each in lineage(run)][:-1] if scores else []
    source = [f"# weights of {card.origin['source']}"] if card.origin else []
    return README.format(
        metadata=metadata(trained, to, scores).to_yaml().strip(),
        name=card.name,
        network=network(trained),
        origin=origin(trained),
        use=use,
        mean=card.mean,
        std=card.std,
        order=card.channel_order.upper(),
        shorter_px=trained.shorter_px,
        size_px=trained.size_px,
        interpolation=card.interpolation,
        scores=score_table(trained, scores),
        note=f"\n\n{NOTES[card.tier]}" if card.tier in NOTES else "",
        licences="\n".join(f"- {what}: {licence}" for what, licence in card.licences.items()),
        commands="\n".join(dict.fromkeys([*source, *teachers, *made, command])),
        commit=card.commit,
        versions=", ".join(f"{name} {version}" for name, version in card.versions.items()),
    )


def origin(trained: Trained) -> str:
    """Where its weights come from, in words."""
    card, run = trained.card, trained.run
    if trained.carried:
        scored = f"scored (tier `{card.tier}`)" if card.metrics or not trained.others else "exported"
        return f"with the weights of {card.origin['source']}, not trained further; {scored} with"
    start = f", trained from the weights of {card.origin['source']}" if card.origin else ""
    return f"of {run.data_set_name} (tier `{card.tier}`, seed {card.seed}){start}: made with"


def network(trained: Trained) -> str:
    """Its architecture in words."""
    options = ", ".join(f"{key}={value!r}" for key, value in trained.card.backbone.items() if key != "type")
    head = f"{trained.classes} classes" if trained.classes else "without a head"
    return f"`{trained.card.backbone['type']}({options})`, {head}"


def metadata(trained: Trained, to: str, scores: Scores | None) -> ModelCardData:
    """The hub's part."""
    card = trained.card
    licence = card.licences.get("weights", "unknown")
    named = licence.lower() in LICENCES
    found = evaluated(trained, scores)
    return ModelCardData(
        license=licence.lower() if named else "other",
        license_name=None if named else re.sub("[^a-z0-9.]+", "-", licence.lower()).strip("-"),  # all that it takes
        library_name=LIBRARIES.get(to, to),
        pipeline_tag=STAGES[trained.run.stage].hub_task if trained.classes else "image-feature-extraction",
        tags=["image-classification", "backbone", "trick-transfer", to],
        datasets=None if trained.carried else [slug(trained.run.data_set_name)],
        metrics=sorted({each.metric_type for each in found}) or None,
        model_name=card.name,
        eval_results=found or None,
    )


def evaluated(trained: Trained, scores: Scores | None) -> list[EvalResult]:
    """These weights' own numbers, in percent: their results', or the card's."""
    of_results = {name: value for each in scores.results for name, value in each.metrics.items()} if scores else {}
    shown = [name for name, metric in metrics().items() if metric.headline or metric.required]
    if trained.run.carries_weights and not trained.classes:  # the given head was scored, and is not exported
        shown = [name for name in shown if not stage_of(name).trains_backbone]
    values = {name: value for name, value in (trained.card.metrics | of_results).items() if name in shown}
    return [one_evaluated(trained.run, name, values[name]) for name in shown if name in values]


def one_evaluated(run: Run, metric: str, value: float) -> EvalResult:
    """One number."""
    stage = stage_of(metric)
    data = run.tier_file.data(stage.name) or stage.data_set
    return EvalResult(
        task_type=stage.hub_task or stage.name,
        dataset_type=slug(data),
        dataset_name=data,
        metric_type=HUB_METRICS.get(metric, metric),
        metric_value=round(value, 2),
        metric_name=metrics()[metric].label,
    )


def slug(data_set: str) -> str:
    """A data set's name without a slash, which would name an account on the hub."""
    return data_set.replace("/", "-")


def score_table(trained: Trained, scores: Scores | None) -> str:
    """These weights' numbers, and the row's means with their intervals."""
    if not scores:
        own = ", ".join(f"{metrics()[name].label} {value:.2f}" for name, value in trained.card.metrics.items()
                        if name in metrics())  # fmt: skip
        return f"{own} %." if own else "None."
    lines = [["metric (%)", "protocol", "these weights", "mean over seeds", "95 % interval", "seeds"]]
    for column in scores.table.metrics:
        cell, result = scores.row.cells.get(column.name), scores.of_metric(column.name)
        if cell:
            own, protocol = (f"{result.metrics[column.name]:.2f}", result.protocol) if result else ("–", "–")
            interval = between(cell.low, cell.high) or "–"
            lines.append([column.label, protocol, own, f"{cell.mean:.2f}", interval, str(cell.n)])
    return f"The leaderboard's row `{scores.row.recipe}`:\n\n{grid(lines)}"
