"""What a live server shows; the rules are those at the top of ``probe/observation.py`` and ``probe/paths.py``."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from loopback import ADDRESS, AGREEABLE, HOST, Authority, Server

from pinscher.probe import (
    Endpoint,
    NoAnswerError,
    Observation,
    Protocol,
    ResponseInjectionError,
    Trust,
    UnusableTrustError,
    UnverifiedPathError,
    observe,
)
from pinscher.probe.paths import validated_path
from pinscher.tls import chains_of

if TYPE_CHECKING:
    from pathlib import Path


def look(server: Server, ca_file: Path | None, *, protocol: Protocol = Protocol.TLS, timeout: float = 5) -> Observation:
    """Observe a server on the loopback under the name that its certificate carries."""
    endpoint = Endpoint(HOST, server.port, protocol=protocol, connect_to=ADDRESS)
    return observe(endpoint, trust=Trust.of(ca_file), chains=chains_of, timeout=timeout)


def test_verified_server_shows_its_path(authority: Authority) -> None:
    """A server that verifies shows what it presented, and the path from its leaf to the root that is trusted."""
    issued = authority.issue()
    with Server(issued) as server:
        seen = look(server, authority.ca_file)
    intermediate, root = (cert.public_bytes(Encoding.DER) for cert in (authority.intermediate, authority.root))
    assert seen.presented.certificates == (issued.der, intermediate)
    assert seen.validated is not None
    assert seen.validated.certificates == (issued.der, intermediate, root)
    assert (seen.verification_error, seen.address) == (None, ADDRESS)
    assert seen.trust == f"the certificates in {authority.ca_file}"


def test_nothing_is_sent(authority: Authority) -> None:
    """Not one application byte reaches an observed server, and one connection is enough (rules 1 and 3)."""
    with Server(authority.issue()) as server:
        look(server, authority.ca_file)
    assert (server.connections, server.application_bytes) == (1, 0)


def test_refused_server_is_shown_without_a_path(authority: Authority, tmp_path: Path) -> None:
    """A server that does not verify is shown as it presented itself, with the reason and no path (rule 2)."""
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    issued = authority.issue()
    with Server(issued) as server:
        seen = look(server, other.ca_file)
    assert (seen.validated, seen.presented.leaf) == (None, issued.der)
    assert seen.verification_error == "unable to get local issuer certificate"
    assert server.application_bytes == 0


def test_wrong_name_is_refused(authority: Authority) -> None:
    """A certificate for another host gives no path, however well it chains."""
    with Server(authority.issue("other.example")) as server:
        seen = look(server, authority.ca_file)
    assert seen.validated is None
    assert f"'{HOST}'" in (seen.verification_error or "")


def test_expired_certificate_is_refused(authority: Authority) -> None:
    """An expired certificate gives no path."""
    with Server(authority.issue(days=-3)) as server:
        seen = look(server, authority.ca_file)
    assert (seen.validated, seen.verification_error) == (None, "certificate has expired")


@pytest.mark.parametrize("protocol", AGREEABLE)
def test_each_starttls_protocol_is_observed(authority: Authority, protocol: Protocol) -> None:
    """A server behind each protocol's words in clear shows its path."""
    with Server(authority.issue(), AGREEABLE[protocol]) as server:
        assert look(server, authority.ca_file, protocol=protocol).validated is not None


def test_injection_ends_the_observation(authority: Authority) -> None:
    """Plaintext injected before the handshake is an error, and no second connection makes up for it."""
    *before, (cue, agreement) = AGREEABLE[Protocol.SMTP]
    with (
        Server(authority.issue(), [*before, (cue, agreement + b"250 injected\r\n")]) as server,
        pytest.raises(ResponseInjectionError),
    ):
        look(server, authority.ca_file, protocol=Protocol.SMTP)
    assert server.connections == 1


def test_server_without_tls_is_no_answer(authority: Authority) -> None:
    """A server that speaks something else is no answer, with the reason and without a traceback."""
    with Server(script=[(b"", b"HTTP/1.1 400 Bad Request\r\n\r\n")]) as server, pytest.raises(NoAnswerError) as caught:
        look(server, authority.ca_file)
    assert str(caught.value).startswith(f"no answer from {server.place}: the TLS handshake failed: ")


def test_silent_server_meets_the_deadline(authority: Authority) -> None:
    """A server that accepts and says nothing is waited for until the deadline."""
    with Server() as server, pytest.raises(NoAnswerError, match="the TLS handshake failed: "):
        look(server, authority.ca_file, timeout=0.2)


def test_closed_port_is_no_answer(authority: Authority) -> None:
    """A port where nobody listens is no answer, and every address is named with its reason."""
    with socket.create_server((ADDRESS, 0)) as listener:
        port = listener.getsockname()[1]
    endpoint = Endpoint(HOST, port, connect_to=ADDRESS)
    with pytest.raises(NoAnswerError) as caught:
        observe(endpoint, trust=Trust.of(authority.ca_file), chains=chains_of, timeout=60)
    assert caught.value.reason == f"{ADDRESS}: connection refused"


def test_unreadable_roots_are_told(tmp_path: Path) -> None:
    """A file without certificates and a file that is not there are each one clear error."""
    (tmp_path / "empty.pem").write_bytes(b"nothing")
    for name, reason in (("empty.pem", "expected PEM certificates"), ("none.pem", "no such file or directory")):
        with pytest.raises(UnusableTrustError) as caught:
            observe(Endpoint(HOST), trust=Trust.of(tmp_path / name), chains=chains_of, timeout=1)
        assert caught.value.reason == reason


def test_environment_that_moves_the_roots_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The description of the platform's trust names the variable that redirects it, with its value escaped."""
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/\x1b[2J.pem")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    expected = "the platform's trust store, redirected by SSL_CERT_FILE=/etc/\\x1b[2J.pem"
    assert Trust().describe() == expected


def unverified(server: Server) -> ssl.SSLSocket:
    """Connect to a server without verifying anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection((ADDRESS, server.port)), server_hostname=HOST)


def test_chain_built_without_verification_is_no_path(authority: Authority) -> None:
    """What CPython calls verified on a connection that verified nothing is refused as a path (rule 2 of paths)."""
    with Server(authority.issue()) as server, unverified(server) as connection:
        _, verified = chains_of(connection)
        with pytest.raises(UnverifiedPathError, match="verified no chain, no host name, or neither"):
            validated_path(connection, verified)


@pytest.mark.parametrize("certificates", [(), (b"another",)])
def test_path_that_is_not_the_connections_is_refused(authority: Authority, certificates: tuple[bytes, ...]) -> None:
    """A path that is empty, or begins with another leaf than the connection's, is refused (rule 3 of paths)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.ca_file)
    with Server(authority.issue()) as server:
        plain = socket.create_connection((ADDRESS, server.port))
        with (
            context.wrap_socket(plain, server_hostname=HOST) as connection,
            pytest.raises(UnverifiedPathError, match="this is not a validated path: it "),
        ):
            validated_path(connection, certificates)


def test_every_address_is_tried(authority: Authority) -> None:
    """A name with several addresses is reached at the one that answers."""
    with Server(authority.issue()) as server:
        endpoint = Endpoint(HOST, server.port, connect_to="localhost")
        seen = observe(endpoint, trust=Trust.of(authority.ca_file), chains=chains_of, timeout=60)
    assert seen.address == ADDRESS


def test_passed_deadline_is_no_answer(authority: Authority) -> None:
    """A deadline that has passed is no answer, and nobody is asked."""
    with Server(authority.issue()) as server, pytest.raises(NoAnswerError):
        look(server, authority.ca_file, timeout=1e-9)
    assert server.connections == 0


def test_a_resolver_that_turns_its_answers_round_changes_no_failure(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses of which none answers are named in an order of their own, so that an outage stays one failure."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{number}", port)) for number in (1, 2)]
    said = set()
    for turned in (answers, answers[::-1]):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, turned=turned, **__: turned)
        with pytest.raises(NoAnswerError) as caught:
            observe(Endpoint(HOST, port), trust=Trust.of(authority.ca_file), chains=chains_of, timeout=60)
        said.add(str(caught.value))
    assert {f"no answer from {HOST}:{port}: 127.0.0.1: connection refused; 127.0.0.2: connection refused"} == said


def test_a_name_that_cannot_be_asked_for_is_no_answer(authority: Authority) -> None:
    """An address to connect to with a label that is none is said, and no thread dies of it."""
    endpoint = Endpoint(HOST, 443, connect_to="a..b")
    with pytest.raises(NoAnswerError, match="is neither an address nor a name"):
        observe(endpoint, trust=Trust.of(authority.ca_file), chains=chains_of, timeout=60)
