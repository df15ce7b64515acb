"""The contracts of the house; see docs/decisions for their reasons."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pinscher

SOURCE = Path(pinscher.__file__).parent
FILES = sorted(path for path in SOURCE.rglob("*.py") if path.name != "_version.py")
NAMES = [str(path.relative_to(SOURCE)) for path in FILES]
LONGEST_FILE = 450
LONGEST_FUNCTION = 60


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_floors_are_kept() -> None:
    """A room imports what lies below its floor, and the ground floor knows no socket, no clock and no third party."""
    linted = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=SOURCE.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == linted.returncode, linted.stdout


def test_three_places_construct_a_validated_chain() -> None:
    """Only the end of a handshake, the probe's path search and foreign stacks' own claim that a chain was validated."""
    places = set()
    for path, name in zip(FILES, NAMES, strict=True):
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call):
                called = node.func.value if isinstance(node.func, ast.Attribute) else node.func
                if isinstance(called, ast.Name) and called.id == "ValidatedChain":
                    places.add(name)
    assert {"tls/_chain.py", "probe/paths.py", "clients/_chain.py"} == places


def test_private_names_of_ssl_live_in_one_file() -> None:
    """What CPython keeps private of its ssl module is known to one file."""
    users = set()
    for path, name in zip(FILES, NAMES, strict=True):
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Attribute | ast.Name):
                used = node.attr if isinstance(node, ast.Attribute) else node.id
                if used in ("_sslobj", "_ssl", "_SSLContext"):
                    users.add(name)
    assert {"tls/_cpython.py"} == users


@pytest.mark.parametrize("name", NAMES)
def test_rooms_stay_small(name: str) -> None:
    """No file has more than 450 lines, no function more than 60, and none is called utils, common or the like."""
    path = SOURCE / name
    assert path.stem not in {"utils", "common", "helpers", "base", "core", "misc"}
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


@pytest.mark.parametrize("name", NAMES)
def test_silenced_types_are_named(name: str) -> None:
    """A silenced type error says which one it is."""
    for number, line in enumerate((SOURCE / name).read_text(encoding="utf-8").splitlines(), start=1):
        if "# type: ignore" in line:
            assert "# type: ignore[" in line, f"line {number}"


def _modules_after(statement: str) -> set[str]:
    listed = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys; print('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(listed.stdout.split())


def test_importing_pinscher_is_light() -> None:
    """Importing Pinscher, and making a pinned context, loads no third-party module and no asyncio."""
    loaded = _modules_after("import pinscher; pinscher.PinnedContext, pinscher.Policy, pinscher.evaluate")
    heavy = {"asyncio", "click", "rich", "cryptography", "logging", "certifi", "requests", "httpx"}
    assert set() == loaded & heavy


def test_front_door_is_exact() -> None:
    """Every public name can be had, is listed once, and nothing else is listed."""
    assert sorted(set(pinscher.__all__)) == sorted(pinscher.__all__)
    for name in pinscher.__all__:
        assert getattr(pinscher, name).__name__ == name
    assert {*pinscher.__all__, "__version__"} == set(dir(pinscher))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pinscher.nothing
