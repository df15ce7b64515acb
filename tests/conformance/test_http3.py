"""niquests: pinned over TCP, and what a context cannot see of its HTTP/3 (H8)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.lab.authority import Authority
from pinscher.lab.protocols.http import read_request, response
from pinscher.lab.server import TlsServer

from .environment import HERE, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.lab.authority import HeldCertificate
    from pinscher.lab.conversation import Conversation

PROGRAM = Path(__file__).with_name("niquests_program.py")


class Hinting:
    """A web server that offers HTTP/3 at another port, where somebody else may answer (RFC 7838)."""

    def __init__(self, port: int) -> None:
        self._hint = f'h3=":{port}"; ma=86400'

    def __call__(self, conversation: Conversation) -> None:
        """Answer every request with the hint."""
        conversation.secure()
        while read_request(conversation):
            conversation.send(response(200, b"ok", alt_svc=self._hint))


class Scene:
    """A genuine key, a backup and a rogue under one CA, and a UDP port that counts what arrives."""

    def __init__(self, folder: Path) -> None:
        self.root = Authority.root("Lab Root")
        self.genuine, self.backup, self.rogue = (self.root.issue("localhost") for _ in range(3))
        self.policy, self.ca = folder / "pins.toml", folder / "ca.pem"
        self.policy.write_text(
            'format = 1\nname = "b"\nversion = 1\n[hosts.localhost]\n'
            f'pins = ["{pinscher.Pin.of(self.genuine.der)}"]\nbackup-pins = ["{pinscher.Pin.of(self.backup.der)}"]\n'
        )
        self.policy.chmod(0o600)
        self.ca.write_bytes(self.root.pem)
        self.quic = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.quic.bind(("127.0.0.1", 0))
        self.quic.setblocking(False)

    def post(self, held: HeldCertificate, http3: str, requests: int = 2) -> tuple[dict[str, Any], TlsServer]:
        """Let the program post to a server that shows *held*, and return what it and the server say."""
        python = environment("niquests")
        with TlsServer(held, protocol=Hinting(self.quic.getsockname()[1])) as server:
            command = [python, PROGRAM, str(server.port), self.policy, self.ca, http3, str(requests)]
            outside = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
            told = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=60,
                env={**outside, "PYTHONPATH": str(HERE / "src")},
            )  # fmt: skip
        assert 0 == told.returncode, told.stderr
        return json.loads(told.stdout), server

    @property
    def is_quic_tried(self) -> bool:
        """Whether a datagram came to the port of the hint."""
        try:
            return bool(self.quic.recv(65536))
        except BlockingIOError:
            return False


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Return a scene with fresh keys."""
    made = Scene(tmp_path)
    yield made
    made.quic.close()


EITHER = pytest.mark.parametrize("mode", ["no-http3", "asyncio"])


@EITHER
@pytest.mark.parametrize("shown", ["genuine", "backup"])
def test_niquests_reaches_a_pinned_server(scene: Scene, shown: str, mode: str) -> None:
    """Niquests with a pinned context reaches the pinned key and the backup key."""
    told, server = scene.post(getattr(scene, shown), mode)
    assert ([200, 200], None) == (told["status"], told["error"])
    assert server.application_bytes > 0


@EITHER
def test_niquests_sends_an_impostor_nothing(scene: Scene, mode: str) -> None:
    """Niquests with a pinned context sends no byte to another key under the same CA, and the verdict is reached."""
    told, server = scene.post(scene.rogue, mode)
    assert ([], "no-matching-pin", 0) == (told["status"], told["outcome"], server.application_bytes)


@EITHER
def test_h8_without_http3_a_hint_is_not_followed(scene: Scene, mode: str) -> None:
    """With HTTP/3 disabled, niquests stays on the connection that was judged, whatever Alt-Svc says (RFC 7838)."""
    told, _ = scene.post(scene.genuine, mode)
    assert ([200, 200], False) == (told["status"], scene.is_quic_tried)


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="qh3, niquests' QUIC, has no wheel for PyPy")
def test_h8_with_http3_a_context_is_passed_by(scene: Scene) -> None:
    """With HTTP/3 left on, niquests follows the hint over a TLS that no context sees: this is not supported."""
    scene.post(scene.genuine, "http3")
    assert scene.is_quic_tried
