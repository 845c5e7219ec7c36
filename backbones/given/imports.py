"""Backbones of a user's own modules: imported because the user named the module, in this process and those it starts.

A card from elsewhere names only a class, and no class brings its module in.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from backbones.base import Backbone
from backbones.registry import MODELS

NAMED = "TRICK_TRANSFER_IMPORT"  # the environment of the processes to come: modules, by colons


def adopt(modules: Sequence[str]) -> None:
    """Import modules, register their backbones, and do so in all processes to come. Raises ValueError."""
    for module in modules:
        register(module)
    known = [name for name in os.environ.get(NAMED, "").split(":") if name]
    os.environ[NAMED] = ":".join(dict.fromkeys([*known, *modules]))


def register(module: str) -> None:
    """Import a module, also from the working folder, and register its backbones. Raises ValueError."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)  # last: no file there takes a library's place
    try:
        found = import_module(module)
    except Exception as error:  # it is anyone's code
        raise ValueError(f"--import {module} fails: {type(error).__name__}: {error}") from error
    for kind in vars(found).values():
        extends = isinstance(kind, type) and issubclass(kind, Backbone) and kind is not Backbone
        if extends and MODELS.module_dict.setdefault(kind.__name__, kind) is not kind:
            raise ValueError(f"{module}: a backbone {kind.__name__} exists already; name yours otherwise")


def own(name: str) -> dict[str, str]:
    """The config of `my_module:MyBackbone`. Raises ValueError unless the module was named and has that backbone."""
    module, _, kind = name.partition(":")
    if module not in sys.modules or module not in os.environ.get(NAMED, "").split(":"):
        raise ValueError(f"{name}: {module} is imported only if it is named; add --import {module}")
    if kind not in MODELS.module_dict or MODELS.module_dict[kind] is not getattr(sys.modules[module], kind, None):
        raise ValueError(
            f"{module} has no backbone {kind!r}; it must be a class that extends backbones.base.Backbone, see "
            "CONTRIBUTING.md"
        )
    return dict(type=f"{MODELS.scope}.{kind}")


for each in filter(None, os.environ.get(NAMED, "").split(":")):
    register(each)
