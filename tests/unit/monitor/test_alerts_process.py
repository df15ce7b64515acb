"""Alerts of the monitor as a process: killed before it delivered, and started with a file that cannot be used."""

from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pinscher.monitor.alerts.plan import Plan
from tests.unit.monitor.webhook import receiving

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "alerts.md"
PIN = "sha256/" + "A" * 43 + "="


def _command(folder: Path, routes: str, *more: str) -> list[str]:
    (folder / "pins.toml").write_text(
        f'format = 1\nname = "bank-app"\nversion = 1\n[hosts."127.0.0.1"]\npins = ["{PIN}"]\nbackup-pins = ["{PIN[:-3]}Q8="]\n'
    )
    (folder / "alerts.toml").write_text(routes)
    return [
        sys.executable, "-m", "pinscher.cli", "serve", "--policy", "pins.toml", "--data", "data", "--listen", "127.0.0.1:0",
        "--interval", "1", "--alerts", "alerts.toml", "--json", *more,
    ]  # fmt: skip


def _started(command: list[str], folder: Path) -> subprocess.Popen[str]:
    running = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert running.stdout is not None
    for line in running.stdout:
        if json.loads(line)["event"] == "listening":
            return running
    raise AssertionError("it did not start")


def test_the_page_about_alerts_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file, saved as it stands, is one that the command it shows starts with."""
    monkeypatch.setenv("ON_CALL", "jsons://alerts.example/on-call")
    text = PAGE.read_text(encoding="utf-8")
    routes, private = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    command = _command(tmp_path, routes)
    shown = re.findall(r"^\$ pinscher (serve .*)$", text, re.MULTILINE)
    assert [[*command[3:7], "monitor", "--alerts", "alerts.toml"]] == [line.split() for line in shown]
    running = _started(command, tmp_path)
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=30)
    assert 0 == running.returncode
    assert Plan.loads((private + routes).encode()).allow_private


def test_a_killed_monitor_tells_what_it_found_when_it_is_back(tmp_path: Path) -> None:
    """The webhook failed, the process was killed, and the next process delivers the very same alert."""
    with receiving() as receiver, socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
        nobody.close()
        receiver.statuses = [503]
        routes = (
            f'format = 1\nallow-private = true\n[routes.team]\nurls = ["{receiver.url}/hook"]\nrules = ["unreachable"]'
        )
        command = _command(tmp_path, routes, "--endpoint", f"127.0.0.1:{port}")
        running = _started(command, tmp_path)
        assert receiver.arrived.acquire(timeout=60)
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=30)
        assert [] == receiver.messages
        with sqlite3.connect(tmp_path / "data" / "pinscher.sqlite") as database:
            # Whether the failure was noted before the kill or not, the next try is now.
            assert 1 == database.execute("UPDATE alert_messages SET due = 0").rowcount
        database.close()
        running = _started(command, tmp_path)
        assert receiver.arrived.acquire(timeout=60)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)
    assert f"warning: unreachable opened: 127.0.0.1:{port}" == receiver.messages[0]["title"]


@pytest.mark.parametrize(
    ("routes", "words"),
    [
        ('format = 1\n[routes.team]\nurls = ["json://127.0.0.1/hunter2"]', "routes.team.urls[0]: leads to an address that is not public"),
        ("format = 1\n[routes.team]\nurl = 1", "unknown field `url`"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_ends_the_start(tmp_path: Path, routes: str, words: str) -> None:
    """With the place and the reason, without the secret, and with exit code 2."""
    ran = subprocess.run(
        _command(tmp_path, routes), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert 2 == ran.returncode
    assert words in ran.stderr
    assert "hunter2" not in ran.stdout + ran.stderr
