"""Imports go one way: tools -> leaderboard, data_sets, mini, stages -> backbones, engine -> torch, mmengine."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOUNDATION = {"backbones", "engine"}
STAGES = {"classification", "detection", "segmentation"}
MAY_IMPORT = {  # of ours, beside itself
    "engine": set(),
    "backbones": {"engine"},
    **{stage: FOUNDATION for stage in STAGES},
    "leaderboard": FOUNDATION,
    "mini": FOUNDATION,
    "data_sets": FOUNDATION | STAGES | {"mini"},
    "tools": FOUNDATION | STAGES | {"leaderboard", "mini", "data_sets", "tools"},
}
ONLY_IN = {  # a library: the packages that may import it
    "mmdet": {"detection"},
    "mmseg": {"segmentation"},
    "mmcv": {"detection", "segmentation", "engine"},
    "urllib": {"data_sets"},
    "pytest": set(),
}


def sources(package):
    return sorted((ROOT / package).rglob("*.py"))


def imported(path):
    """The absolute top-level names a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").split(".")[0]


def escapes(path, package):
    """Relative imports that climb out of the package."""
    depth = len(path.relative_to(ROOT / package).parts)
    nodes = ast.walk(ast.parse(path.read_text("utf-8"), str(path)))
    return [node.lineno for node in nodes if isinstance(node, ast.ImportFrom) and node.level > depth]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_go_one_way(package):
    allowed = MAY_IMPORT[package] | {package}
    assert sources(package), f"{package} has no sources"
    for path in sources(package):
        wrong = (set(imported(path)) & MAY_IMPORT.keys()) - allowed
        assert not wrong, f"{path.relative_to(ROOT)} imports {', '.join(sorted(wrong))}"
        assert not escapes(path, package), f"{path.relative_to(ROOT)} imports from outside its package"


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_openmmlab_libraries_stay_in_their_stage(package):
    for path in sources(package):
        wrong = {name for name in imported(path) if package not in ONLY_IN.get(name, {package})}
        assert not wrong, f"{path.relative_to(ROOT)} imports {', '.join(sorted(wrong))}"


def test_nothing_is_downloaded_but_by_the_data_tool():
    importing = [path for path in sources("tools") if "data_sets" in imported(path)]
    assert [path.name for path in importing] == ["data.py", "dry_run.py"]  # the second wants its facts only
    assert not re.search("prepare|download", importing[1].read_text())


def test_recipes_are_data():
    """An import other than a builtin's would flip mmengine's config dialect."""
    for path in sources("classification/recipes"):
        assert not list(imported(path)), path.name


def test_the_rule_sees_what_it_forbids(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("def f():\n    import mmdet.models\n    from mini.animals import load\n    from . import x\n")
    assert set(imported(path)) == {"mmdet", "mini"}


def test_every_package_is_installed_and_checked():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert set(project["mypy"]["files"]) == MAY_IMPORT.keys()
    assert {name.split(".")[0] for name in project["setuptools"]["packages"]} == MAY_IMPORT.keys() - {"tools"}
