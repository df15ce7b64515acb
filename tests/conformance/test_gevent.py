"""A program that gevent has patched reaches the genuine server, and gives an impostor not one byte."""

from __future__ import annotations

import json
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

PROGRAM = Path(__file__).with_name("gevent_program.py")


class Scene:
    """A genuine key and a backup key under one authority, and a policy of them in a file."""

    def __init__(self, folder: Path) -> None:
        self.root = Authority.root("Lab Root")
        self.folder = folder
        self.genuine, self.backup = self.root.issue("localhost"), self.root.issue("localhost")

    def post(
        self, held: HeldCertificate, *, host: str = "localhost", more: str = "", client: HeldCertificate | None = None
    ) -> tuple[list[Any], TlsServer]:
        """Let the program post twice at once to a server that shows *held*, and return what both say."""
        policy, ca = self.folder / "pins.toml", self.folder / "ca.pem"
        policy.write_text(
            f'format = 1\nname = "b"\nversion = 1\n[hosts."{host}"]\npins = ["{pinscher.Pin.of(self.genuine.der)}"]\n'
            f'backup-pins = ["{pinscher.Pin.of(self.backup.der)}"]\n{more}\n'
        )
        policy.chmod(0o600)
        ca.write_bytes(self.root.pem)
        pem = self.folder / "client.pem"
        if client is not None:
            pem.write_bytes(client.chain_pem + client.key_pem)
        with TlsServer(held, client_ca=None if client is None else self.root.pem) as server:
            told = subprocess.run(
                [sys.executable, PROGRAM, str(server.port), policy, ca, *([] if client is None else [pem])],
                capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip
            server.wait_idle()
        assert 0 == told.returncode, told.stderr
        return json.loads(told.stdout), server


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Return a scene with fresh keys."""
    return Scene(tmp_path)


@pytest.mark.parametrize("shown", ["genuine", "renewed", "backup"])
def test_a_patched_program_reaches_the_genuine_server(scene: Scene, shown: str) -> None:
    """The pinned key, its renewed certificate and the backup key are reached over gevent's own TLS sockets."""
    held = scene.genuine.renew() if shown == "renewed" else getattr(scene, shown)
    told, server = scene.post(held)
    assert [(200, True)] * 2 == [(one["status"], one["is_gevents"]) for one in told]
    assert server.application_bytes > 0


def test_a_patched_program_sends_an_impostor_nothing(scene: Scene) -> None:
    """A rogue key under the right authority: refused, and the server counts no byte."""
    told, server = scene.post(scene.root.issue("localhost"))
    assert ["no-matching-pin"] * 2 == [one["outcome"] for one in told]
    assert 0 == server.application_bytes


def test_a_patched_program_refuses_an_untrusted_authority(scene: Scene) -> None:
    """An authority of the same name with another key: OpenSSL refuses, and the verdict says so."""
    told, server = scene.post(scene.root.twin().issue("localhost"))
    assert ["chain-not-validated"] * 2 == [one["outcome"] for one in told]
    assert 0 == server.application_bytes


def test_a_patched_program_refuses_an_unlisted_host(scene: Scene) -> None:
    """A host that the policy does not list is refused before the ClientHello."""
    told, server = scene.post(scene.genuine, host="other.test")
    assert ["unlisted-host"] * 2 == [one["outcome"] for one in told]
    assert {None} == {record.server_name for record in server.evidence.connections}


def test_a_patched_program_refuses_a_denied_key(scene: Scene) -> None:
    """A denied key is refused, and the server counts no byte."""
    rogue = scene.root.issue("localhost")
    told, server = scene.post(rogue, more=f'denied-keys = ["{pinscher.Pin.of(rogue.der)}"]')
    assert ["denied-key"] * 2 == [one["outcome"] for one in told]
    assert 0 == server.application_bytes


def test_a_patched_program_reports_only_where_it_is_told_to(scene: Scene) -> None:
    """A report-only entry lets the exchange take place."""
    told, _ = scene.post(scene.root.issue("localhost"), more='mode = "report-only"\nreport-only-since = 2026-11-01')
    assert [200, 200] == [one["status"] for one in told]


def test_a_patched_program_shows_its_certificate_to_the_genuine_server_alone(scene: Scene) -> None:
    """A server whose pins do not match sees neither the client's certificate nor its Finished."""
    client = scene.root.issue_client("alice")
    told, server = scene.post(scene.genuine, client=client)
    assert [200, 200] == [one["status"] for one in told]
    assert [client.der] * 2 == [record.client_certificate for record in server.evidence.connections]
    told, server = scene.post(scene.root.issue("localhost"), client=client)
    assert ["no-matching-pin"] * 2 == [one["outcome"] for one in told]
    assert [(None, False)] * 2 == [
        (record.client_certificate, record.handshake_completed) for record in server.evidence.connections
    ]
