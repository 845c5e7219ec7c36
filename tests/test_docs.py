"""What the documentation says holds: its commands are run, its error messages are those of the code.

A command in a fence `sh` is planned here, or another test runs it (RUN_BY). One that cannot be run without data, a GPU,
a network, a cluster or Docker is in a fence `sh needs=...`, and its options are still read by its own parser.
"""

import argparse
import ast
import re
import shlex
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from mmengine.config import Config

from classification.tricks import SLOTS
from trick_transfer.command_line import COMMANDS, OF_MACHINE

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PACKAGES = ("backbones", "classification", "detection", "probing", "segmentation", "trick_transfer")
FENCE = re.compile(r"^```sh *([^\n]*)\n(.*?)^```$", re.M | re.S)
FILE = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```$", re.M | re.S)
NEEDS = {"data", "gpu", "network", "cluster", "docker"}
PLAN = {"pipeline": "--plan", "ablate": "--plan", "train": "--show"}  # options with which nothing is trained
PLANNED_ALL_THE_SAME = {"gpu"}
VERIFIED = "test_scores.py::test_verify_passes_a_sound_row_and_fails_a_changed_one_with_its_fault"
EXPORTED = "test_pipeline.py::test_a_run_is_exported_by_its_name"
RUN_BY = {  # a command, other names and folders aside: the test that runs it
    "tools/doctor.py": "test_machine.py::test_a_machine_with_room_can_train_and_every_check_says_what_it_found",
    **{f"tools/export.py resnet50d_best --to {to}": EXPORTED for to in ("timm", "mm", "onnx")},
    "tools/export.py resnet50_baseline --to torchvision": "test_exports.py::test_torchvision_loads_every_tensor",
    "tools/leaderboard.py": "test_tables.py::test_the_tool_writes_all_files_and_names_what_it_left_out",
    "tools/leaderboard.py --pool": "test_tables.py::test_pooled_a_row_of_yours_and_the_references_are_one",
    "tools/leaderboard.py verify resnet50d_best": VERIFIED,
    "tools/leaderboard.py verify mini/resnet50d_best/seed0/detection": VERIFIED,
    "tools/status.py": "test_status.py::test_the_table_names_each_run_and_counts_all",
}
MADE = ("setup", "test")  # by .ci/run; each target sets up


def commands():
    """(page, what it needs, command) of every line in a fence `sh`."""
    for page in PAGES:
        for needs, text in FENCE.findall(page.read_text("utf-8")):
            for line in text.replace("\\\n", " ").splitlines():
                if words := shlex.split(line, comments=True):
                    yield page.name, frozenset(needs.removeprefix("needs=").split(",")) - {""}, tuple(words)


def command_of(words):
    """pipeline, of tools/pipeline.sh and of .venv/bin/trick-transfer pipeline, with its options; else None."""
    program = Path(words[0])
    if program.parent.name == "tools" and program.stem in COMMANDS:
        assert (ROOT / program).is_file(), program
        return program.stem, words[1:]
    return (words[1], words[2:]) if program.name == "trick-transfer" else (None, words)


def run_by(words):
    """The test that runs a command; None for a command that has none."""
    if words[0] == "make":
        return words[1] in MADE and re.search(rf"^{words[1]}: ", (ROOT / "Makefile").read_text(), re.M)
    return RUN_BY.get(" ".join(words))


class Read(Exception):
    """The options were read."""


@pytest.fixture
def start(monkeypatch, tmp_path):
    """Starts a command in a folder that holds the documentation's own files, such as a tier's."""
    for page in PAGES:
        for name, text in FILE.findall(page.read_text("utf-8")):
            (tmp_path / name).write_text(text)

    def start(command, *words):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [command, *words])
        return import_module(f"trick_transfer.commands.{command}").main()

    return start


@pytest.mark.parametrize(
    ("page", "needs", "words"), [*commands()], ids=lambda each: each if isinstance(each, str) else ""
)
def test_each_command_of_the_documentation_is_one(page, needs, words, start, monkeypatch):
    """Its options are read, and where it plans, its names exist and fit."""
    command, options = command_of(words)
    assert needs <= NEEDS
    assert command or needs or run_by(words), (
        f"no test runs {shlex.join(words)}: add it to RUN_BY, or say what it needs"
    )
    if command in PLAN and needs <= PLANNED_ALL_THE_SAME:
        assert not start(command, *options, PLAN[command])
    elif command:
        read = argparse.ArgumentParser.parse_args

        def stop(parser, *args):
            read(parser, *args)
            raise Read

        monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
        with pytest.raises(Read):
            start(command, *options)
        assert needs or run_by(words), f"no test runs {shlex.join(words)}: add it to RUN_BY, or say what it needs"


def named():
    """Command (of doctor and leaderboard with its verb) -> the options beside it in running text and tables."""
    options = {}
    for page in PAGES:
        for script, text in re.findall(rf"`tools/({'|'.join(COMMANDS)})\.(?:py|sh)\b([^`]*)`", page.read_text("utf-8")):
            verb = next((word for word in text.split()[:1] if word in ("backbone", "verify", "publish")), "")
            options.setdefault((script, verb), set()).update(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))
    return sorted(options.items())


@pytest.mark.parametrize(("command", "options"), named(), ids=lambda each: each[0] if isinstance(each, tuple) else "")
def test_each_option_that_the_text_names_is_one_of_its_command(command, options, start, capsys):
    script, verb = command
    with pytest.raises(SystemExit):
        start(script, *filter(None, [verb]), "--help")
    assert options - set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out)) == set()


@pytest.mark.parametrize("test", sorted({*RUN_BY.values()}))
def test_the_tests_that_run_commands_are_there(test):
    file, name = test.split("::")
    assert f"def {name}(" in (ROOT / "tests" / file).read_text("utf-8")


def test_the_trick_of_the_documentation_sets_its_slot_and_no_other(tmp_path):
    """As `switch` sets any trick, with its options checked by their types."""
    texts = dict(FILE.findall((ROOT / "docs" / "adding.md").read_text("utf-8")))
    (tmp_path / "clipping.py").write_text(texts["clipping.py"])
    spec = spec_from_file_location("clipping", tmp_path / "clipping.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    cfg = Config(dict(optim_wrapper=dict(type="OptimWrapper")))
    module.clipping(cfg, max_norm=2.0)
    assert cfg.to_dict() == dict(optim_wrapper=dict(type="OptimWrapper", clip_grad=dict(max_norm=2.0)))
    assert module.SLOTS == {"clipping": ("optim_wrapper.clip_grad",)}
    owners = [name for name, keys in SLOTS.items() if "optim_wrapper.clip_grad" in keys]
    assert owners == [], "no other trick has the slot"


def spoken(node):
    """A text of the code, with … for what is filled in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(spoken(part) if isinstance(part, ast.Constant) else "…" for part in node.values)


def messages():
    """Every text in the code."""
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        yield from (spoken(node) for node in nodes if isinstance(node, ast.Constant | ast.JoinedStr))


def test_each_message_that_is_explained_is_one_of_the_code():
    explained = re.findall(r"^### `(.*)`$", (ROOT / "docs" / "troubleshooting.md").read_text("utf-8"), re.M)
    told, of_torch = "\n".join(messages()), "\n".join(OF_MACHINE)
    unknown = [
        each for each in explained if each not in told and re.sub(r"\W", "", each) not in re.sub(r"\W", "", of_torch)
    ]
    assert len(explained) == len(set(explained)) > 20 and unknown == []
