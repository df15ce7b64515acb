"""The pages beside the README, and the fragments that the change log is made of."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent
FOLDER = HERE / "changes.d"
FRAGMENTS = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
SETTINGS = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
PAGES = [HERE / name for name in ("SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")] + [FOLDER / "README.md"]


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_is_named_by_its_kind(fragment: Path) -> None:
    """A fragment is named by an issue or a few words and by a kind that the change log has, and says something."""
    kinds = "|".join(kind["directory"] for kind in SETTINGS["type"])
    assert re.fullmatch(rf"(\d+|\+[a-z0-9-]+)\.({kinds})(\.\d+)?\.md", fragment.name)
    assert fragment.read_text(encoding="utf-8").strip().endswith(".")


def test_every_kind_is_explained() -> None:
    """The page about fragments has a row for every kind that the settings know, in their order, and for no other."""
    listed = re.findall(r"^\| `([a-z]+)` \|", (FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [kind["directory"] for kind in SETTINGS["type"]] == listed


def test_the_change_log_is_made_from_the_fragments() -> None:
    """The next release's section holds every fragment's text, and making it as a draft changes nothing."""
    before = (HERE / "CHANGELOG.md").read_bytes()
    made = subprocess.run(
        [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "next"],
        cwd=HERE, capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert [] == [one.name for one in FRAGMENTS if one.read_text(encoding="utf-8").strip() not in made]
    assert before == (HERE / "CHANGELOG.md").read_bytes()
    assert SETTINGS.get("start_string", "<!-- towncrier release notes start -->") in before.decode()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_the_pages_lead_somewhere(page: Path) -> None:
    """A relative link of a page beside the README leads to a file that is there."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [] == [target for target in targets if not (page.parent / target).exists()]


NAMED = r"`((?:src|tests|tools|docs|fuzz|benchmarks|changes\.d|\.ci)/[^`*]*)`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_the_pages_name_are_there(page: Path) -> None:
    """A file that a page beside the README tells a contributor to copy or to run is in the tree."""
    assert [] == [name for name in re.findall(NAMED, page.read_text(encoding="utf-8")) if not (HERE / name).exists()]


def test_the_documented_make_targets_exist() -> None:
    """Every target of make that a page names is one."""
    targets = set(re.findall(r"^([a-z-]+):", (HERE / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        name for page in PAGES for name in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert {"test", "check", "coverage", "changelog"} <= named
    assert set() == named - targets
