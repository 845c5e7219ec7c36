import shutil
import subprocess
from hashlib import sha256

import pytest

from trick_transfer.engine.manifest import manifest_digest, write_manifest


def test_sha256sum_finds_every_file_as_the_manifest_says(photos, tmp_path):
    root = shutil.copytree(photos, tmp_path / "copy")
    (root / ".hidden").write_text("no data")
    digest = write_manifest(root)
    check = subprocess.run(["sha256sum", "-c", "manifest.sha256"], cwd=root, capture_output=True, text=True, check=True)
    listed = {line.removesuffix(": OK") for line in check.stdout.splitlines()}
    assert listed == {str(path.relative_to(root)) for path in root.rglob("*.jpg")}
    assert digest == manifest_digest(root) == sha256((root / "manifest.sha256").read_bytes()).hexdigest()
    assert write_manifest(root) == digest  # the manifest is not part of itself


def test_another_pixel_is_another_manifest(photos, tmp_path):
    root = shutil.copytree(photos, tmp_path / "copy")
    before = write_manifest(root)
    with next(root.rglob("*.jpg")).open("ab") as file:
        file.write(b"\0")
    assert write_manifest(root) != before


def test_a_missing_manifest_is_named_with_the_command_that_writes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"manifest\.sha256 .*tools/data\.py check"):
        manifest_digest(tmp_path)
