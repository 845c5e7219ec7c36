"""mkdocs' hooks: README.md and its like are pages from where they lie, so that no text exists twice.

A link between files of the repository becomes one between pages; one to source code keeps its words alone.
"""

import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "LEADERBOARD.md": "leaderboard.md",
    "CHANGELOG.md": "changelog.md",
}
PACKAGES = ("backbones", "classification", "detection", "probing", "segmentation", "trick_transfer")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere, and one for each package's docstrings."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    for name in PACKAGES:
        files.append(File.generated(config, f"reference/{name}.md", content=f"# {name}\n\n::: {name}\n"))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """What the commands of a fence need, which is beside `sh`, as their first line; links as the site has them."""
    uri = page.file.src_uri
    here = next((source for source, target in PAGES.items() if target == uri), f"docs/{uri}")
    markdown = re.sub(r"^```sh needs=(.*)$", r"```sh\n# needs: \1", markdown, flags=re.M)
    return re.sub(
        r"(!?\[[^][]*\])\((?!\w+:|#)([^)\s]+)\)", lambda found: linked(found[1], found[2], here, uri), markdown
    )


def linked(words: str, target: str, here: str, uri: str) -> str:
    """A link from a file of the repository, as it is on its page."""
    path, hash_, anchor = target.partition("#")
    path = normpath(join(dirname(here), path))
    is_page = path in PAGES or path.startswith("docs/")
    if (ROOT / path).is_dir() or ((ROOT / path).exists() and not is_page):
        return words[1:-1]
    return f"{words}({relpath(PAGES.get(path, path.removeprefix('docs/')), dirname(uri) or '.')}{hash_}{anchor})"
