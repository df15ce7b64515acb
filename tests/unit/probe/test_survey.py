"""Many endpoints against a policy; the rules are those at the top of ``probe/survey.py`` and ``probe/attempt.py``."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from loopback import ADDRESS, AGREEABLE, HOST, Server

from pinscher.lab.authority import Authority
from pinscher.lab.protocols import plain
from pinscher.lab.server import TlsServer
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.probe import Endpoint, NoAnswerError, Protocol, ResponseInjectionError, StarttlsRefusedError, Trust
from pinscher.probe.attempt import _settle, _tell
from pinscher.probe.survey import Limits, Sighting, Survey
from pinscher.tls import chains_of
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from loopback import Authority as FileAuthority

    from pinscher.lab.conversation import Conversation

ROOT = Authority.root()
HELD = ROOT.intermediate().issue("bank.test", "*.bank.test")
QUICK = Limits(seconds=60, retries=0, back_off=0.01)


def policy(pinned: bytes = HELD.der, host: str = "**.bank.test") -> Policy:
    """Return a policy that pins one key."""
    return Policy.loads(f'format = 1\nname = "b"\nversion = 7\n[hosts."{host}"]\npins = ["{Pin.of(pinned)}"]\n')


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    """Return the trust in the root of these tests."""
    (tmp_path / "root.pem").write_bytes(ROOT.pem)
    return Trust.of(tmp_path / "root.pem")


def look(
    endpoints: Iterable[Endpoint], trust: Trust, *, limits: Limits = QUICK, by: Policy | None = None,
    family: socket.AddressFamily = socket.AF_UNSPEC, every_address: bool = True,
) -> list[Sighting]:  # fmt: skip
    """Return every sighting of endpoints."""
    found: list[Sighting] = []
    survey = Survey(
        policy=by or policy(), trust=trust, chains=chains_of, limits=limits, family=family, every_address=every_address,
        now=lambda: datetime(2026, 11, 21, tzinfo=UTC),
    )  # fmt: skip
    asyncio.run(survey.run(endpoints, found.append))
    return found


def at(server: TlsServer, host: str = "bank.test", address: str = ADDRESS) -> Endpoint:
    """Return the endpoint of a server under a name."""
    return Endpoint(host, server.port, connect_to=address)


def test_many_endpoints_are_judged_and_nothing_is_sent(trust: Trust) -> None:
    """Each endpoint gets its verdict, from a path with its root, and no application byte is sent."""
    limits = Limits(in_flight=20, per_host=20, retries=0)
    with TlsServer(HELD, protocol=plain.echo) as server:
        found = look((at(server, f"h{number}.bank.test") for number in range(50)), trust, limits=limits)
        server.wait_idle()
    assert [Outcome.MATCH] * 50 == [one.verdict.outcome for one in found if one.verdict is not None]
    assert {f"h{number}.bank.test" for number in range(50)} == {one.endpoint.host for one in found}
    assert {f"h{number}.bank.test" for number in range(50)} == {one.server_name for one in server.evidence.connections}
    seen = found[0].observation
    assert seen is not None
    assert seen.validated is not None
    assert (HELD.chain, 3, 0) == (seen.presented.certificates, len(seen.validated), server.application_bytes)


def _is_open(descriptor: int) -> bool:
    """Tell whether the other side of a connection has not closed it yet, however much of it still waits to be read."""
    asked = select.poll()
    asked.register(descriptor, select.POLLRDHUP)
    return not asked.poll(0)


def test_no_more_are_in_flight_than_allowed(trust: Trust) -> None:
    """No more connections are open at a time than in_flight and per_host allow (rule 1)."""
    lock, live, most = threading.Lock(), set[int](), [0]

    def counting(conversation: Conversation) -> None:
        """Count the connections that their clients have open when another one begins."""
        own = os.dup(conversation._lifeline.fileno())
        with lock:
            live.add(own)
            most[0] = max(most[0], sum(map(_is_open, live)))
        try:
            plain.echo(conversation)
        finally:
            with lock:
                live.discard(own)
                os.close(own)

    with TlsServer(HELD, protocol=counting) as server:
        endpoints = [at(server, f"h{number}.bank.test") for number in range(12)]
        assert 12 == len(look(endpoints, trust, limits=Limits(in_flight=3, per_host=12)))
        server.wait_idle()
        # What is closed here is noticed there a moment later; the next one may be there by then.
        assert most[0] <= 6
        most[0] = 0
        assert 12 == len(look(endpoints, trust, limits=Limits(in_flight=12, per_host=1)))
        server.wait_idle()
    assert most[0] <= 2


def test_every_address_of_a_name_is_looked_at(trust: Trust) -> None:
    """A name with two addresses is two results, the one that answers and the one that does not (rule 2)."""
    with TlsServer(ROOT.issue("localhost")) as server:
        found = look([Endpoint("localhost", server.port)], trust)
        four = look([Endpoint("localhost", server.port)], trust, family=socket.AF_INET)
        one = look([Endpoint("localhost", server.port)], trust, every_address=False)
    addresses = {address[4][0] for address in socket.getaddrinfo("localhost", 1, type=socket.SOCK_STREAM)}
    assert addresses == {sighting.address for sighting in found}
    assert [ADDRESS] == [sighting.address for sighting in found if sighting.failure is None]
    assert [ADDRESS] == [sighting.address for sighting in four]
    assert [ADDRESS] == [sighting.address for sighting in one]


def test_an_unverified_server_is_shown_and_refused(trust: Trust) -> None:
    """A server that does not verify is shown as it presented itself, and its verdict is no validated chain."""
    stranger = Authority.root("Stranger").issue("bank.test")
    with TlsServer(stranger) as server:
        (found,) = look([at(server)], trust)
    assert found.verdict is not None
    assert found.observation is not None
    assert Outcome.CHAIN_NOT_VALIDATED is found.verdict.outcome
    assert (stranger.der, None) == (found.observation.presented.leaf, found.observation.validated)
    assert "self-signed certificate in certificate chain" in found.verdict.detail or "issuer" in found.verdict.detail


def test_another_key_and_an_unlisted_host_are_verdicts(trust: Trust) -> None:
    """A verified server with another key does not match, and a host that the policy does not list is unlisted."""
    other = ROOT.issue("bank.test", "elsewhere.test")
    stranger = Authority.root("Stranger").issue("elsewhere.test")
    with TlsServer(other) as server, TlsServer(stranger) as unverified:
        (found,) = look([at(server)], trust)
        (unlisted,) = look([at(server, "elsewhere.test")], trust)
        (neither,) = look([at(unverified, "elsewhere.test")], trust)
    verdicts = [one.verdict.outcome for one in (found, unlisted, neither) if one.verdict is not None]
    assert [Outcome.NO_MATCHING_PIN, Outcome.UNLISTED_HOST, Outcome.UNLISTED_HOST] == verdicts


def test_a_missing_answer_is_asked_for_again(trust: Trust) -> None:
    """A server that answers at the third try is a good answer of three tries; a refusal is asked for once (rule 3)."""
    refused = [2]

    def reluctant(conversation: Conversation) -> None:
        if refused[0]:
            refused[0] -= 1
            return
        plain.echo(conversation)

    with TlsServer(HELD, protocol=reluctant) as server:
        (found,) = look([at(server)], trust, limits=Limits(retries=3, back_off=0.001))
    assert (3, None) == (found.tries, found.failure)
    assert found.verdict is not None
    assert Outcome.MATCH is found.verdict.outcome
    refused[0] = 100
    with TlsServer(HELD, protocol=reluctant) as server:
        (found,) = look([at(server)], trust, limits=Limits(retries=1, back_off=0.001))
        server.wait_idle()
        assert (2, 2) == (found.tries, len(server.evidence.connections))
    assert isinstance(found.failure, NoAnswerError)


def test_a_server_that_says_nothing_costs_its_time_and_no_more(trust: Trust) -> None:
    """A server that accepts and stays silent ends with the deadline, and holds nobody else up."""
    with TlsServer(HELD, protocol="unresponsive") as silent, TlsServer(HELD) as server:
        found = look([at(silent), at(server)], trust, limits=Limits(seconds=2, retries=0, in_flight=4, per_host=4))
    assert [server.port, silent.port] == [one.endpoint.port for one in found]
    assert "nothing within 2 s" in str(found[1].failure)


def test_a_closed_port_and_an_unknown_name_are_no_answer(trust: Trust) -> None:
    """A port where nobody listens and a name that is not known are told with their reasons."""
    with socket.create_server((ADDRESS, 0)) as listener:
        port = listener.getsockname()[1]
    (closed,) = look([Endpoint("bank.test", port, connect_to=ADDRESS)], trust)
    assert (ADDRESS, "connection refused") == (closed.address, str(closed.failure).rpartition(": ")[2])
    (unknown,) = look([Endpoint("bank.test", 443, connect_to="not an address")], trust)
    assert unknown.address is None
    assert isinstance(unknown.failure, NoAnswerError)


@pytest.mark.parametrize("name", ["a..b", "a" * 70 + ".test", "\udcff.test", "a\0.test"])
def test_a_name_that_cannot_be_asked_for_is_no_answer(trust: Trust, name: str) -> None:
    """A name with an empty label, one that is too long or octets that are no text is no answer; the others get theirs."""
    with TlsServer(HELD) as server:
        found = look([Endpoint("bank.test", 443, connect_to=name), at(server)], trust)
    assert {(None, NoAnswerError), (ADDRESS, type(None))} == {(one.address, type(one.failure)) for one in found}


@pytest.mark.parametrize("protocol", AGREEABLE)
def test_starttls_is_spoken(authority: FileAuthority, protocol: Protocol) -> None:
    """Every protocol that begins in clear is spoken up to TLS, and what follows is judged as ever."""
    issued = authority.issue()
    with Server(issued, AGREEABLE[protocol]) as server:
        endpoint = Endpoint(HOST, server.port, protocol=protocol, connect_to=ADDRESS)
        (found,) = look([endpoint], Trust.of(authority.ca_file), by=policy(issued.der, HOST))
    assert found.verdict is not None
    assert Outcome.MATCH is found.verdict.outcome


def test_starttls_that_goes_wrong_is_no_answer(authority: FileAuthority) -> None:
    """A server without STARTTLS, and plaintext injected before TLS, are told as what they are."""
    injected = [*AGREEABLE[Protocol.POP3][:1], (b"STLS\r\n", b"+OK begin TLS\r\n+OK injected\r\n")]
    stripped = [(b"", b"+OK ready\r\n"), (b"STLS\r\n", b"-ERR no\r\n")]
    failures = []
    for script in (injected, stripped):
        with Server(authority.issue(), script) as server:
            endpoint = Endpoint(HOST, server.port, protocol=Protocol.POP3, connect_to=ADDRESS)
            (found,) = look([endpoint], Trust.of(authority.ca_file))
            failures.append(type(found.failure))
    assert [ResponseInjectionError, StarttlsRefusedError] == failures


def test_an_answer_that_cannot_be_written_ends_the_survey(trust: Trust) -> None:
    """What the receiver of the answers raises ends the survey and is raised; nothing is left running."""

    def gone(_: Sighting) -> None:
        raise BrokenPipeError

    with TlsServer(HELD) as server, TlsServer(HELD, protocol="unresponsive") as silent:
        survey = Survey(policy=policy(), trust=trust, chains=chains_of, limits=QUICK)
        with pytest.raises(BrokenPipeError):
            asyncio.run(survey.run([at(server), at(silent)], gone))


def test_an_answer_to_a_loop_that_is_gone_is_dropped() -> None:
    """A thread that ends after its loop was closed, or after nobody waits for it, disturbs nobody."""

    async def settled() -> asyncio.Future[int]:
        """Settle a future that nobody waits for."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future.cancel()
        _settle(future, 1, None)
        return future

    loop = asyncio.new_event_loop()
    try:
        assert loop.run_until_complete(settled()).cancelled()
    finally:
        loop.close()
    _tell(loop, print)


def test_records_in_pieces_are_put_together(trust: Trust) -> None:
    """A server whose octets come one by one is seen as any other."""
    with TlsServer(HELD, protocol="http-in-octets") as server:
        (found,) = look([at(server)], trust)
    assert found.verdict is not None
    assert Outcome.MATCH is found.verdict.outcome


def test_a_name_of_many_addresses_is_bounded(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses beyond the limit are not looked at, and the result says how many."""
    many = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.1.{number}", 1)) for number in range(1, 41)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: many)
    found = look([Endpoint("many.bank.test", 1)], trust)
    assert (32, {8}) == (len(found), {one.omitted for one in found})


def test_a_slow_resolver_is_not_waited_for(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up that does not end costs its time and no more."""
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(30) and [])
    try:
        (found,) = look([Endpoint("slow.bank.test")], trust, limits=Limits(seconds=0.1, retries=0))
    finally:
        release.set()
    assert "not looked up within 0.1 s" in str(found.failure)


def test_tls_of_the_standard_library_alone(trust: Trust) -> None:
    """An answer that is not TLS is refused by the standard library in its own words."""

    def in_clear(conversation: Conversation) -> None:
        conversation.wait_for_greeting()
        conversation.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        conversation.drain()

    with TlsServer(HELD, protocol=in_clear) as server:
        (found,) = look([at(server)], trust)
    assert "wrong version number" in str(found.failure)
