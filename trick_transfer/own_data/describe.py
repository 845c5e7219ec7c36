"""Folders -> a tier's file that describes them: what was recognised, and lengths for the number of images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trick_transfer.engine.source import Found
from trick_transfer.engine.stage import Stage

from .source import Source

LENGTHS = ("max_epochs", "warmup_epochs", "milestones", "end")  # last words of keys that count epochs
# times the base tier's epochs: below a tenth of its images a network learns them by heart, and one epoch is the least
LONGER, SHORTER = 10, 1 / 3
UPDATES, LARGEST_BATCH = 4, 1024  # an epoch's, at least; of a recipe (sec. 3.1)
BATCH, RATE = "global_batch", "optim_wrapper.optimizer.lr"
HEAD = '"""Data of my own, as they were recognised. Edit it: docs/data.md says what a source, and a tier, may hold."""'


@dataclass(frozen=True)
class Described:
    """A stage's source, what was found there, and what the base tier says of the stage."""

    source: Source
    found: Found
    part: Mapping[str, Any]

    def longer(self) -> float:
        """By how much the base tier's lengths are multiplied, so that about as many images are seen."""
        images, known = self.found.counts()["train"], self.part.get("images")
        return max(SHORTER, min(LONGER, known / images)) if known and images else 1.0

    def lengths(self) -> dict[str, dict[str, float]]:
        """The base tier's factors of lengths, multiplied."""
        factors = {name: self.part.get(name, {}) for name in ("times", "rounded_times")}
        scaled = {
            name: {key: round(each * self.longer(), 4) for key, each in found.items() if is_length(key, each)}
            for name, found in factors.items()
        }
        for name, key in (("rounded_times", BATCH), ("times", RATE)):  # a batch of half the size at half the rate
            if BATCH in factors["rounded_times"] and key in factors[name] and self.smaller() < 1:
                scaled[name][key] = factors[name][key] * self.smaller()
        return {name: found for name, found in scaled.items() if found}

    def smaller(self) -> float:
        """By how much batches are multiplied, so that an epoch of few images makes UPDATES."""
        batch, factor = LARGEST_BATCH * self.part["rounded_times"][BATCH], 1.0
        while batch * factor > max(UPDATES, self.found.counts()["train"] / UPDATES):
            factor /= 2
        return factor

    def stated(self) -> dict[str, Any]:
        """The stage's part of a tier's file."""
        general = dict(val_percent=self.source.val_percent, duplicates=self.source.duplicates)
        source = dict(folder=str(self.source.folder), format=self.source.format, **self.source.options, **general)
        return dict(source=source, images=self.found.counts()["train"]) | self.lengths()

    def said(self, stage: str) -> str:
        """How it was read, as comments."""
        train, val = self.found.counts().values()
        first = f"{stage}: {len(self.found.classes):,} classes, {train:,} images to train on, {val:,} to score"
        lines = "\n".join([first, *(f"  {line}" for line in self.found.reading)]).splitlines()
        return "".join(f"# {line}\n" for line in lines)


def is_length(key: str, factor: Any) -> bool:
    """Whether a key's value counts epochs, and its factor is a number."""
    return key.split(".")[-1] in LENGTHS and not isinstance(factor, str)


def describe(sources: Mapping[Stage, Source], base: str, parts: Mapping[str, Any], backbones: str | None) -> str:
    """A tier's file for some stages' own data, over a built-in tier whose `parts` these are; the others are left out.

    `backbones` is the tier that trains the backbones where the data have none. Raises what reading them raises.
    """
    found = {
        stage.name: Described(each, each.read(stage), parts.get(stage.name, {})) for stage, each in sources.items()
    }
    text = f"{HEAD}\n\n{''.join(each.said(name) for name, each in found.items())}\nbase = {base!r}\n"
    text += f"stages = {tuple(found)!r}\n" + (f"backbones = {backbones!r}\n" if backbones else "")
    for name, each in found.items():
        values = "".join(f"    {key!r}: {value!r},\n" for key, value in each.stated().items())
        text += f"\n{name} = {{\n{values}}}\n"
    return text
