"""Weights from a file, which may come from elsewhere: nothing in it is run, and what does not fit is named.

A checkpoint may hold more than the weights, in dicts within dicts, and their names may have a prefix. One name is made
of both: the network's own names stand behind one prefix of it, as in `state_dict.module.conv1.weight`.
"""

import re
import sys
from argparse import Namespace
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

COUNTER = "num_batches_tracked"  # older weights, such as torchvision's first ones, lack it, and nothing here reads it
LISTED, DEPTH = 4, 6  # names in a message; dicts within dicts
# torch's wrappers of a single layer (torch.compile, FSDP, activation checkpointing): they stand amid a name
WRAPPERS = re.compile(r"(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
BARE = "(no prefix)"
CONVERT = "load it where you trust it, and torch.save(model.state_dict(), 'weights.pth')"
FROM_NUMPY = "torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, 'weights.pth') converts it"
MAKERS = (np._core.multiarray._reconstruct, np._core.multiarray.scalar)  # type: ignore[attr-defined]
# What a checkpoint may hold beside torch's own: they are data, and making one runs none of the file's code.
SAFE: list[Any] = [
    *(Namespace, np.ndarray, np.dtype, *(type(np.dtype(kind)) for kind in "?bBhHiIlLefd")),
    *MAKERS,
    *((each, f"numpy.core.multiarray.{each.__name__}") for each in MAKERS),  # NumPy 1's names
]


def load(path: str | Path, device: Any = "cpu") -> Any:
    """What a .safetensors or .pth file holds: tensors, numbers, texts. Raises FileNotFoundError, ValueError."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint {path} does not exist; correct the path, or train what writes it")
    if not path.stat().st_size:
        raise ValueError(f"{path} is empty; get it again")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with torch.serialization.safe_globals(SAFE):
            return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # whatever a damaged file makes torch raise
        if code := re.search(r"GLOBAL (\S+)", str(error)):
            raise ValueError(f"{path} holds {code[1]}, which could run code; {CONVERT}") from error
        if "TorchScript" in str(error):
            raise ValueError(f"{path} is a TorchScript program, which is code; {CONVERT}") from error
        if kind := foreign(path):
            raise ValueError(f"{path} is no checkpoint of torch or safetensors: it is {kind}") from error
        # without torch's advice to read it unsafely
        reason = str(error).rpartition("WeightsUnpickler error: ")[2].strip()
        lines = reason.split(". ")[0].splitlines() or [type(error).__name__]
        raise ValueError(f"{path} is not a plain, whole checkpoint of weights: {lines[0]}") from error


def foreign(path: Path) -> str:
    """What a file is that only looks like a checkpoint, and what to do with it; "" if that is not known."""
    with path.open("rb") as file:
        start = file.read(512)
    kinds = {
        b"version https://git-lfs.": "a Git LFS pointer; fetch it: git lfs pull",
        **dict.fromkeys((b"\x80\x03", b"\x80\x04", b"\x80\x05"), f"a pickle of Python's own; {CONVERT}"),
        b"\x1f\x8b": "compressed by gzip; unpack it: gunzip",
        b"\x93NUMPY": f"a NumPy array; {FROM_NUMPY}",
    }
    if known := next((kind for mark, kind in kinds.items() if start.startswith(mark)), ""):
        return known
    if start.startswith(b"PK") and b".npy" in start:
        return f"a NumPy archive; {FROM_NUMPY}"
    text = start and all(each in b"\t\n\r" or 32 <= each < 127 for each in start)
    return "text, as a page or a note in place of the file; get the file itself" if text else ""


def leaves(node: Mapping[Any, Any], prefix: str = "", depth: int = DEPTH) -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of what dicts within dicts hold; keys that are no text name no weights."""
    for key, value in node.items():
        if isinstance(value, Mapping) and isinstance(key, str) and depth:
            yield from leaves(value, f"{prefix}{key}.", depth - 1)
        elif isinstance(key, str):
            yield prefix + key, value


def read_weights(path: str | Path, names: Collection[str] = (), part: str = "") -> dict[str, Tensor]:
    """The `weights_in` a .safetensors or .pth file. Raises what `load` and `weights_in` raise."""
    return weights_in(load(path), path, names, part)


def weights_in(held: Any, path: str | Path, names: Collection[str] = (), part: str = "") -> dict[str, Tensor]:
    """The state dict in a checkpoint; given a network's `names`, what stands behind the prefix of these.

    `part` is that prefix, or its beginning, if there are several. Raises ValueError unless all are whole tensors of
    finite numbers.
    """
    state = flat(held, path)
    if names:
        prefix = prefix_of(state, names, path, part)
        state = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        state = {name: value for name, value in state.items() if name in names or isinstance(value, Tensor)}
    if not state:
        raise ValueError(f"{path} holds no tensor that has a name")
    check_values(state, path)
    return state


def flat(held: Any, source: str | Path) -> dict[str, Any]:
    """The `leaves` of a checkpoint, names less torch's `WRAPPERS`. Raises ValueError for no dict, or one of arrays."""
    if not isinstance(held, Mapping):
        raise ValueError(f"{source} holds a {type(held).__name__}, not a state dict")
    state = dict(leaves(held))
    arrays = [name for name, each in state.items() if isinstance(each, np.ndarray)]
    if arrays and not any(isinstance(each, Tensor) for each in state.values()):
        raise ValueError(f"{source} holds NumPy arrays, such as {arrays[0]:.80}, and no tensors; {FROM_NUMPY}")
    bare = {WRAPPERS.sub("", name): value for name, value in state.items()}
    return bare if len(bare) == len(state) else state  # else it holds a network twice, told apart by the wrapper


def prefix_of(state: Collection[str], names: Collection[str], source: str | Path, part: str = "") -> str:
    """What stands before a network's `names` in those of a checkpoint. Raises ValueError if none or several fit."""
    known = [name for name in names if not name.endswith(COUNTER)]
    found = behind(state, known, part)
    whole = [prefix for prefix, those in found.items() if len(those) == len(known)]
    if len(whole) > 1:
        raise several(whole, source)
    if not found:
        raise no_names(state, names, source, part)
    prefix = max(found, key=lambda each: len(found[each]))
    if prefix:
        print(f"{source}: read without the prefix {prefix}", file=sys.stderr)
    return prefix


def behind(state: Collection[str], names: Collection[str], part: str = "") -> dict[str, dict[str, str]]:
    """{prefix: {each of a network's `names` that a checkpoint has behind it: its name there}}."""
    known = {spelt(name): name for name in names}
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name in state:
        for start in [0, *(dot.end() for dot in re.finditer(r"\.", name))]:
            if (own := known.get(spelt(name[start:]))) and is_part(name[:start], part):
                found[name[:start]][own] = name
    return found


def is_part(prefix: str, part: str) -> bool:
    """Whether a prefix is `part`, or begins with it; `BARE` is none at all."""
    return not prefix if part == BARE else prefix.startswith(part and f"{part.rstrip('.')}.")


def several(prefixes: Collection[str], source: str | Path) -> ValueError:
    """The error for a checkpoint of several networks that all fit."""
    shown = ", ".join(prefix.rstrip(".") or BARE for prefix in prefixes)
    return ValueError(f"{source} holds {len(prefixes)} such networks: {shown}; name one with --part")


def no_names(state: Collection[str], names: Collection[str], source: str | Path, part: str) -> ValueError:
    """The error for a checkpoint that has none of a network's names."""
    has, needs = (next(iter(some), "nothing") for some in (state, names))
    where = f" behind {part}" if part else ""
    return ValueError(f"{source} has none of the network's names{where}: {has:.80} is there, {needs} is needed")


def spelt(name: str) -> str:
    """A name as timm's feature extractors and its classifiers spell alike: `blocks_0` and `blocks.0`."""
    return name.replace(".", "_")


def check_values(state: Mapping[str, Any], source: str | Path) -> None:
    """Raise ValueError for a value that is no dense tensor of finite real numbers."""
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise ValueError(f"{source}: {name} is a {type(value).__name__}, not a tensor")
        if value.layout != torch.strided or value.is_meta or value.is_quantized or value.is_complex():
            raise ValueError(f"{source}: {name} is not a dense tensor of real numbers; save it as one")
        if value.is_floating_point() and not value.float().isfinite().all():
            raise ValueError(f"{source}: {name} holds NaN or infinity: its training diverged; train with a lower rate")


def misfits(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    """In which tensors a state dict differs from a network's own, in words; "" if in none."""
    shapes = [f"{name} {tuple(state[name].shape)} for {tuple(own[name].shape)}" for name in own
              if name in state and state[name].shape != own[name].shape]  # fmt: skip
    kinds = [name for name in own if name in state
             if own[name].is_floating_point() and not state[name].is_floating_point()]  # fmt: skip
    found: dict[str, Collection[str]] = {"lacks": own.keys() - state.keys(), "also has": state.keys() - own.keys()}
    found |= {"has other shapes:": shapes, "has whole numbers in": kinds}
    return "; ".join(f"it {what} {some(names)}" for what, names in found.items() if names)


def some(names: Collection[str]) -> str:
    """A few names, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(sorted(names)[:LISTED]) + more


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], source: str | Path) -> None:
    """Load a state dict whose names and shapes are exactly the module's. Raises ValueError that lists the others."""
    if fault := misfits(module.state_dict(), state):
        raise ValueError(f"{source} does not fit {type(module).__name__}: {fault}")
    module.load_state_dict(state)
