"""The hashes of a data set's files, for receipts and later checks.

`<root>/manifest.sha256` has one line per file, `<sha256>  <path under root>`, sorted by path, as `sha256sum -c` reads.
Where the data's folder cannot be written, it is in the user's cache folder.

Every run brings it up to date, by hashing what is new or may have changed. That is told by ctime, the time of the last
change of content, name or rights, which only the system sets: `cp -p`, `rsync -t` and `tar` give a replaced file the
mtime of its source, which may be older than the manifest. The manifest's own mtime is the newest ctime that it covers.
"""

import os
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from . import archives
from .files import cache_of, file_sha256, write_whole
from .progress import MANY, over_threads

MANIFEST = "manifest.sha256"
NAMES = "surrogateescape"  # of files need not be UTF-8


def data_files(root: str | Path) -> dict[str, int]:
    """Paths under root with forward slashes -> the ctime in ns of the file, or of a folder or link on its way.

    Links are followed, also into archives, and root may be in one. Hidden files, devices, and the manifest itself are
    left out.
    """
    if os.path.isdir(root):
        return dict(walk(str(root), "", 0, ()))
    return dict.fromkeys(*archives.files_below(root))


def sha256_of(path: Path) -> str:
    """The sha256 of a file, or of one in an archive, in hex. Raises OSError."""
    return file_sha256(path) if path.exists() else sha256(archives.read(path)).hexdigest()


def walk(folder: str, above: str, changed: int, inside: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, int]]:
    """`data_files` of one folder; `inside`: device and number of the folders around it, so that links make no loop."""
    status = os.stat(folder)
    here = status.st_dev, status.st_ino
    if here in inside:
        return
    if above:  # the root's own time changes when the manifest is written
        changed = max(changed, status.st_ctime_ns)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name[0] == "." or entry.name == MANIFEST:
                continue
            newest = max(changed, entry.stat(follow_symlinks=False).st_ctime_ns)
            if entry.is_file(follow_symlinks=False):
                yield above + entry.name, newest
            elif linked := archives.file_status(entry.path):
                yield above + entry.name, max(newest, linked.st_ctime_ns)
            elif os.path.isdir(entry):
                yield from walk(entry.path, f"{above}{entry.name}/", newest, (*inside, here))


def update_manifest(root: str | Path) -> str:
    """Hash what is new or may have changed since the manifest was written, and write it; returns its sha256.

    Raises FileNotFoundError for a folder without files, OSError where no manifest can be written.
    """
    root = Path(root)
    files = data_files(root)
    if not files:
        raise FileNotFoundError(f"{root} holds no file")
    known, written, newest = read_manifest(root), written_ns(root), max(files.values())
    hashes = {name: known[name] for name in files.keys() & known if files[name] < written}
    names = sorted(files.keys() - hashes)
    if len(names) > MANY:
        print(f"{root}: hashing {len(names):,} files, once", file=sys.stderr)
    digests = over_threads(sha256_of, [root / name for name in names], f"hashing {root}")
    hashes |= dict(zip(names, digests, strict=True))
    if known and hashes != known:
        differing = len(dict(known.items() ^ hashes.items()))
        print(f"{root}: {differing:,} files differ from {MANIFEST}, which is written anew", file=sys.stderr)
    if hashes != known or written < newest:
        write_manifest(root, hashes, newest)
    return manifest_digest(root)


def read_manifest(root: Path) -> dict[str, str]:
    """Path under root -> sha256; empty if there is no manifest."""
    path = manifest_path(root)
    lines = path.read_text("utf-8", NAMES).split("\n")[:-1] if path.is_file() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def write_manifest(root: Path, hashes: dict[str, str], newest_ns: int) -> None:
    """Write it whole or not at all, with this mtime."""

    def write(part: Path) -> None:
        part.write_text("".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes)), "utf-8", NAMES)
        os.utime(part, ns=(newest_ns, newest_ns))

    path = kept_path(root)
    try:
        write_whole(path, write)
    except OSError as error:
        where = f"the manifest of {root} cannot be written into {path.parent} ({error.strerror})"
        raise OSError(f"{where}; make it writable, or let XDG_CACHE_HOME name a folder that is") from None


def kept_path(root: Path) -> Path:
    """Where the manifest is written: into the data's folder, or if that cannot be written, into the cache folder."""
    if os.access(root, os.W_OK):
        return root / MANIFEST
    return cache_of(root) / MANIFEST


def manifest_path(root: Path) -> Path:
    """Where the manifest is read: a folder that cannot be written may hold one, too."""
    kept = kept_path(root)
    return kept if kept.is_file() else root / MANIFEST


def written_ns(root: Path) -> int:
    """The newest ctime that the manifest covers; 0 if there is none."""
    path = manifest_path(root)
    return path.stat().st_mtime_ns if path.is_file() else 0


def manifest_digest(root: str | Path) -> str:
    """The manifest's sha256. Raises FileNotFoundError if there is no manifest."""
    path = manifest_path(Path(root))
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; tools/data.py check writes it")
    return file_sha256(path)
