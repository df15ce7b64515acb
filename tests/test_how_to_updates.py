"""The pages about signed updates and fresh pins, the second followed as a reader would: every command, in its order."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "signed-updates.md"
REFERENCE = Path(__file__).parent.parent / "docs" / "reference" / "updates.md"
UPDATES = Path(__file__).parent / "unit" / "updates"


def followed(page: Path, folder: Path) -> str:
    """Run every command of a page in its order in an empty folder, and return what was told."""
    text = page.read_text(encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        text = text.replace("8000", str(free.getsockname()[1]))
    for name, content in re.findall(r"[Ss]ave this as `([\w.]+)`\.\n\n```\w+\n(.*?)```", text, re.DOTALL):
        (folder / name).write_text(content)
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    commands = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    script = "set -e\n" + "\n".join(f"echo + {number}\n{command}" for number, command in enumerate(commands))
    # A server that is not up yet is waited for by asking it.
    script = re.sub(
        r"(-m http\.server .* (\d+)) &",
        r"\1 >served 2>&1 &\nuntil (echo >/dev/tcp/127.0.0.1/\2) 2>wait; do :; done",
        script,
    )
    ran = subprocess.Popen(
        ["bash", "-c", script], cwd=folder, env=os.environ | {"PATH": path}, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        # The server keeps the pipe open only if it was not redirected.
        told, _ = ran.communicate(timeout=120)
    finally:
        # A page that stops what it started leaves nobody.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(ran.pid, signal.SIGKILL)
    assert 0 == ran.returncode, told
    return str(told)


def test_the_page_about_signed_updates_shows_each_change() -> None:
    """The page shows the client with each change in force, from an empty folder on; ``test_tutorial.py`` runs its commands."""
    shown = PAGE.read_text(encoding="utf-8")
    for expected in (
        "bank-app version 1 in force, new, 1 host\n",
        "version 1\n",
        "bank-app version 2 in force, new, 1 host\n",
        "bank-app version 3 in force, new, 1 host\n",
        "pinscher: warning: override: an emergency policy for api.bank.com is offered until",
        "bank-app version 3 in force, nothing new, 1 host\n",
    ):
        assert expected in shown


def test_the_page_about_fresh_pins_is_true(tmp_path: Path) -> None:
    """Every command of the page runs, from an empty folder to a kept program, its doctor and an audit of the log."""
    told = followed(PAGE.with_name("keep-pins-fresh.md"), tmp_path)
    for expected in (
        "log pins.bank.com/log+",
        "version 1 log pins.bank.com/log 1 ",
        "bank-app version 1, 2 hosts, in force, last refreshed ",
        "signed by: root 1 of 1, snapshot 1 of 1, targets 1 of 1, timestamp 1 of 1\n",
        "timestamp lapses next, in 1 day\n",
        "nothing below policy version 1 and root version 1\n",
        "the log's head: pins.bank.com/log 1 ",
        "whole: 1 tile leads to the head that is signed",
    ):
        assert expected in told, told


@pytest.mark.parametrize("page", [PAGE, PAGE.with_name("keep-pins-fresh.md")], ids=lambda page: page.stem)
def test_what_a_page_starts_in_the_background_it_stops(page: Path) -> None:
    """A page that starts a server in the background says at its end how that is stopped."""
    started, _, rest = page.read_text(encoding="utf-8").partition(" &\n")
    assert "$ python3 -m http.server" in started
    assert "kill %1" in rest


def test_every_row_about_failures_names_its_test() -> None:
    """Each row of the table about failures names a test that there is, and each test of failures it names exists once."""
    text = REFERENCE.read_text(encoding="utf-8")
    table = text.partition("| What fails |")[2].partition("\n\n")[0]
    rows = [row for row in table.splitlines()[2:] if row]
    tests = (UPDATES / "test_failures.py").read_text(encoding="utf-8")
    assert 11 == len(rows)
    for row in rows:
        names = re.findall(r"`(test_\w+)`", row)
        assert names
        assert [] == [name for name in names if f"def {name}(" not in tests]


def test_every_error_of_an_update_is_documented() -> None:
    """Every error that an update can be refused with stands in the table of refusals."""
    import pinscher.updates

    text = REFERENCE.read_text(encoding="utf-8")
    errors = [name for name in pinscher.updates.__all__ if name.endswith("Error") and name != "UpdateError"]
    assert [] == [name for name in errors if f"`{name}`" not in text]
