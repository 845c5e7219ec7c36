"""The documentation as a site: no warning, no network, and every link and anchor holds."""

import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]
NOWHERE = "http://127.0.0.1:9"  # the port that discards


def hooks():
    spec = spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("here", "uri", "target", "expected"),
    [
        ("README.md", "index.md", "docs/data.md#data-of-your-own", "[words](data.md#data-of-your-own)"),
        ("docs/data.md", "data.md", "paper.md", "[words](paper.md)"),
        ("docs/data.md", "data.md", "../README.md#exports", "[words](index.md#exports)"),
        ("docs/probing.md", "probing.md", "../probing", "words"),
        ("README.md", "index.md", "docs/figures", "words"),
        ("README.md", "index.md", "trick_transfer/mini/LICENSES.md", "words"),
        ("README.md", "index.md", "docs/gone.md", "[words](gone.md)"),  # which mkdocs refuses
    ],
)
def test_a_link_between_files_is_one_between_pages_and_one_to_code_its_words(here, uri, target, expected):
    assert hooks().linked("[words]", target, here, uri) == expected


def outside(text):
    """What a browser would fetch from elsewhere when it shows a page."""
    return re.findall(r'<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)="((?:https?:)?//[^"]+)"', text)


def broken(page, text, ids):
    """The links of a page to files and anchors that are not there."""
    for link in re.findall(r'<(?:a|img|script|link)\b[^>]*?\b(?:href|src)="([^"]*)"', text):
        path, _, anchor = unquote(link).partition("#")
        if re.match(r"\w+:", path):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.is_file() or (anchor and target in ids and anchor not in ids[target]):
            yield link


@pytest.mark.slow
def test_the_site_is_built_without_a_network_and_all_its_links_hold(tmp_path):
    offline = os.environ | dict(http_proxy=NOWHERE, https_proxy=NOWHERE, PYTHONPATH=str(ROOT))
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, env=offline, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    texts = {page.resolve(): page.read_text("utf-8") for page in tmp_path.rglob("*.html") if page.name != "404.html"}
    ids = {page: set(re.findall(r'\bid="([^"]+)"', text)) | {"__top"} for page, text in texts.items()}
    faults = {page.name: found for page, text in texts.items() if (found := [*outside(text), *broken(page, text, ids)])}
    assert faults == {}
    assert "low_precision" in texts[(tmp_path / "reference" / "trick_transfer.html").resolve()], "docstrings are there"
