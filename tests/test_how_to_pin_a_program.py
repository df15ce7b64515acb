"""The pages about programs as they are and about verdicts, followed as a reader would."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = Path(__file__).parent.parent / "docs" / "how-to"
PIN = "sha256/" + "A" * 43 + "="
POLICY = f'format = 1\nname = "b"\nversion = 1\n[defaults]\nunlisted-hosts = "allow"\n[hosts."bank.test"]\npins = ["{PIN}"]\n'


def _blocks(page: str, language: str) -> list[str]:
    text = (PAGES / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


COMMANDS = [
    line.removeprefix("$ ")
    for block in _blocks("pin-a-program-as-it-is.md", "console")
    for line in block.splitlines()
    if line.startswith("$ ")
]
PYTHON = [
    pytest.param(block, id=f"{page} {number}")
    for page in ("pin-a-program-as-it-is.md", "watch-verdicts.md")
    for number, block in enumerate(_blocks(page, "python"))
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the policy and the program that the pages speak of."""
    (tmp_path / "pins.toml").write_text(POLICY)
    (tmp_path / "pins.toml").chmod(0o600)
    (tmp_path / "app.py").write_text("import ssl\nprint('_wrap_socket' in vars(ssl.SSLContext))\n")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_of_the_page_pin_the_program(folder: Path, command: str) -> None:
    """Each command runs, and the program that it starts is pinned."""
    words = shlex.split(command)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ran = subprocess.run(
        [sys.executable, "-m", "pinscher.cli", *words[1:]],
        cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert 0 == ran.returncode, ran.stderr
    assert "PINSCHER_POLICY=" in ran.stdout if "--show-environment" in words else "True\n" == ran.stdout


@pytest.mark.parametrize("block", PYTHON)
def test_the_python_of_the_pages_runs(folder: Path, block: str) -> None:
    """Each piece of Python runs as it stands there, with the policy beside it."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", block],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (0, "") == (ran.returncode, ran.stderr)
