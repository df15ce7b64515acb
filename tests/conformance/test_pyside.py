"""Qt for Python reaches the genuine server, and gives an impostor not one byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer

if TYPE_CHECKING:
    from pinscher.lab.authority import HeldCertificate

PROGRAM = Path(__file__).with_name("pyside_program.py")
ROOT = Authority.root("Lab Root")
ABOVE = ROOT.intermediate("Lab Intermediate")
GENUINE, BACKUP = ABOVE.issue("localhost"), ABOVE.issue("localhost")


def post(
    folder: Path, held: HeldCertificate, *words: str, host: str = "localhost", more: str = "", path: str = "/",
    trust: Authority = ROOT,
) -> tuple[dict[str, Any], TlsServer]:  # fmt: skip
    """Let the program post once to a server that shows *held*, and return what both say."""
    policy, ca = folder / "pins.toml", folder / "ca.pem"
    policy.write_text(
        f'format = 1\nname = "b"\nversion = 1\n[hosts."{host}"]\npins = ["{pinscher.Pin.of(GENUINE.der)}"]\n'
        f'backup-pins = ["{pinscher.Pin.of(BACKUP.der)}"]\n{more}\n'
    )
    policy.chmod(0o600)
    ca.write_bytes(trust.pem)
    with TlsServer(held) as server:
        told = subprocess.run(
            [sys.executable, PROGRAM, f"https://localhost:{server.port}{path}", policy, ca, *words],
            capture_output=True, text=True, check=False, timeout=60, env={**os.environ, "QT_LOGGING_RULES": "*=false"},
        )  # fmt: skip
        assert 0 == told.returncode, told.stderr
        server.wait_idle()
    return json.loads(told.stdout), server


@pytest.mark.parametrize("shown", ["genuine", "renewed", "backup"])
def test_qt_reaches_the_genuine_server(tmp_path: Path, shown: str) -> None:
    """The pinned key, its renewed certificate and the backup key are reached by Qt's network access manager."""
    held = {"genuine": GENUINE, "renewed": GENUINE.renew(), "backup": BACKUP}[shown]
    told, server = post(tmp_path, held)
    assert (200, None) == (told["status"], told["outcome"])
    assert b"correct-horse" in server.evidence.connections[0].content


@pytest.mark.parametrize(
    ("shown", "outcome"),
    [
        ("rogue", "no-matching-pin"),
        ("denied", "denied-key"),
        ("unlisted", "unlisted-host"),
    ],
)
def test_qt_sends_an_impostor_nothing(tmp_path: Path, shown: str, outcome: str) -> None:
    """A rogue key, a denied one and a host that is not listed get no request, and the user is told why."""
    held = ABOVE.issue("localhost") if shown == "rogue" else GENUINE
    more = f'denied-keys = ["{pinscher.Pin.of(ABOVE.certificate)}"]' if shown == "denied" else ""
    told, server = post(tmp_path, held, more=more, host="other.test" if shown == "unlisted" else "localhost")
    assert (outcome, 0) == (told["outcome"], server.application_bytes)


@pytest.mark.parametrize("words", [(), ("ignore-errors",)])
@pytest.mark.parametrize("shown", ["untrusted", "another name"])
def test_qt_refuses_what_is_not_validated(tmp_path: Path, shown: str, words: tuple[str, ...]) -> None:
    """An untrusted authority and another name are refused, also by a program that ignores Qt's own errors."""
    held = ABOVE.issue("other.test", key=GENUINE.key) if shown == "another name" else GENUINE
    trust = ROOT.twin() if shown == "untrusted" else ROOT
    told, server = post(tmp_path, held, *words, trust=trust)
    assert 0 == server.application_bytes
    assert told["outcome"] == ("chain-not-validated" if words else None)


def test_qt_follows_no_redirect(tmp_path: Path) -> None:
    """A redirect is handed to the program, which decides by itself."""
    told, server = post(tmp_path, GENUINE, path="/redirect?to=https://elsewhere.invalid/")
    assert (307, 1) == (told["status"], len(server.evidence))
