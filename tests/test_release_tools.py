"""What a release is checked with: the audit of its versions, and the installation of its extras."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent.parent
EXTRAS = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def _tool(name: str) -> Any:
    place = importlib.util.spec_from_file_location(f"tool_{name}", HERE / "tools" / f"{name}.py")
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    sys.path.insert(0, str(HERE / "tools"))
    try:
        place.loader.exec_module(module)
    finally:
        sys.path.remove(str(HERE / "tools"))
    return module


SOUND = {"name": "sound", "version": "1", "vulns": []}
FLAWED = {"name": "flawed", "version": "2", "vulns": [{"id": "CVE-2026-1", "fix_versions": ["3"]}]}
UNASKED = {"name": "unasked", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([SOUND], 0, "nothing known of 1 versions"),
        ([SOUND, FLAWED, UNASKED], 1, "flawed 2: CVE-2026-1, fixed in 3"),
        ([SOUND, UNASKED], 2, "not asked about 1 of 2 versions"),
        ([], 2, "not asked about 0 of 0 versions"),
    ],
    ids=["sound", "flawed", "not all asked", "nothing"],
)
def test_an_audit_that_asked_nobody_is_not_a_good_one(packages: list[dict[str, Any]], code: int, said: str) -> None:
    """The exit code is 0 only when every version was asked about, and 1 as soon as anything is known."""
    judged, told = _tool("audit").judged({"dependencies": packages})
    assert code == judged
    assert said in told


def test_an_audit_without_its_program_says_that_nobody_was_asked() -> None:
    """Where pip-audit cannot be run the audit ends with 2, and says so."""
    if importlib.util.find_spec("pip_audit") is not None:
        pytest.skip("pip-audit is in this environment")
    command = [sys.executable, str(HERE / "tools" / "audit.py")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert 2 == answer.returncode
    assert answer.stderr.endswith("nobody could be asked about every version, so nothing is said of them\n")
    assert "pypi was not asked: " in answer.stderr


def test_every_extra_is_installed_and_used() -> None:
    """Each extra of the package is installed by the tool, and each of them is imported or run afterwards."""
    tool = _tool("every_extra")
    assert {"", *EXTRAS} == set(tool.EXTRAS)
    assert [] == [extra for extra in tool.EXTRAS if not tool.programs(extra)]
    assert set() == {*tool.IMPORTS, *tool.VERBS} - set(tool.EXTRAS)


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_what_the_tool_runs_of_an_extra_ends_well(extra: str, tmp_path: Path) -> None:
    """Each import and each verb that the tool tries ends well here, where every extra is installed."""
    tool = _tool("every_extra")
    (tmp_path / "pins.toml").write_text(tool.POLICY)
    for program in tool.programs(extra):
        command: list[str] = [sys.executable, *program]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert 0 == ran.returncode, ran.stderr


@pytest.mark.parametrize("target", ["audit", "fuzz", "test-install", "test-oldest", "dist", "man"])
def test_a_target_is_in_the_help(target: str) -> None:
    """Each target that a release is checked with is in the Makefile and in its help."""
    makefile = (HERE / "Makefile").read_text(encoding="utf-8")
    assert f"\n{target}:" in makefile
    assert f'@echo "make {target} ' in makefile


def test_what_one_python_is_enough_for_is_there() -> None:
    """Every test that the other Pythons leave out is one, and none of a client or a context is among them."""
    once = _tool("every_python").ONCE
    assert [] == [path for path in once if not (HERE / path).exists()]
    assert len(once) == len(set(once))
    rooms = {path.split("/")[2] for path in once if path.startswith("tests/unit/")}
    assert {"formats", "monitor", "store"} == rooms


def test_the_first_python_that_is_found_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """CI asks for the newest Python that is there; where none is, it is told so and stops."""
    own = "{}.{}".format(*sys.version_info[:2])
    tool = _tool("every_python")
    assert 0 == tool.first_of(["9.99", own])
    asked = subprocess.run([capsys.readouterr().out.strip(), "--version"], capture_output=True, text=True, check=True)
    assert asked.stdout.startswith(f"Python {own}.")
    assert 1 == tool.first_of(["9.98", "9.99"])
    assert "none of these Pythons is found: 9.98, 9.99\n" == capsys.readouterr().err
