"""The tutorial, and the how-to pages that show what is printed, followed as a reader would: every step prints what its page shows."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).parent.parent / "tools" / "tutorial.py"


def _tool() -> Any:
    specification = importlib.util.spec_from_file_location("tutorial", TOOL)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


tutorial = _tool()


@pytest.mark.parametrize("pages", tutorial.SESSIONS, ids=lambda pages: pages[0].stem)
def test_every_step_prints_what_its_page_shows(tmp_path: Path, pages: list[Path]) -> None:
    """Every command of the pages runs, in their order, and prints what stands below it, keys, days and ids aside."""
    folder = tmp_path / "bank"
    folder.mkdir()
    for page, outputs in zip(pages, tutorial.played(pages, folder), strict=True):
        text = page.read_text(encoding="utf-8")
        for command, expected, actual in zip(tutorial.commands_of(text), tutorial.shown(text), outputs, strict=True):
            assert tutorial.comparable(expected) == tutorial.comparable(actual), f"{page.name}: {command}"
    assert [] == [path.name for path in folder.rglob("*.key") if path.stat().st_mode & 0o077]


def test_the_tutorial_begins_by_keeping_its_files_from_others() -> None:
    """No key and no token that the tutorial writes is readable by others, and at its end they are removed."""
    first, *_, last = (page.read_text(encoding="utf-8") for page in tutorial.PAGES[:3])
    assert "$ umask 077" == tutorial.commands_of(first)[0]
    assert "$ cd .. && rm -r bank" in last


def test_equal_keys_stay_equal_where_outputs_are_compared() -> None:
    """Two keys that are the same on the page are the same in what is printed, and two others are two."""
    one, other = "sha256/" + "A" * 43 + "=", "sha256/" + "E" * 43 + "="
    assert tutorial.comparable(f"{one} {one}") == tutorial.comparable(f"{other} {other}")
    assert tutorial.comparable(f"{one} {one}") != tutorial.comparable(f"{one} {other}")


def test_a_step_that_prints_something_else_is_seen() -> None:
    """What differs in more than keys, days and ids is not equal."""
    assert tutorial.comparable("match  pin") != tutorial.comparable("match  backup pin")
    assert tutorial.comparable("exit code 0") != tutorial.comparable("exit code 1")
