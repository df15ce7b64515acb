"""Clients that make their contexts themselves are pinned by ``pinscher run``, as they are."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pinscher
from pinscher.lab.authority import Authority
from pinscher.lab.protocols import PROTOCOLS
from pinscher.lab.server import TlsServer

from .injected_program import CALLS

if TYPE_CHECKING:
    from pinscher.lab.authority import HeldCertificate

PROGRAM = Path(__file__).with_name("injected_program.py")
ROOT = Authority.root("Lab Root")
GENUINE = ROOT.issue("localhost")
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "pin-a-program-as-it-is.md"


def play(folder: Path, held: HeldCertificate) -> tuple[dict[str, str], dict[str, int]]:
    """Run the application against one server for each client; return what it says, and what each server read."""
    policy, ca = folder / "pins.toml", folder / "ca.pem"
    policy.write_text(
        f'format = 1\nname = "b"\nversion = 1\n[hosts.localhost]\npins = ["{pinscher.Pin.of(GENUINE.der)}"]\n'
    )
    policy.chmod(0o600)
    ca.write_bytes(ROOT.pem)
    trusting = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"), str(ca))
    with contextlib.ExitStack() as running:
        servers = {
            name: running.enter_context(TlsServer(held, protocol=protocol)) for name, (protocol, _) in CALLS.items()
        }
        words = [f"{name}={server.port}" for name, server in servers.items()]
        told = subprocess.run(
            [sys.executable, "-m", "pinscher.cli", "run", "--policy", policy, "--", sys.executable, PROGRAM, *words],
            capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **trusting},
        )  # fmt: skip
        assert 0 == told.returncode, told.stderr
        for server in servers.values():
            server.wait_idle()
        return json.loads(told.stdout), {name: server.application_bytes for name, server in servers.items()}


def test_clients_with_contexts_of_their_own_reach_the_genuine_server(tmp_path: Path) -> None:
    """Every client of the list takes place as without pins, when the server's key is the pinned one."""
    told, received = play(tmp_path, GENUINE)
    assert dict.fromkeys(CALLS, "sent") == told
    assert [] == [name for name, count in received.items() if count == 0]


def test_clients_with_contexts_of_their_own_send_an_impostor_nothing(tmp_path: Path) -> None:
    """Under the right authority and name with another key: every client of the list is refused, and not a byte goes out."""
    told, received = play(tmp_path, ROOT.issue("localhost"))
    assert dict.fromkeys(CALLS, 0) == received
    unexplained = {
        name: text
        for name, text in told.items()
        if "no pinned key in the validated chain" not in text and name not in LOST
    }
    assert {} == unexplained
    assert [] == [name for name in LOST if told[name] == "sent"]


LOST: tuple[str, ...] = ()
"""Clients that lose the error's text; the log has it."""


def test_the_page_names_the_clients_of_the_list() -> None:
    """The page about programs as they are names every client that is tried here, and no test is missing for one."""
    text = PAGE.read_text(encoding="utf-8").lower()
    packages = {name.split("_")[0] for name in CALLS} - {"http"}
    assert [] == sorted(package for package in packages if package not in text)
    assert set(PROTOCOLS) >= {protocol for protocol, _ in CALLS.values()}
