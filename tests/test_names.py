"""No file or package of a user takes the place of ours, and ours take none of theirs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = sorted(path.stem for path in (ROOT / "trick_transfer").iterdir() if (path / "__init__.py").is_file())
IMPORTS = """
import backbones.registry, classification.stage, detection.stage, segmentation.stage
import trick_transfer.stages, trick_transfer.runs.training, trick_transfer.runs.plan, trick_transfer.data_sets.check
from mmengine.registry import MODELS, HOOKS
print(MODELS.get("backbones.ResNet").__module__, HOOKS.get("trick_transfer.History").__module__)
"""


@pytest.fixture
def crowded(tmp_path):
    """A user's folder with modules of every name that we use within our package, as files or as packages."""
    for number, name in enumerate(OURS):
        path = tmp_path / (f"{name}.py" if number % 2 else f"{name}/__init__.py")
        path.parent.mkdir(exist_ok=True)
        path.write_text("raise ImportError('the user\\'s own')\n")
    return tmp_path


def test_a_users_own_engine_or_leaderboard_does_not_hide_ours(crowded):
    assert {"engine", "leaderboard", "mini", "data_sets", "runs"} <= set(OURS)
    run = subprocess.run([sys.executable, "-c", IMPORTS], cwd=crowded, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["backbones.resnet", "trick_transfer.engine.history"]


@pytest.mark.parametrize("tool", ["leaderboard.py", "pipeline.py"])
def test_a_command_starts_in_such_a_folder(crowded, tool):
    command = [sys.executable, str(ROOT / "tools" / tool), "--help"]
    run = subprocess.run(command, cwd=crowded, capture_output=True, text=True, check=False)
    assert run.returncode == 0 and "usage" in run.stdout, run.stderr


def test_what_we_install_at_the_top_is_the_layout_and_one_package():
    import tomllib

    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert set(found) == {"backbones*", "classification*", "detection*", "segmentation*", "trick_transfer*"}
