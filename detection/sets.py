"""Named sets of images, train, val, trainval, test: which of them is trained on and which is scored."""

from collections.abc import Collection, Mapping

from trick_transfer.engine.names import set_of, words_of
from trick_transfer.engine.values import check_name

PAIRS = (("trainval", "test"), ("train", "val"), ("train", "test"), ("trainval", "val"))  # the first that is there


def named_set(name: str) -> str | None:
    """The set that the last word of a folder's or file's name means, as in instances_train2017; None for another."""
    return set_of(words_of(name)[-1])


def chosen(sets: Collection[str], train: str | None, val: str | None) -> tuple[str, str] | None:
    """The sets to be trained on and scored: those named, or the first of PAIRS that is there; None for at most one.

    Raises ValueError for sets that are not there, or that tell no pair.
    """
    for option, name in (("train", train), ("val", val)):
        if name is not None:
            check_name(f"{option}: set", name, sets)
    if train and val and train != val:
        return train, val
    pairs = [pair for pair in PAIRS if train in (None, pair[0]) and val in (None, pair[1])]
    pair = next((pair for pair in pairs if {*pair} <= {*sets}), None)
    if pair is None and len(sets) > 1:
        raise ValueError(f"the sets are {', '.join(sorted(sets))}; say which with train='...' and val='...'")
    return pair


def splits(
    sets: Mapping[str, Collection[str]], names: Collection[str], train: str | None, val: str | None
) -> tuple[dict[str, str | None], list[str], list[str]]:
    """name -> "train", "val" or None (to be split) for those that are read, how that was chosen, and problems.

    `sets` holds the names of each set, `names` those of all images.
    """
    pair, problems = chosen(sets, train, val), []
    split: dict[str, str | None]
    if pair:
        trained, scored = (sets[name] for name in pair)
        twice = sorted(set(trained) & set(scored))
        problems = [f"{name} is in both sets, {pair[0]} and {pair[1]}; take it out of one" for name in twice]
        split = {**dict.fromkeys(scored, "val"), **dict.fromkeys(trained, "train")}
        others = ", ".join(sorted(set(sets) - set(pair)))
        reading = [f"set {pair[0]} ({len(trained):,} images) is trained on, set {pair[1]} ({len(scored):,}) is scored"]
        reading += [f"not read: set {others}; train='...' and val='...' choose others"] * bool(others)
    else:
        split = dict.fromkeys(next(iter(sets.values()), names))
        reading = [f"the only set, {name}, has {len(split):,} images" for name in sets]
    left_out = len(set(names) - split.keys())
    return split, reading + [f"{left_out:,} images are in no set that is read"] * bool(left_out), problems
