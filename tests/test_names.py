"""No file or package of a user takes the place of ours, and ours take none of theirs."""

import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from backbones.resnet import ResNet
from trick_transfer.engine.files import write_tensors
from trick_transfer.stages import STAGES

ROOT = Path(__file__).parents[1]
OURS = sorted(path.stem for path in (ROOT / "trick_transfer").iterdir() if (path / "__init__.py").is_file())
IMPORTS = """
import backbones.registry, classification.stage, detection.stage, segmentation.stage, probing.stage
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
    assert set(found) == {"backbones*", *(f"{stage}*" for stage in STAGES), "trick_transfer*"}


EXAMPLE = """
from hashlib import sha256
import torch
from mmengine.config import Config
cfg = Config.fromfile("example.py")
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope
from mmdet.structures import DetDataSample
init_default_scope("mmdet")
model = MODELS.build(cfg.model).eval()
sample = DetDataSample(metainfo=dict(img_shape=(64, 64), ori_shape=(64, 64), scale_factor=(1, 1)))
(found,) = model(torch.rand(1, 3, 64, 64), [sample], mode="predict")
boxes, first = found.pred_instances.bboxes, model.backbone.stem[0].conv.weight
print(type(model.backbone).__module__, boxes.shape[1], sha256(first.detach().numpy().tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_readmes_mmdet_config_builds_a_detector_from_a_folder_with_such_names(crowded):
    import mmdet

    (example,) = re.findall(r"```python\n(_base_.*?)```", (ROOT / "README.md").read_text(), re.S)
    configs = Path(mmdet.__file__).parent / ".mim" / "configs"
    (crowded / "example.py").write_text(example.replace("mmdetection/configs", str(configs)))
    for name in ("detection", "segmentation"):
        (crowded / name).mkdir()
        (crowded / name / "__init__.py").write_text("raise ImportError('the user\\'s own')\n")
    backbone = ResNet(depth=50, tweak="bcd")
    write_tensors(crowded / "work/paper/resnet50d_best/seed0/backbone.safetensors", backbone.state_dict())
    run = subprocess.run([sys.executable, "-c", EXAMPLE], cwd=crowded, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    arrived = sha256(backbone.stem[0].conv.weight.detach().numpy().tobytes()).hexdigest()
    assert run.stdout.split()[-3:] == ["backbones.resnet", "4", arrived]
