"""Other code replaces parts of ``ssl``; pins hold, or the connection is not made."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import pinscher

from .conftest import HOST, wrapped

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Scene

CONNECT = """
import json, socket, ssl, sys
import pinscher
policy, trust, *ports = sys.argv[1:]
answers = []
for port in ports:
    context = pinscher.PinnedContext(pinscher.Policy.loads(policy), trust=trust)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET
    try:
        with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname="bank.test") as secured:
                secured.sendall(b"secret")
                answers.append(secured.recv(100).decode())
    except pinscher.PinMismatchError as error:
        answers.append(error.verdict.outcome.name)
print(json.dumps(answers))
"""


def _play(scene: Scene, tmp_path: Path, before: str) -> list[str]:
    """Run a fresh interpreter that does *before*, then connects to the genuine and to the rogue server."""
    anchors = tmp_path / "anchors.pem"
    anchors.write_bytes(scene.root.pem)
    genuine, rogue = scene.serve(scene.genuine), scene.serve(scene.rogue)
    ports = [str(genuine.port), str(rogue.port)]
    played = subprocess.run(
        [sys.executable, "-c", before + CONNECT, scene.policy().to_json(), str(anchors), *ports],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert 0 == played.returncode, played.stderr
    rogue.wait_idle()
    assert 0 == rogue.application_bytes
    return json.loads(played.stdout)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("", id="nothing replaced"),
        pytest.param("import truststore; truststore.inject_into_ssl()\n", id="truststore injected before"),
        pytest.param("import pinscher.tls, truststore; truststore.inject_into_ssl()\n", id="truststore injected after"),
        pytest.param("import ssl\nclass Other(ssl.SSLContext): pass\nssl.SSLContext = Other\n", id="replaced before"),
        pytest.param(
            "import ssl, pinscher.tls\nclass Other(ssl.SSLContext): pass\nssl.SSLContext = Other\n", id="replaced after"
        ),
        pytest.param("import ssl\nssl.SSLContext.sslsocket_class = ssl.SSLSocket\n", id="socket class set"),
    ],
)
def test_h1_h2_replaced_contexts(scene: Scene, tmp_path: Path, before: str) -> None:
    """Pins hold when ssl.SSLContext was replaced before or after Pinscher was imported, as truststore does."""
    assert ["secret", "NO_MATCHING_PIN"] == _play(scene, tmp_path, before)


def test_h1_an_unrelated_class_is_refused(scene: Scene, tmp_path: Path) -> None:
    """A replacement that does not derive from the standard library's context cannot be pinned, and says so."""
    before = "import ssl\nclass Other: pass\nssl.SSLContext = Other\n"
    refused = subprocess.run(
        [sys.executable, "-c", before + "import pinscher; pinscher.PinnedContext"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 1 == refused.returncode
    assert "does not derive from the standard library's class" in refused.stderr


def test_h2_setters_do_not_recurse(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting works after ssl.SSLContext was replaced, where the standard library's own setters recurse."""
    context, server = scene.context(), scene.serve(scene.rogue)
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setattr(ssl, "SSLContext", type("Other", (ssl.SSLContext,), {}))
    with pytest.raises(RecursionError):
        plain.minimum_version = ssl.TLSVersion.TLSv1_2
    settings: dict[str, Any] = {
        "minimum_version": ssl.TLSVersion.TLSv1_2,
        "maximum_version": ssl.TLSVersion.TLSv1_3,
        "options": context.options | ssl.OP_NO_TICKET,
        "verify_flags": ssl.VERIFY_X509_STRICT,
        "verify_mode": ssl.CERT_REQUIRED,
        "_msg_callback": None,
    }
    for name, value in settings.items():
        setattr(context, name, value)
        assert value == getattr(context, name)
    with pytest.raises(pinscher.PinMismatchError), wrapped(context, server):
        pass


def test_h9_gevent(scene: Scene, tmp_path: Path) -> None:
    """Under gevent, patched before Pinscher is imported, pins hold with its own socket class."""
    before = "from gevent import monkey; monkey.patch_all()\n"
    assert ["secret", "NO_MATCHING_PIN"] == _play(scene, tmp_path, before)


def test_h5_renegotiation_is_refused(scene: Scene, tmp_path: Path) -> None:
    """
    A TLS 1.2 server that renegotiates, to show another certificate after the check, gets no second handshake.

    The control, a plain context, shakes hands twice.
    """
    pem = tmp_path / "server.pem"
    pem.write_bytes(scene.genuine.key_pem + scene.genuine.chain_pem)
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    plain.load_verify_locations(cadata=scene.root.pem.decode())
    assert 2 == _client_hellos(plain, pem)
    assert 1 == _client_hellos(scene.context(), pem)


def _client_hellos(context: ssl.SSLContext, pem: Path) -> int:
    """Return how many ClientHello messages a client sends to a server that asks for another handshake."""
    import socket

    hellos: list[int] = []

    def count(_connection: object, direction: str, _v: object, _content: int, message: int, _data: bytes) -> None:
        if (direction, message) == ("write", 1) and _content == 22:
            hellos.append(message)

    context._msg_callback = count  # type: ignore[attr-defined]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        "openssl",
        "s_server",
        "-accept",
        f"127.0.0.1:{port}",
        "-cert",
        str(pem),
        "-cert_chain",
        str(pem),
        "-tls1_2",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            while b"ACCEPT" not in server.stdout.readline():
                pass
            with socket.create_connection(("127.0.0.1", port), timeout=10) as tcp:
                with context.wrap_socket(tcp, server_hostname=HOST) as secured:
                    secured.sendall(b"hello\n")
                    while b"hello" not in server.stdout.readline():
                        pass
                    server.stdin.write(b"R\n")
                    server.stdin.flush()
                    _read_to_the_end(secured, server)
        finally:
            server.kill()
    return len(hellos)


def _read_to_the_end(secured: ssl.SSLSocket, server: subprocess.Popen[bytes]) -> None:
    """Read until the server says how the renegotiation ended; 'Q' makes it close."""
    assert server.stdin is not None
    server.stdin.write(b"after\nQ\n")
    server.stdin.flush()
    secured.settimeout(20)
    try:
        while secured.recv(100):
            pass
    except OSError:
        return
