"""What a run's model predicts on images of the user's own: pictures, masks, and a file for other programs."""

import json
import os
import sys
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.runner import Runner
from PIL import Image
from rich.console import Console
from rich.progress import track

from trick_transfer.engine.checkpoint import unwrapped
from trick_transfer.engine.files import file_sha256, write_whole
from trick_transfer.engine.images import SKIPPING, SUFFIXES, decode, is_image, orientation
from trick_transfer.engine.manifest import data_files
from trick_transfer.engine.pictures import rgb
from trick_transfer.engine.stage import Stage
from trick_transfer.stages import STAGES

from .run import Run
from .scoring import scorer

FILE_NAME = "predictions.json"
KINDS = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
MOST_NAMED = 5
MOST_BYTES = 200  # of a file's name, before what is added to it; file systems take 255


def images_of(places: Iterable[Path]) -> dict[Path, str]:
    """Each file, and all images below each folder -> a name for it, which no other has, whatever the case.

    A name is a path below the folder, without suffix. A link to nothing has one, too: it is told as unreadable. Raises
    FileNotFoundError, or ValueError for no image.
    """
    names: dict[Path, str] = {}
    for place in places:
        if not place.exists():
            raise FileNotFoundError(f"{place} does not exist")
        below = sorted(filter(is_image, {*data_files(place), *dangling(place)})) if place.is_dir() else []
        if not below and not place.is_file():
            raise ValueError(f"{place} holds no image ({KINDS}); name image files, or folders of them")
        names |= {place / name: name for name in below} or {place: place.name}
    taken: set[str] = set()
    for path, name in names.items():
        names[path] = next(each for each in candidates(name) if each.casefold() not in taken)
        taken.add(names[path].casefold())
    return names


def dangling(folder: Path) -> Iterator[str]:
    """The links to nothing below a folder, as paths under it, without hidden ones."""
    for path in folder.rglob("*"):
        under = path.relative_to(folder)
        if path.is_symlink() and not path.exists() and not any(part.startswith(".") for part in under.parts):
            yield under.as_posix()


def candidates(name: str) -> Iterator[str]:
    """Names for an image, in the order in which they are taken: without suffix, with it, with a number."""
    folder, last = os.path.split(name)
    short = os.fsdecode(os.fsencode(os.path.splitext(last)[0])[:MOST_BYTES])
    whole = os.fsdecode(os.fsencode(last)[:MOST_BYTES])
    return (os.path.join(folder, each) for each in chain((short, whole), (f"{short}_{n}" for n in count(2))))


def check_new(out: Path) -> None:
    """Raise ValueError for a folder that holds anything, so that nothing in it is overwritten."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"--out {out} is there already; name a new or an empty folder")


def predict(run: Run, checkpoint: Path, places: Collection[Path], out: Path) -> tuple[int, int]:
    """Write out/{pictures,masks}/NAME and out/predictions.json; returns the number of images, and of unreadable ones.

    An image that cannot be read is named, and the rest goes on. Raises ValueError or OSError for other bad input, and
    ValueError where none can be read; then nothing is written.
    """
    if type(run.task).predicted is Stage.predicted:
        able = [name for name, stage in STAGES.items() if type(stage).predicted is not Stage.predicted]
        raise ValueError(f"{run.stage} predicts nothing of single images; use {', '.join(able)}")
    images, console = images_of(places), Console(stderr=True)
    check_new(out)
    tell_others(places)
    model = Model(run, checkpoint)
    written: dict[str, Any] = {"run": run.title, "checkpoint": str(checkpoint)}
    written |= {"checkpoint_sha256": file_sha256(checkpoint)}
    written |= {"categories": [{"id": number, "name": name} for number, name in enumerate(model.classes)]}
    written |= {"images": [], "annotations": [], "unreadable": []}
    for path, name in track(images.items(), run.title, console=console, disable=not console.is_terminal):
        try:
            image, found = model.look(path)
        except (ValueError, OSError) as fault:
            reason = str(fault).splitlines()[0].replace(SKIPPING, "")
            print(f"left out: {reason}", file=sys.stderr)
            written["unreadable"].append({"file_name": str(path), "reason": reason})
        else:
            add(written, str(path), *model.write(image, found, name, out))
    if not written["images"]:
        raise ValueError(f"no image of {len(images):,} could be read; nothing is written")
    tell_turned(images)
    text = json.dumps(written, indent=1) + "\n"
    write_whole(out / FILE_NAME, lambda part: part.write_text(text))
    return len(images), len(written["unreadable"])


def add(written: dict[str, Any], file_name: str, entry: dict[str, Any], boxes: list[dict[str, Any]]) -> None:
    """Add an image and its boxes, with ids, to what is written."""
    image_id, first = len(written["images"]), len(written["annotations"])
    written["images"].append({"id": image_id, "file_name": file_name} | entry)
    written["annotations"] += [{"id": first + place, "image_id": image_id} | box for place, box in enumerate(boxes)]


class Model:
    """A run's model for single images."""

    def __init__(self, run: Run, checkpoint: Path) -> None:
        cfg = run.config()
        self.network = unwrapped(scorer(run, checkpoint)).eval()
        self.stage, self.classes, self.feed = run.task, run.task.classes(cfg), run.task.feeder(cfg)
        loader = cfg.val_dataloader | dict(dataset=[None], num_workers=0, persistent_workers=False)
        self.collate = Runner.build_dataloader(loader).collate_fn

    @torch.no_grad()
    def look(self, path: Path) -> tuple[np.ndarray, Any]:
        """An image, and the prediction. Raises ValueError or OSError for an image that cannot be read."""
        image = decode(path)
        try:
            sample = self.feed(path)
        except cv2.error as fault:
            size = "x".join(map(str, image.shape[1::-1]))
            raise ValueError(f"{path} ({size} px) cannot be resized: {fault.err}") from None
        return image, self.network.val_step(self.collate([sample]))[0]

    def write(self, image: np.ndarray, found: Any, name: str, out: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Write the picture and the mask of an image; returns its entry in the file, and its boxes."""
        told, (height, width) = self.stage.predicted(found, self.classes), image.shape[:2]
        entry = dict(width=width, height=height, picture=f"pictures/{name}.jpg") | told.facts
        save(out / entry["picture"], Image.fromarray(self.stage.draw(image, found, self.classes)), "jpeg", quality=92)
        if told.mask is not None:
            entry["mask"] = f"masks/{name}.png"
            save(out / entry["mask"], coloured(told.mask), "png", optimize=True)
        return entry, told.boxes


def save(path: Path, image: Image.Image, kind: str, **options: Any) -> None:
    """Write an image whole."""
    write_whole(path, partial(image.save, format=kind, **options))


def coloured(mask: np.ndarray) -> Image.Image:
    """A mask (H, W) uint8 as an image of a palette: its pixels are the classes' numbers."""
    image = Image.fromarray(mask)
    image.putpalette([part for label in range(256) for part in rgb(label)])
    return image


def tell_turned(images: Iterable[Path]) -> None:
    """Say how many images EXIF would turn."""
    if turned := sum(orientation(path) > 1 for path in images):
        what = f"{counted(turned, 'image')} would be turned by EXIF"
        print(f"{what}; all are read as stored, as in training", file=sys.stderr)


def tell_others(places: Iterable[Path]) -> None:
    """Say how many files of the folders are left out, and name some."""
    folders = [place for place in places if place.is_dir()]
    others = sorted(str(place / name) for place in folders for name in data_files(place) if not is_image(name))
    if others:
        named = ", ".join(others[:MOST_NAMED]) + (", ..." if len(others) > MOST_NAMED else "")
        print(f"left out: {counted(len(others), 'file')} not named {KINDS}: {named}", file=sys.stderr)


def counted(number: int, what: str) -> str:
    """How many of what, in words."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
