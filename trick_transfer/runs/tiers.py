"""A tier: where the numbers come from. It is a file of plain data, see trick_transfer/tiers/mini.py.

What a tier may change is checked here, in one place: data, sizes, counts, the schedule's length, and with it batch and
rate. Anything else it has to list under `departs`, or where it depends on the old value, under `stand_ins`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.config import Config

from trick_transfer import tiers
from trick_transfer.engine.stage import Stage
from trick_transfer.engine.values import check_name, check_whole, nearest
from trick_transfer.own_data.source import Source
from trick_transfer.stages import STAGES

FOLDER = Path(tiers.__file__).parent
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("[a-z]*.py")))
# `source` describes own data, `data` names a known set (with `source`: in whose folder that is)
DICTS = ("source", "first", "times", "rounded_times", "values", "departs", "stand_ins", "early")
PARTS = ("data", "protocol", "images", *DICTS)
KINDS: dict[str, tuple[Any, str]] = {  # of what such a dict holds
    "times": (int | float | str, "a number, or a key"),
    "rounded_times": (int | float | str, "a number, or a key"),
    "first": (int, "a whole number"),
    "stand_ins": (dict, "a dict {old value: new value}"),
}
MAY_CHANGE = {  # by a key's last word
    *("name", "root", "num_train", "num_val", "num_classes", "classes", "metainfo"),  # data
    *("size_px", "shorter_px", "long_px", "crop_px", "scale", "scales", "size", "crop_size"),  # sizes
    *("output_size", "roi_feat_size"),
    *("num", "nms_pre", "max_per_img", "min_bbox_size", "num_batch_per_epoch"),  # counts
    *("max_epochs", "warmup_epochs", "milestones", "end", "val_begin"),  # lengths
    *("global_batch", "batch_size", "lr"),
    *("num_workers", "persistent_workers"),  # the machine
}
MAY_SHORTEN = {"datasets"}


@dataclass(frozen=True)
class Tier:
    """`parts` holds what it changes by stage, and for single protocols by protocol.

    A stage's `images` are the training images for which its lengths were chosen.
    `home` is its file's folder; `stages` those that its data are for, if not all; `backbones` the tier that trains its
    backbones, if it has no data for that.
    """

    name: str
    parts: dict[str, dict[str, Any]]
    home: Path = FOLDER
    stages: tuple[str, ...] = ()
    backbones: str | None = None

    def data(self, stage: str) -> str | None:
        """The data set it gives a stage; None: the recipe's or protocol's own."""
        part = self.parts.get(stage, {})
        return f"{self.name}/{stage}" if part.get("source") else part.get("data")

    def source(self, stage: Stage) -> Source | None:
        """What it says of a stage's own data; None for data of a known set. Raises ValueError for a misspelt one."""
        stated = self.parts.get(stage.name, {}).get("source")
        return Source.of(stage, stated, f"tier {self.name}: {stage.name}: source", self.home) if stated else None

    def protocol(self, stage: str) -> str | None:
        """The protocol that it takes instead of the paper's."""
        return self.parts.get(stage, {}).get("protocol")

    def early(self, stage: str) -> dict[str, Any]:
        """Settings that come before all others, unless the user has his own, such as whom to follow."""
        return self.parts.get(stage, {}).get("early", {})

    def change(self, cfg: Config, *names: str) -> None:
        """Apply what it states for a stage and a protocol to a Config. Raises ValueError for a key that is missing."""
        before = cfg.to_dict()
        for part in (self.parts.get(name, {}) for name in names):
            edit(cfg, part.get("first", {}), lambda some, count: some[:count])
            for key, factor in part.get("rounded_times", {}).items():
                scale(cfg, key, factor, before, rounded=True)
            for key, factor in part.get("times", {}).items():
                scale(cfg, key, factor, before)
            edit(cfg, {**part.get("values", {}), **part.get("departs", {})}, lambda _, value: value)
            for key, instead in part.get("stand_ins", {}).items():
                for node, last in places(cfg._cfg_dict, key):
                    if last in node:
                        node[last] = instead.get(node[last], node[last])
        drop_in_time(cfg)


def drop_in_time(cfg: Config) -> None:
    """Let a rate that steps by epochs drop before the last epoch: rounded, its milestone may have come to the end."""
    last = cfg.get("train_cfg", {}).get("max_epochs", 0) - 1
    for schedule in cfg.get("param_scheduler", []):
        if last > 0 and schedule.get("by_epoch") and "milestones" in schedule:
            schedule.milestones = [min(each, last) for each in schedule.milestones]


def edit(cfg: Config, stated: Mapping[str, Any], new: Callable[[Any, Any], Any]) -> None:
    """Replace each value that a dotted key means by `new` of it and of what is stated."""
    for key, value in stated.items():
        for node, last in places(cfg._cfg_dict, key):
            node[last] = new(node.get(last), value)


def scale(cfg: Config, key: str, factor: float | str, before: dict, rounded: bool = False) -> None:
    """Multiply a number, or each of a list; a factor that is a key means the ratio by which that key changed."""
    if isinstance(factor, str):
        if factor not in before:
            raise ValueError(f"tier: the factor {factor!r} of {key} is neither a number nor a key")
        old = before[factor]
        factor = cfg[factor] / old if old else 0.0
    for node, last in places(cfg._cfg_dict, key):
        value = node[last]
        several = isinstance(value, list | tuple)
        products = [each * factor for each in (value if several else [value])]
        scaled = [round(each) for each in products] if rounded else products
        node[last] = scaled if several else scaled[0]


def places(root: Any, dotted: str) -> list[tuple[Any, str]]:
    """(dict, last key) of each place that a dotted key means. Raises ValueError where there is none."""
    *path, last = dotted.split(".")
    nodes = [root]
    for word in path:
        nodes = [child for node in nodes for child in children(node, word)]
    if not nodes:
        raise ValueError(f"tier: key {dotted!r} does not exist")
    return [(node, last) for node in nodes]


def children(node: Any, word: str) -> list[Any]:
    """What a word of a dotted key means: a dict's key, a list's entries (*), or those of a type."""
    if isinstance(node, list | tuple):
        return [each for each in node if word in ("*", str(each.get("type")).split(".")[-1])]
    return [node[word]] if word in node else []


@cache
def load(name: str) -> Tier:
    """A tier by its name, or its file's path. Raises ValueError for one that does not exist or changes the method."""
    path = FOLDER / f"{name}.py"
    if name.endswith(".py"):
        path = Path(name)
        if path.stem in NAMES and path.resolve().parent != FOLDER.resolve():
            raise ValueError(f"tier {name}: {path.stem} is a built-in tier's name; rename the file")
        if not path.is_file():
            raise FileNotFoundError(f"tier {name} does not exist; expected a file like {FOLDER / 'mini.py'}")
    else:
        check_name("tier", name, NAMES)
    stated = read(path)
    stages, backbones = stated.pop("stages", ()), stated.pop("backbones", None)
    if not isinstance(stages, list | tuple):
        raise ValueError(f"tier {path.stem}: stages must be a list of names, got {stages!r}")
    if not isinstance(backbones, str | None):
        raise ValueError(f"tier {path.stem}: backbones must be a tier's name, got {backbones!r}")
    for stage in stages:
        check_name(f"tier {path.stem}: stages:", stage, STAGES)
    for stage, part in stated.items():
        check_name(
            f"tier {path.stem}: part", stage, [*STAGES, *(name for each in STAGES.values() for name in each.protocols)]
        )
        check(f"tier {path.stem}: {stage}", part)
    home = Path() if path.parent == FOLDER else path.parent  # a built-in tier's data are where it is used
    return Tier(path.stem, stated, home, tuple(stages), backbones)


def of_backbones(name: str) -> str:
    """The tier that trains the backbones of a tier: the one that it names, or itself."""
    return load(name).backbones or name


def read(path: Path) -> dict[str, Any]:
    """What a tier's file states, over what the built-in tier states that it names as its `base`."""
    try:
        cfg = Config.fromfile(path)
    except Exception as error:  # it is Python, and may raise anything
        said = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else repr(error)
        raise ValueError(f"tier {path} cannot be read: {said}; correct it") from error
    stated = {key: part for key, part in cfg.to_dict().items() if not key.startswith("_")}
    if (base := stated.pop("base", None)) is None:
        return stated
    check_name(f"tier {path.stem}: base", base, NAMES)
    below = Config(read(FOLDER / f"{base}.py"))
    own = {name: part["source"] for name, part in stated.items() if isinstance(part, dict) and "source" in part}
    for stage in STAGES.values():
        part = stated.get(stage.name, {})
        if stage.like in own and isinstance(part, dict) and not part.keys() & {"data", "source"}:
            own[stage.name] = own[stage.like]
            stated[stage.name] = part | {"source": own[stage.like]}
    for name in own:
        for key in ("data", "source"):
            below.get(name, {}).pop(key, None)
    below.merge_from_dict(stated, allow_list_keys=False)  # else keys that are numbers fail
    return below.to_dict()


def check_kinds(where: str, part: dict[str, Any]) -> None:
    """Raise ValueError for an unknown part, or one that is not of its type."""
    for key, value in part.items():
        check_name(where, key, PARTS)
        if key in DICTS and not (isinstance(value, dict) and all(isinstance(each, str) for each in value)):
            raise ValueError(f"{where}: {key} must be a dict with texts as keys, got {value!r:.60}")
        if key in ("data", "protocol") and not isinstance(value, str | None):
            raise ValueError(f"{where}: {key} must be a name, got {value!r:.60}")
    check_whole(f"{where}: images", part.get("images", 0))
    for name, (kinds, words) in KINDS.items():
        for key, value in part.get(name, {}).items():
            if not isinstance(value, kinds) or isinstance(value, bool):
                raise ValueError(f"{where}: {name}: {key} must be {words}, got {value!r:.60}")


def check(where: str, part: Any) -> None:
    """Raise ValueError for an unknown part, or a change of the method that is not listed under `departs`."""
    if not isinstance(part, dict):
        raise ValueError(f"{where} must be a dict of {', '.join(PARTS)}, got {part!r:.60}")
    check_kinds(where, part)
    if part.get("early", {}).keys() - {"follow"} or ("early" in part and not where.endswith(": classification")):
        raise ValueError(f"{where}: early holds `follow`, of classification alone")
    numbers = [(key, MAY_CHANGE) for name in ("times", "rounded_times", "values") for key in part.get(name, {})]
    for key, allowed in [*numbers, *((key, MAY_SHORTEN) for key in part.get("first", {}))]:
        if key.split(".")[-1] not in allowed:
            hint = nearest(key.split(".")[-1], allowed)
            raise ValueError(f"{where} changes {key}, which is no size or length ({hint}); list it under `departs`")
