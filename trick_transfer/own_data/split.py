"""A split by the hash of each image's name: it does not move when files are added, on any machine."""

from trick_transfer.engine.names import share
from trick_transfer.engine.source import SPLITS, Found


def with_splits(found: Found, val_percent: float) -> Found:
    """Each sample in its split; those of a source that says none are split here, which is told."""
    bare = sum(not sample.split for sample in found.samples)
    if not bare:
        return found
    train, val = SPLITS
    samples = [
        sample._replace(split=sample.split or (val if 100 * share(sample.name) < val_percent else train))
        for sample in found.samples
    ]
    split = found.with_samples(samples)
    counts = ", ".join(f"{count:,} {name}" for name, count in split.counts().items())
    split.reading = [
        *found.reading,
        f"{bare:,} images have no split: {val_percent:g} % by the hash of each image's name are scored ({counts})",
    ]
    return split
