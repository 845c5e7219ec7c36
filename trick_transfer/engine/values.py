"""Checks settings: each new value in a Config against the value that it replaces."""

import inspect
from collections.abc import Callable, Collection, Iterable
from difflib import get_close_matches
from typing import Any

import mmengine.registry
from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import DataLoader

KINDS = [each for each in vars(mmengine.registry).values() if isinstance(each, Registry)]
LISTED = 16  # more names would hide the message
# what mmengine takes out of a dict before it builds a class of it
OF_MMENGINE = (
    "type",
    "_delete_",
    "constructor",
    "paramwise_cfg",
    "num_batch_per_epoch",
    "by_epoch",
    "convert_to_iter_based",
)


def closest(name: str, known: Iterable[str], number: int = 1, cutoff: float = 0.6) -> list[str]:
    """At most `number` known names: those that begin with `name`, the shortest first, then others that are close."""
    names = sorted(known, key=lambda each: (len(each), each))
    begun = [each for each in names if name and each.startswith(name)]
    return list(dict.fromkeys(begun + get_close_matches(name, names, number, cutoff)))[:number]


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint: the known name that is close; if none is, all of them, or the three closest of more than LISTED."""
    names = sorted(known)
    if not names:
        return "there is none"
    if close := closest(name, names):
        return f"did you mean {close[0]!r}?"
    if len(names) > LISTED:
        return f"the closest of {len(names)} are {', '.join(closest(name, names, 3, cutoff=0))}"
    return f"choose from {', '.join(names)}"


def check_name(what: str, name: object, known: Iterable[str]) -> None:
    """Raise ValueError with the closest name unless `name` is a known one."""
    if name not in (names := list(known)):
        raise ValueError(f"{what} {name!r} does not exist; {nearest(str(name), names)}")


def check_whole(key: str, number: object, least: int = 0) -> None:
    """Raise ValueError unless `number` is a whole number >= `least`."""
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise ValueError(f"{key} must be a whole number >= {least}, got {number!r}")


def check_slot(name: str, slot: Any, kinds: dict[str, type], optional: Collection[str] = ()) -> None:
    """Raise ValueError unless a slot is a dict with exactly these keys and types of values (float: any number)."""
    if not isinstance(slot, dict) or not kinds.keys() <= slot.keys() <= kinds.keys() | set(optional):
        raise ValueError(f"{name} must be a dict of {', '.join(kinds)}, or None to leave it out, got {slot!r:.60}")
    for key, kind in kinds.items():
        if not isinstance(slot[key], int | float if kind is float else kind) or isinstance(slot[key], bool):
            raise ValueError(f"{name}: {key} must be a {kind.__name__}, got {slot[key]!r}")


def override(cfg: Config, sets: dict[str, Any], also: Collection[str] = ()) -> None:
    """Set dotted keys. Raises ValueError for an invalid value or unknown key; `also`: more keys that it may suggest."""
    for dotted, value in sets.items():
        old = value_at(cfg._cfg_dict, dotted, also)
        if value is None and "." not in dotted:  # every run needs its `data`
            raise ValueError(f"{dotted} must be a {type(old).__name__}, got None")
        if isinstance(value, dict) and not value:  # which would be merged with the old one
            raise ValueError(f"{dotted} is an empty dict, which sets nothing; give the keys that change, or None")
        check_value(dotted, value, old, cfg.get("default_scope", "mmengine"), whole=True)
        cfg.merge_from_dict({dotted: value})


def value_at(root: Any, dotted: str, also: Collection[str] = ()) -> Any:
    """The value at a dotted key; a list is entered by number. Raises ValueError with the closest name."""
    node = root
    for key in dotted.split("."):
        if isinstance(node, list) and key in map(str, range(len(node))):
            node = node[int(key)]
        elif isinstance(node, dict) and key in node:
            node = node[key]
        else:
            names = [*node, *(also if node is root else ())] if isinstance(node, dict) else []
            hint = nearest(key, [each for each in names if each != key]) if names else "set the whole key above it"
            raise ValueError(f"key {dotted!r} does not exist; {hint}")
    return node


def check_value(key: str, value: Any, old: Any, scope: str, whole: bool = False) -> None:
    """Raise ValueError unless a value may replace `old`: type, keys, classes.

    A `whole` dict (`--set`) may add keys that its class takes.
    """
    if not replaces(value, old):
        raise ValueError(f"{key} must be a {type(old).__name__} such as {old!r:.60}, got {value!r:.60}")
    if isinstance(value, dict) and isinstance(old, dict):
        for name, each in value.items():
            if name in old:
                check_value(f"{key}.{name}".lstrip("."), each, old[name], scope, whole)
            elif name not in (more := taken(key, value.get("type", old.get("type")), scope) if whole else set()):
                raise ValueError(f"key {f'{key}.{name}'.lstrip('.')!r} does not exist; {nearest(name, {*old, *more})}")
    elif isinstance(value, list | tuple) and isinstance(old, list | tuple):
        kinds = [{"type": each["type"]} for each in old[:1] if isinstance(each, dict) and "type" in each]
        for place, each in enumerate(value if kinds else ()):
            check_value(f"{key}.{place}", each, kinds[0], scope, whole=True)
    elif key.endswith(".type") and isinstance(value, str) and value != old:
        check_class(key, value, old, scope)


def replaces(value: Any, old: Any) -> bool:
    """Whether a value may replace `old`; None switches off a slot, but not a part with a type.

    A list has values like the first of the old one, and is not empty.
    """
    if value is None:
        return not (isinstance(old, dict) and "type" in old)
    if isinstance(old, list | tuple) and isinstance(value, list | tuple) and old:
        return bool(value) and all(replaces(each, old[0]) for each in value)
    for kind in (bool, int | float, str, dict, list | tuple):
        if isinstance(old, kind):
            return isinstance(value, kind) and isinstance(value, bool) == isinstance(old, bool)
    return True


def check_class(key: str, name: str, old: str, scope: str) -> None:
    """Raise ValueError if `old` is registered and `name` is not beside it; without a scope, names are of `scope`."""
    for kind in KINDS:
        if is_registered(kind, old, scope) and not is_registered(kind, name, scope):
            scopes = {"": kind, **{f"{child.scope}.": child for child in kind.children.values()}}
            known = [prefix + each for prefix, registry in scopes.items() for each in registry.module_dict]
            raise ValueError(f"{key} {name!r} does not exist; {nearest(name, known)}")


class Anything(set):
    """A set that has every element."""

    def __contains__(self, name: object) -> bool:
        return True


def parameters(of_type: Callable) -> set[str]:
    """The names that a class or function takes, and its base classes, as long as each hands on what it lacks."""
    known = set(OF_MMENGINE)
    for each in inspect.getmro(of_type)[:-1] if inspect.isclass(of_type) else [of_type]:
        own = inspect.signature(each.__init__ if inspect.isclass(each) else each).parameters
        known |= own.keys() - {"self", "args", "kwargs"}
        if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in own.values()):
            return known
    return Anything()


UNTYPED = {  # what dicts without a type take, by their key's last word
    **dict.fromkeys(("train_dataloader", "val_dataloader"), parameters(DataLoader)),
    "train_cfg": parameters(EpochBasedTrainLoop),
    "clip_grad": {"type", "max_norm", "norm_type", "error_if_nonfinite", "foreach", "clip_value"},
    "paramwise_cfg": {"custom_keys", "bias_lr_mult", "bias_decay_mult", "norm_decay_mult", "flat_decay_mult"}
    | {"dwconv_decay_mult", "dcn_offset_lr_mult", "bypass_duplicate", "decay_weights_only"},
    **dict.fromkeys(("custom_keys", "metainfo"), Anything()),
}


def taken(key: str, name: object, scope: str) -> set[str]:
    """The keys that a dict may have: what the class of its type takes, or what UNTYPED says."""
    if not isinstance(name, str):
        return UNTYPED.get(key.split(".")[-1], set())
    found = [kind.get(full_name(name, scope)) for kind in KINDS if is_registered(kind, name, scope)]
    return parameters(found[0]) if found else Anything()


def full_name(name: str, scope: str) -> str:
    """A class's name with its scope."""
    return name if "." in name else f"{scope}.{name}"


def is_registered(kind: Registry, name: str, scope: str) -> bool:
    """Whether a Config with this default scope may use a name."""
    try:
        return callable(kind.get(full_name(name, scope)))
    except RuntimeError:  # mmengine's, for a name that cannot be imported either
        return False
