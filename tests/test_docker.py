"""The Dockerfile, as far as it can be looked at without Docker: what it names is there."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def test_its_python_is_the_makefiles_and_one_that_the_package_allows():
    (version,) = re.findall(r"^FROM python:([\d.]+)-", DOCKERFILE, re.M)
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    assert f"PYTHON ?= python{version}" in MAKEFILE and f"PYTHON=python{version}" in DOCKERFILE
    low, high = re.findall(r"3\.(\d+)", wanted)
    assert int(low) <= int(version.split(".")[1]) < int(high)


def test_its_targets_scripts_and_sources_exist_and_it_ends_in_the_two_commands_of_the_readme():
    for target in re.findall(r"make -C /suite ([\w-]+)", DOCKERFILE):
        assert re.search(rf"^{target}: ", MAKEFILE, re.M), target
    for script in re.findall(r"/suite/(tools/\S+)", DOCKERFILE):
        assert (ROOT / script).is_file(), script
    for sources in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.M):
        assert all((ROOT / source).exists() for source in sources.split())
    first, second = re.findall(r"^```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)[
        0
    ].splitlines()
    ends = DOCKERFILE.strip().splitlines()[-1].replace("/suite/", "").replace("make -C /suite", "make")
    assert f"{first.partition('#')[0].strip()} && {second.partition('#')[0].strip()}" in ends


def test_its_packages_are_the_systems():
    if (
        not shutil.which("apt-cache")
        or not subprocess.run(["apt-cache", "pkgnames", "make"], capture_output=True).stdout
    ):
        pytest.skip("no lists of Debian's packages here")
    (line,) = re.findall(r"--no-install-recommends (.*?) &&", DOCKERFILE)
    shown = subprocess.run(["apt-cache", "show", "--no-all-versions", *line.split()], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr


def test_what_git_ignores_stays_out_of_the_image():
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text("utf-8").split()}
    left_out = {line.removeprefix("**/") for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()}
    assert ignored - left_out == set()


def test_hadolint_finds_nothing():
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.is_file():
        pytest.skip("hadolint is not installed")
    found = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
