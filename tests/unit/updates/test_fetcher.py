"""How the files of a repository travel."""

from __future__ import annotations

import http.server
import pickle
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest
from publisher import START, pin

from pinscher import Action, HostPattern, HostPolicy, Outcome, Pin, PinSet, Policy, Verdict
from pinscher.lab.authority import Authority
from pinscher.lab.server import load
from pinscher.updates import (
    EndlessDataError,
    Limits,
    RepositoryUnreachableError,
    SlowRetrievalError,
)
from pinscher.updates.channel import report_only, reporting_context
from pinscher.updates.errors import AbsentFileError
from pinscher.updates.fetcher import Mirror

if TYPE_CHECKING:
    from collections.abc import Iterator

    from publisher import Server

LIMITS = Limits(idle_seconds=60, file_seconds=60)


@pytest.mark.parametrize("status", [403, 404])
def test_a_file_that_is_not_there(server: Server, status: int) -> None:
    """Object stores answer 403 or 404 for what is not there."""
    server.answers["/metadata/9.root.json"] = status
    with pytest.raises(AbsentFileError, match=f"status {status}"):
        Mirror(server.address, limits=LIMITS)("metadata/9.root.json", 100)


def test_a_redirect_is_not_followed(server: Server) -> None:
    """A redirect is no answer, wherever it leads."""

    def redirect() -> Iterator[bytes]:
        yield b"HTTP/1.0 302 Found\r\nLocation: /metadata/timestamp.json\r\nContent-Length: 0\r\n\r\n"

    server.answers["/metadata/1.root.json"] = redirect
    with pytest.raises(RepositoryUnreachableError, match="status 302"):
        Mirror(server.address, limits=LIMITS)("metadata/1.root.json", 100)
    assert 0 == server.asked["/metadata/timestamp.json"]


def test_a_file_that_ends_early(server: Server) -> None:
    """A file that is shorter than its server said is no answer."""

    def short() -> Iterator[bytes]:
        yield b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nabc"

    server.answers["/metadata/timestamp.json"] = short
    with pytest.raises(RepositoryUnreachableError, match="7 octets early"):
        Mirror(server.address, limits=LIMITS)("metadata/timestamp.json", 100)


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.0 2\xff0 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\n" + b"A: b\r\n" * 200]
)
def test_an_answer_that_is_none(server: Server, answer: bytes) -> None:
    """What is no answer of HTTP is no file."""
    server.answers["/metadata/timestamp.json"] = lambda: iter([answer])
    with pytest.raises(RepositoryUnreachableError, match=server.address):
        Mirror(server.address, limits=LIMITS)("metadata/timestamp.json", 100)


def test_the_limit_is_exact(server: Server) -> None:
    """A file of exactly the limit is taken, one octet more is not."""
    server.answers["/metadata/timestamp.json"] = b"x" * 100
    assert b"x" * 100 == Mirror(server.address, limits=LIMITS)("metadata/timestamp.json", 100)
    with pytest.raises(EndlessDataError, match="the 99 octets"):
        Mirror(server.address, limits=LIMITS)("metadata/timestamp.json", 99)


class Https:
    """A server of one file over HTTPS on the loopback, with its own authority."""

    def __init__(self) -> None:
        self.authority = Authority.root()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf = self.authority.issue("localhost")
        load(context, leaf.chain_pem + leaf.key_pem)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"served")

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = False

            def handle_error(self, *_: object) -> None:
                pass

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.address = f"https://localhost:{self._server.server_address[1]}"

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def https() -> Iterator[Https]:
    """Return a server over HTTPS."""
    serving = Https()
    yield serving
    serving.close()


def test_https_is_verified(https: Https) -> None:
    """A server whose certificate nobody trusts is not asked for anything; one that is trusted serves."""
    with pytest.raises(RepositoryUnreachableError, match=r"(?i)certificate.verify.failed"):
        Mirror(https.address, limits=LIMITS)("x", 100)
    trusting = ssl.create_default_context(cadata=https.authority.pem.decode())
    assert b"served" == Mirror(https.address, limits=LIMITS, context=trusting)("x", 100)


def test_wrong_pins_report_and_do_not_keep_updates_away(https: Https) -> None:
    """The policy's pins on the updates' own channel report, and refuse nothing; an untrusted server is still refused."""
    wrong = Policy(
        [
            HostPolicy(HostPattern("localhost"), PinSet([Pin.parse(pin("wrong"))])),
            HostPolicy(HostPattern("other.example"), unpinned="because"),
        ]
    )
    verdicts: list[Verdict] = []
    context = reporting_context(wrong, at=START, on_verdict=verdicts.append, trust=https.authority.pem)
    assert b"served" == Mirror(https.address, limits=LIMITS, context=context)("x", 100)
    assert [(Outcome.NO_MATCHING_PIN, Action.ALLOW)] == [(one.outcome, one.action) for one in verdicts]
    stranger = reporting_context(wrong, at=START, on_verdict=verdicts.append, trust=Authority.root().pem)
    with pytest.raises(RepositoryUnreachableError):
        Mirror(https.address, limits=LIMITS, context=stranger)("x", 100)
    assert report_only(wrong, START) == report_only(report_only(wrong, START), START)


def test_a_tls_handshake_that_never_ends() -> None:
    """A server that accepts and then keeps silent in the TLS handshake is left when the time is over."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mirror = Mirror(
            f"https://127.0.0.1:{silent.getsockname()[1]}", limits=Limits(idle_seconds=60, file_seconds=0.2)
        )
        with pytest.raises(SlowRetrievalError, match=r"within 0\.2 seconds"):
            mirror("x", 100)
        mirror = Mirror(
            f"https://127.0.0.1:{silent.getsockname()[1]}", limits=Limits(idle_seconds=0.2, file_seconds=60)
        )
        with pytest.raises(SlowRetrievalError, match=r"within 0\.2 seconds"):
            mirror("x", 100)


def test_errors_survive_pickling(server: Server) -> None:
    """An error of an update crosses the border of a process."""
    server.answers["/x"] = 500
    with pytest.raises(RepositoryUnreachableError) as caught:
        Mirror(server.address, limits=LIMITS)("x", 1)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(caught.value), server.address) == (str(again), again.mirror)
