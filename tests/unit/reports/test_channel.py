"""Report channels; the rules are those at the top of ``reports/channel.py`` and ``reports/addresses.py``."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

import pytest
from banking import HELD, OTHER, ROOT, channel_of, policy_of
from collecting import Collector

from pinscher.lab.authority import Authority
from pinscher.lab.protocols.http import response
from pinscher.lab.server import TlsServer
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.reports import Channel, ChannelRefusedError, DeliveryError, Kind
from pinscher.tls import PinMismatchError, PinnedContext

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


def test_a_delivery_is_a_post_with_its_key(server: TlsServer, collector: Collector) -> None:
    """A report is posted to its address under its idempotency key, with the app's token, as JSON."""
    channel = channel_of(policy_of(server.port), token="app-1")
    channel.deliver(Kind.REPORT, b"{}", key="k1")
    channel.deliver(Kind.HEARTBEAT, b"[]", key="k2")
    assert {"k1": ("/v1/reports", b"{}"), "k2": ("/v1/heartbeats", b"[]")} == collector.stored
    fields = collector.requests[0].fields
    assert ("POST", "application/json", "Bearer app-1", f"localhost:{server.port}") == (
        collector.requests[0].method, fields["content-type"], fields["authorization"], fields["host"],
    )  # fmt: skip


def test_a_server_without_the_channels_pin_gets_nothing() -> None:
    """A collector whose key is not the channel's is refused, although its certificate is valid; it reads no octet."""
    intercepting = ROOT.issue("localhost")
    with TlsServer(intercepting, protocol=Collector()) as server:
        with pytest.raises(DeliveryError, match="no pinned key") as refused:
            channel_of(policy_of(server.port)).deliver(Kind.REPORT, b"secret", key="k")
        server.wait_idle()
        assert 0 == server.application_bytes
    assert isinstance(refused.value.__cause__, PinMismatchError)


@pytest.mark.parametrize("status", [202, 301, 307, 400, 413, 429, 500, 503])
def test_no_other_answer_lets_a_report_go(status: int) -> None:
    """Only 200, 201 and 204 say that it is stored; a redirect is not followed, 202 promises nothing."""
    collector = Collector(lambda _: response(status, b"", location="https://elsewhere.test/", retry_after="7"))
    with TlsServer(HELD, protocol=collector) as server:
        with pytest.raises(DeliveryError, match=f"it answered {status}") as refused:
            channel_of(policy_of(server.port)).deliver(Kind.REPORT, b"{}", key="k")
    assert (status, 7.0, 1) == (refused.value.status, refused.value.retry_after, len(collector.requests))


@pytest.mark.parametrize(
    ("wish", "seconds"), [("99999999", 86_400.0), ("Fri, 31 Dec 1999 23:59:59 GMT", 0.0), ("-1", 0.0)]
)
def test_a_wish_for_patience_is_bounded(wish: str, seconds: float) -> None:
    """A server may ask for a day at most, and for nothing by a date."""
    with TlsServer(HELD, protocol=Collector(lambda _: response(503, b"", retry_after=wish))) as server:
        with pytest.raises(DeliveryError) as refused:
            channel_of(policy_of(server.port)).deliver(Kind.REPORT, b"{}", key="k")
    assert seconds == refused.value.retry_after


@pytest.mark.parametrize("status", [200, 204])
def test_other_answers_that_say_stored(status: int) -> None:
    """200 and 204 let a report go as 201 does."""
    with TlsServer(HELD, protocol=Collector(lambda _: response(status, b""))) as server:
        channel_of(policy_of(server.port)).deliver(Kind.REPORT, b"{}", key="k")


def test_no_channel_is_pinned_by_the_policy_that_it_is_told_about() -> None:
    """A channel on a host that the same policy pins, by name or pattern, is refused (rule 1)."""
    for host in ("localhost", "**.localhost"):
        policy = policy_of(more=f'[hosts."{host}"]\npins = ["{Pin.of(HELD.der)}"]\n')
        with pytest.raises(ChannelRefusedError, match="is pinned by the same policy"):
            channel_of(policy)
    allowed = policy_of(more='[hosts."localhost"]\nunpinned = "the collector"\n')
    assert "main" == channel_of(allowed).name


def test_a_channel_needs_a_name_and_a_verifying_context() -> None:
    """A channel that the policy does not name, a context that verifies nothing, and a token of two lines are refused."""
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    with pytest.raises(ChannelRefusedError, match="names no such channel"):
        Channel.of(policy_of(), "other", ssl.create_default_context())
    with pytest.raises(ChannelRefusedError, match="verifies no chain"):
        Channel.of(policy_of(), "main", blind)
    with pytest.raises(ChannelRefusedError, match="token"):
        channel_of(policy_of(), token="a\r\nX: y")


def test_a_private_address_is_refused(server: TlsServer) -> None:
    """A name that leads to the loopback is refused unless the policy allows it; nothing is connected to."""
    with pytest.raises(DeliveryError, match="is not a public address; allow-private"):
        channel_of(policy_of(server.port, private=False)).deliver(Kind.REPORT, b"{}", key="k")
    assert () == server.evidence.connections


def test_dns_rebinding_reaches_nothing(server: TlsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is looked up once, and a private address among public ones refuses them all."""
    answers = [[("203.0.113.1", 0), ("127.0.0.1", 0)], [("127.0.0.1", 0)]]
    asked = []

    def look_up(host: str, *_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(DeliveryError, match="is not a public address"):
        channel_of(policy_of(server.port, private=False)).deliver(Kind.REPORT, b"{}", key="k")
    assert (["localhost"], ()) == (asked, server.evidence.connections)
    asked[:] = ["x"]
    channel_of(policy_of(server.port)).deliver(Kind.REPORT, b"{}", key="k")
    assert ["x", "localhost"] == asked


def test_the_next_address_is_tried(server: TlsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address where nobody listens is passed over for the next; a name without one is told."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in ("127.0.0.9", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    channel_of(policy_of(server.port)).deliver(Kind.REPORT, b"{}", key="k")
    found[:] = []
    with pytest.raises(DeliveryError, match="the name has no address"):
        channel_of(policy_of(server.port)).deliver(Kind.REPORT, b"{}", key="k")


def test_no_proxy_of_the_environment_is_asked(
    server: TlsServer, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables that name a proxy change nothing about where a report goes (rule 2)."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    channel_of(policy_of(server.port)).deliver(Kind.REPORT, b"{}", key="k")
    assert ["k"] == list(collector.stored)


def test_a_slow_answer_ends() -> None:
    """A server that sends octet after octet without end, or shakes hands without end, is left in time (rule 5)."""
    gone = threading.Event()

    def trickling(conversation: Conversation) -> None:
        conversation.secure()
        conversation.send(b"HTTP/1.1 200 OK\r\nX: ")
        while not gone.wait(0.02):
            conversation.send(b"x")

    for protocol in (trickling, "unresponsive"):
        with TlsServer(HELD, protocol=protocol) as server:
            before = time.monotonic()
            with pytest.raises(DeliveryError):
                channel_of(policy_of(server.port), seconds=0.3).deliver(Kind.REPORT, b"{}", key="k")
            assert time.monotonic() - before < 15
            gone.set()


def test_an_answer_that_is_not_http_is_no_answer() -> None:
    """Something else than HTTP, an answer cut short, and an untrusted certificate deliver nothing."""

    def in_tongues(conversation: Conversation) -> None:
        conversation.secure()
        conversation.send(b"220 mail\r\n")

    with TlsServer(HELD, protocol=in_tongues) as server, pytest.raises(DeliveryError):
        channel_of(policy_of(server.port)).deliver(Kind.REPORT, b"{}", key="k")
    with TlsServer(OTHER.authority.issue("localhost"), protocol=Collector()) as server:
        with pytest.raises(DeliveryError, match="certificate verify failed"):
            channel_of(policy_of(server.port)).deliver(Kind.REPORT, b"{}", key="k")


def test_an_address_may_be_a_literal_with_a_query() -> None:
    """A channel may be an IP literal with a path of its own and a query, and both are kept."""
    collector = Collector()
    held = Authority.root("Literal").issue("127.0.0.1")
    with TlsServer(held, protocol=collector) as server:
        text = f'format = 1\nname = "x"\nversion = 1\n[hosts."a.test"]\nunpinned = "x"\n[reporting.main]\nurl = "https://127.0.0.1:{server.port}/a/?b=c"\nallow-private = true\n'
        own = Policy.loads(f'format = 1\nname = "c"\nversion = 1\n[hosts."127.0.0.1"]\npins = ["{Pin.of(held.der)}"]\n')
        channel = Channel.of(Policy.loads(text), "main", PinnedContext(own, trust=held.authority.pem))
        channel.deliver(Kind.REPORT, b"{}", key="k")
    assert {"k": ("/a/reports?b=c", b"{}")} == collector.stored
