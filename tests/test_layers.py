"""Imports go one way: commands -> leaderboard, data_sets, mini, stages -> backbones, engine -> torch, mmengine."""

import ast
import re
import sys
from pathlib import Path

import pytest

from trick_transfer.command_line import COMMANDS

ROOT = Path(__file__).parents[1]
PARTS = (
    "commands",
    "engine",
    "runs",
    "leaderboard",
    "exports",
    "mini",
    "data_sets",
    "own_data",
    "speed",
)  # of the package trick_transfer
FOUNDATION = {"backbones", "engine", "registry"}
STAGES = {"classification", "detection", "probing", "segmentation"}
MAY_IMPORT = {  # of ours, beside itself
    "engine": {"registry"},
    "backbones": {"engine"},
    **{stage: FOUNDATION for stage in sorted(STAGES)},  # in one order: workers of xdist collect alike
    "mini": FOUNDATION,
    "data_sets": FOUNDATION | STAGES | {"mini"},
    "own_data": FOUNDATION | {"data_sets"},
    "runs": FOUNDATION | STAGES | {"stages", "tiers", "data_sets", "own_data"},
    "leaderboard": FOUNDATION | STAGES | {"runs", "mini", "stages"},
    "exports": FOUNDATION | STAGES | {"runs", "leaderboard", "stages"},
    "speed": FOUNDATION | STAGES | {"runs", "leaderboard", "stages"},
    "commands": FOUNDATION
    | STAGES
    | {"leaderboard", "exports", "runs", "mini", "data_sets", "own_data", "speed", "stages"},
    "tools": set(),
}
ONLY_IN = {  # a library: the packages that may import it
    "mmdet": {"detection"},
    "mmseg": {"segmentation"},
    "mmcv": {"detection", "segmentation", "engine"},
    "urllib": {"data_sets"},
    "pytest": set(),
}


def sources(package):
    return sorted((ROOT / ("trick_transfer" if package in PARTS else "") / package).rglob("*.py"))


def part(module):
    """trick_transfer.engine.files -> engine; torch.nn -> torch."""
    return module.removeprefix("trick_transfer.").split(".")[0]


def imported(path):
    """The parts of ours and the libraries that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (part(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "trick_transfer":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield part(node.module or "")


def escapes(path, package):
    """Relative imports that climb out of the package."""
    depth = len(path.relative_to(sources(package)[0].parent).parts)
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
    for room in MAY_IMPORT:
        for path in sources(room):
            importing = re.findall(r"^.*import .*$", path.read_text(), re.M)
            fetching = [line for line in importing if re.search(r"data_sets\.download", line)]
            assert not fetching or path.name == "data.py", path


def test_recipes_are_data():
    """An import other than a builtin's would flip mmengine's config dialect."""
    for path in sources("classification/recipes"):
        assert not list(imported(path)), path.name


def test_the_rule_sees_what_it_forbids(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("def f():\n    import mmdet.models\n    from trick_transfer.mini.animals import load\n")
    assert set(imported(path)) == {"mmdet", "mini"}


def test_a_recipe_is_read_through_at_most_two_files():
    """What a recipe is should be seen at a glance: itself, and the two that it builds on."""
    folder = ROOT / "classification" / "recipes"

    def bases(path):
        base = re.search(r'^_base_ = "(.*)"$', path.read_text(), re.M)
        return 1 + bases(path.parent / base[1]) if base else 0

    assert {path.name for path in folder.glob("*.py") if bases(path) > 2} == set()


def test_commands_only_command():
    """They parse, call and print; nothing patches a path, and no command hides a package."""
    for path in sources("commands"):
        assert "sys.path" not in path.read_text(), path.name
        assert len(path.read_text().splitlines()) < 130, path.name


def test_every_command_has_its_script_and_starts_at_once():
    """A signal in the first second is caught: what is imported before the handlers takes no time."""
    scripts = {path.stem: path.read_text() for path in sources("tools")}
    assert set(scripts) == {path.stem for path in sources("commands")} - {"__init__"} == set(COMMANDS)
    assert len(set(scripts.values())) == 1
    own = list(imported(ROOT / "trick_transfer" / "command_line.py"))
    assert set(own) <= sys.stdlib_module_names
