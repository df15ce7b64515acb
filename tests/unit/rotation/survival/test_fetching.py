"""Issuers fetched from a server on the loopback."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import serialize_certificates
from cryptography.x509.oid import AuthorityInformationAccessOID

from pinscher.lab.encoding import pem
from pinscher.rotation.survival.fetching import LARGEST_ANSWER, MOST_FETCHES, fetch_issuers
from tests.unit.rotation.survival.worlds import UNREADABLE, certified, root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pinscher.rotation.survival import Certificate
    from pinscher.rotation.survival.fetching import Fetched


@contextlib.contextmanager
def _serving(answers: Mapping[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """Serve *answers* by their paths; yield the server's address and the list of what was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = answers.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def _pointing(*urls: str, subject: str = "x", issuer: str = "Issuer") -> Certificate:
    places = [
        x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(url))
        for url in urls
    ]
    return certified(subject, issuer, extensions=[(x509.AuthorityInformationAccess(places), False)])


def test_issuers_are_fetched_in_every_form_and_followed_upwards() -> None:
    """DER, PEM and PKCS #7 are read, and an issuer's own issuer is fetched in turn, each address once."""
    top = root("Top")
    answers = {"/top": serialize_certificates([top.parsed], Encoding.DER)}
    with _serving(answers) as (address, asked):
        middle = _pointing(f"{address}/top", subject="Middle", issuer="Top")
        answers |= {"/middle": middle.der, "/again?x=1": pem("CERTIFICATE", middle.der)}
        fetched = fetch_issuers(
            [_pointing(f"{address}/middle", f"{address}/again?x=1"), _pointing(f"{address}/middle")], allow_private=True
        )
    assert ((middle, top), ()) == (fetched.certificates, fetched.problems)
    assert ["/middle", "/again?x=1", "/top"] == asked


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://a.example/", "expected http and a host"),
        ("http://user@a.example/", "expected http and a host"),
        ("ldap:///cn=x", "expected http and a host"),
        ("http://[::1/", "it is no address"),
        ("http://a.example:99999/", "it is no address"),
        ("http://127.0.0.1/", "it leads to no public address"),
        ("http://[::1%25lo]/", ""),
        ("http://10.0.0.1/\x1b[2J", ""),
    ],
)
def test_address_that_must_not_be_asked_is_a_problem_in_words(url: str, reason: str) -> None:
    """An address that is not http or leads into a private network is told, escaped, and never asked."""
    fetched = fetch_issuers([_pointing(url)])
    (problem,) = fetched.problems
    assert reason in problem
    assert problem.isprintable()
    assert () == fetched.certificates


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"x" * (LARGEST_ANSWER + 1), "the answer is larger than 64 KiB"),
        (b"rubbish", "the answer is no certificate"),
        (UNREADABLE, "cannot fetch an issuer"),
        (None, "the server answered 404"),
    ],
)
def test_answer_that_is_no_certificate_is_a_problem_in_words(body: bytes | None, reason: str) -> None:
    """Whatever a server answers, the fetching goes on and says what it did not get."""
    with _serving({} if body is None else {"/i": body}) as (address, _):
        fetched = fetch_issuers([_pointing(f"{address}/i")], allow_private=True)
    assert () == fetched.certificates
    assert reason in fetched.problems[0]


def test_fetches_are_bounded() -> None:
    """A certificate with many addresses has so many of them asked, and the rest is told."""
    with _serving({}) as (address, asked):
        fetched = fetch_issuers(
            [_pointing(*(f"{address}/{number}" for number in range(MOST_FETCHES + 5)))], allow_private=True
        )
    assert MOST_FETCHES == len(asked)
    assert "not all were fetched" in fetched.problems[-1]


def test_answer_that_never_begins_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says "continue" for ever, and is never silent, is given up once the time of a fetch is over."""
    monkeypatch.setattr("pinscher.rotation.survival.fetching.LONGEST_FETCH", 0.3)
    fetched = _fetched_from(_say_continue)
    assert () == fetched.certificates
    assert "cannot fetch an issuer" in fetched.problems[0]


def _fetched_from(answer: Callable[[socket.socket], None]) -> Fetched:
    """Fetch from a server that answers its one client as it is told, until the client has gone."""

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        talking = threading.Thread(target=serve, args=(listening,))
        talking.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/i"
        fetched = fetch_issuers([_pointing(address)], allow_private=True)
        talking.join()
    return fetched


def _say_continue(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def test_answer_that_trickles_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that does not end is given up, and no part of it is taken."""
    monkeypatch.setattr("pinscher.rotation.survival.fetching.LONGEST_FETCH", 0.3)
    fetched = _fetched_from(_begin_alone)
    assert () == fetched.certificates
    assert "cannot fetch an issuer" in fetched.problems[0]


def _begin_alone(connection: socket.socket) -> None:
    """Send a whole certificate and wait for the client to go: only the connection's end would end this answer."""
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + root("Top").der)
    while connection.recv(4096):
        pass
