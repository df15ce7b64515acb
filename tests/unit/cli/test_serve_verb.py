"""``pinscher serve`` before it begins."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main
from pinscher.cli.voice import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

PINS = f'format = 1\nname = "x"\nversion = 1\n[hosts."a.example"]\npins = ["sha256/{"A" * 43}="]\n'


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "no such file or directory"), (b"no root", "expected PEM certificates")]
)
def test_roots_that_cannot_be_used_are_told_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, reason: str
) -> None:
    """A file of roots that is not there, or has none, ends the command with one error: it would see nothing."""
    (tmp_path / "pins.toml").write_text(PINS)
    if content is not None:
        (tmp_path / "ca.pem").write_bytes(content)
    words = ["serve", "--policy", str(tmp_path / "pins.toml"), "--data", str(tmp_path / "data")]
    # Nor could it listen at an address of nobody, which it would find out later.
    assert ExitCode.NO_ANSWER == main([*words, "--listen", "192.0.2.1:9", "--ca-file", str(tmp_path / "ca.pem")])
    out, err = capsys.readouterr()
    expected = f"pinscher: error: cannot trust the certificates in '{tmp_path / 'ca.pem'}': {reason}\n"
    assert ("", expected, False) == (out, err, (tmp_path / "data").exists())


def test_one_endpoint_is_told_in_the_singular(tmp_path: Path) -> None:
    """The line that says where the monitor listens counts one endpoint as one."""
    (tmp_path / "pins.toml").write_text(PINS)
    words = ["serve", "--policy", "pins.toml", "--data", "data", "--listen", "127.0.0.1:0", "--connect", "127.0.0.1"]
    command = [sys.executable, "-m", "pinscher.cli", *words]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        assert running.stdout is not None
        line = next(line for line in running.stdout if "listening on" in line)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)
    assert line.endswith(", watching 1 endpoint\n")
