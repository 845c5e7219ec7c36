"""The hashes of a data set's files, for receipts and later checks.

`<root>/manifest.sha256` has one line per file, `<sha256>  <path under root>`, sorted by path, as `sha256sum -c` reads.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .files import file_sha256, write_whole

MANIFEST = "manifest.sha256"


def data_files(root: Path) -> Iterator[str]:
    """Paths under root with forward slashes, except hidden files and the manifest itself."""
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        relative = Path(folder).relative_to(root)
        yield from ((relative / name).as_posix() for name in names if not name.startswith(".") and name != MANIFEST)


def write_manifest(root: str | Path) -> str:
    """Hash every file under root and write the manifest, whole or not at all; returns its sha256."""
    root = Path(root)
    names = sorted(data_files(root))
    with ThreadPoolExecutor() as pool:  # hashing releases the GIL
        hashes = pool.map(file_sha256, (root / name for name in names))
        text = "".join(f"{digest}  {name}\n" for digest, name in zip(hashes, names, strict=True))
    write_whole(root / MANIFEST, lambda part: part.write_text(text, "utf-8"))
    return manifest_digest(root)


def read_manifest(root: Path) -> dict[str, str]:
    """Path under root -> sha256; empty if there is no manifest."""
    path = root / MANIFEST
    lines = path.read_text("utf-8", "surrogateescape").splitlines() if path.is_file() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def manifest_digest(root: str | Path) -> str:
    """The manifest's sha256. Raises FileNotFoundError if there is no manifest."""
    path = Path(root, MANIFEST)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; tools/data.py check writes it once all files are intact")
    return file_sha256(path)
