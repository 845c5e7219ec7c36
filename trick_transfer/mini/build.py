"""`make(root)` writes the embedded data set on all cores, whole or not at all, and the same on every machine.

root/imagenet1k/{train,val}/<class>/*.jpg    and swapped/<class>/<other class's coat>_*.jpg, a diagnostic
root/voc0712/VOCdevkit/{VOC2007,VOC2012}/{JPEGImages,Annotations,ImageSets/Main}
root/ade20k/ADEChallengeData2016/{images,annotations}/{training,validation}
"""

import json
import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from hashlib import sha256
from pathlib import Path

import cv2
from rich.progress import Progress

from trick_transfer.engine.files import part_of
from trick_transfer.engine.processes import cores, die_with

from .splits import SPLITS, write, write_image_set

VERSION = 4  # raised with every change of the data
# Of all pictures (before JPEG) and labels in order; and of the first and last scene of each split only.
CONTENT_SHA256 = "86127189efe1e65f7f1ffb66b7ca340d0c100bb2edbcd5c383fd7128b17a8bcb"
SAMPLE_SHA256 = "afb2aedf317c16a0a2974a503cf19da4f923422d04f1b3e7b477b1bf794d73aa"
STAMP = "mini.json"


def begin(parent: int) -> None:
    """Called in each process of the pool: end with the one that started it, and use one core."""
    die_with(parent)
    cv2.setNumThreads(1)


def make_one(task: tuple[int, int, str]) -> str:
    """Render and write a sample; `task` is the split's number, the index and the root. Returns the sample's sha256."""
    number, index, root = task
    split = SPLITS[number]
    scene = split.scene(index)
    return sha256(scene.image.tobytes() + write(scene, split, index, Path(root))).hexdigest()


def fill(folder: Path) -> str:
    """Write every split into `folder`; returns the sha256 of the content. Raises OSError if a process is killed."""
    tasks = [(number, i, str(folder)) for number, split in enumerate(SPLITS) for i in range(split.count)]
    content = sha256()
    spawn = multiprocessing.get_context("spawn")  # the caller may have threads (torch's), which do not survive a fork
    with Progress() as progress, ProcessPoolExecutor(cores(), spawn, begin, (os.getpid(),)) as pool:
        bar = progress.add_task("mini: composing scenes", total=len(tasks))
        try:
            for one in pool.map(make_one, tasks, chunksize=25):
                content.update(one.encode())
                progress.advance(bar)
        except BaseException as error:
            pool.shutdown(wait=True, cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                words = "a process that makes the data was killed (out of memory?); the same command starts over"
                raise ChildProcessError(words) from error
            raise
    for split in SPLITS:
        if split.form == "voc":
            write_image_set(split, folder)
    return content.hexdigest()


def is_made(root: Path) -> bool:
    """Whether `root` holds this version of the data. Raises ValueError for a broken stamp."""
    stamp = root / STAMP
    try:
        return stamp.is_file() and json.loads(stamp.read_text())["version"] == VERSION
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{stamp} is broken ({error}); delete {root} to make it again") from error


def make(root: Path) -> None:
    """Make the data, unless this version exists (a check of milliseconds). Raises ValueError for other files there."""
    root = Path(root)
    if is_made(root):
        return
    if root.is_dir() and any(root.iterdir()) and not (root / STAMP).is_file():
        raise ValueError(f"{root} is not empty and holds no mini data; name another folder, or empty it")
    with part_of(root, folder=True) as part:
        (part / STAMP).write_text(json.dumps({"version": VERSION, "content_sha256": fill(part)}) + "\n")
        if not is_made(root):  # else another process was faster
            shutil.rmtree(root, ignore_errors=True)
            part.rename(root)
