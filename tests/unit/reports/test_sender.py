"""The sender and the reporter; the rules are those at the top of ``reports/sender.py`` and ``reports/reporter.py``."""

from __future__ import annotations

import logging
import os
import socket
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from banking import AT, HELD, ROOT, channel_of, policy_of, verdict_on
from collecting import Collector

from pinscher.lab.protocols.http import response
from pinscher.lab.server import TlsServer
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.reports import (
    Channel,
    ChannelRefusedError,
    FolderVault,
    Kind,
    Pulse,
    Reporter,
    Sender,
    Spool,
    read_heartbeat,
    read_report,
)
from pinscher.reports.reporter import MOST_QUEUED
from pinscher.tls import PinMismatchError, PinnedContext
from pinscher.tls.counting import stats

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pinscher.lab.protocols.http import Request


class Clock:
    """A clock that somebody else turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """A spool in a folder."""
    vault = FolderVault(tmp_path / "spool")
    yield Spool(vault)
    vault.close()


def test_what_is_stored_leaves_in_order(spool: Spool, server: TlsServer, collector: Collector) -> None:
    """Items are delivered in their order, each leaves when it is stored, and then nothing is due."""
    for number in range(3):
        spool.accept("main", Kind.REPORT, b"%d" % number)
    assert Sender(spool, lambda _: channel_of(policy_of(server.port))).step() is None
    assert ([b"0", b"1", b"2"], ()) == ([content for _, content in collector.stored.values()], spool.items())


def test_an_answer_that_was_lost_stores_nothing_twice(spool: Spool) -> None:
    """When the collector stored it and its answer was lost, the next try has the same key and changes nothing."""
    collector = Collector()
    lost = [True]

    def losing(conversation: object) -> None:
        if lost.pop() if lost else False:
            original = conversation.send  # type: ignore[attr-defined]
            conversation.send = lambda _: (_ for _ in ()).throw(OSError("lost"))  # type: ignore[attr-defined]
            assert original is not None
        collector(conversation)  # type: ignore[arg-type]

    clock = Clock()
    with TlsServer(HELD, protocol=losing) as server:
        spool.accept("main", Kind.REPORT, b"once")
        sender = Sender(spool, lambda _: channel_of(policy_of(server.port)), clock, jitter=lambda: 1.0)
        assert (5.0, 1) == (sender.step(), len(collector.stored))
        clock.now += 5
        assert sender.step() is None
    assert (1, 2, ()) == (len(collector.stored), len(collector.requests), spool.items())


def test_a_channel_that_fails_is_left_alone_for_longer_each_time(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    """Tries come after 5, 10, 20 seconds, up to an hour; one item is tried for all, and the log says it once."""
    collector = Collector(lambda _: response(503, b""))
    clock = Clock()
    with TlsServer(HELD, protocol=collector) as server:
        for _ in range(3):
            spool.accept("main", Kind.REPORT, b"x")
        sender = Sender(spool, lambda _: channel_of(policy_of(server.port)), clock, jitter=lambda: 1.0)
        waits = []
        for _ in range(12):
            waits.append(sender.step())
            clock.now += waits[-1] or 0.0
        assert [5.0, 10.0, 20.0, 40.0] == waits[:4]
        assert 3600.0 == waits[-1]
        assert (12, 3, ["main"]) == (len(collector.requests), len(spool.items()), list(sender.failures))
        collector.answer = lambda _: None
        assert (None, {}) == (sender.step(), sender.failures)
    messages = [record.getMessage() for record in caplog.records if record.name == "pinscher.reports"]
    assert 2 == len(messages), messages
    assert messages[0].endswith("it answered 503; it is tried again")
    assert messages[1] == "report channel main works again"


def test_a_refused_item_holds_no_other_up(spool: Spool) -> None:
    """An item that the collector calls bad waits by itself; those behind it are delivered."""

    def picky(request: Request) -> bytes | None:
        return response(422, b"") if request.body == b"bad" else None

    collector = Collector(picky)
    with TlsServer(HELD, protocol=collector) as server:
        bad = spool.accept("main", Kind.REPORT, b"bad")
        spool.accept("main", Kind.REPORT, b"good")
        sender = Sender(spool, lambda _: channel_of(policy_of(server.port)), Clock(), jitter=lambda: 1.0)
        assert 5.0 == sender.step()
    assert ([b"good"], (bad,)) == ([content for _, content in collector.stored.values()], spool.items())


def test_patience_that_is_asked_for_is_kept(spool: Spool) -> None:
    """A collector that asks for two minutes gets them, at least."""
    with TlsServer(HELD, protocol=Collector(lambda _: response(429, b"", retry_after="120"))) as server:
        spool.accept("main", Kind.REPORT, b"x")
        assert 120.0 == Sender(spool, lambda _: channel_of(policy_of(server.port)), Clock(), jitter=lambda: 1.0).step()


def test_a_channel_that_is_refused_or_gone_keeps_its_items(spool: Spool) -> None:
    """Items of a channel that the policy no longer names stay until they are the oldest."""

    def refused(name: str) -> Channel:
        raise ChannelRefusedError(name, "gone")

    spool.accept("main", Kind.REPORT, b"x")
    sender = Sender(spool, refused, Clock(), jitter=lambda: 1.0)
    assert (5.0, 1) == (sender.step(), len(spool.items()))


def test_an_item_that_vanished_is_passed_over(spool: Spool, tmp_path: Path) -> None:
    """An item whose file went away is counted as dropped and not delivered."""
    item = spool.accept("main", Kind.REPORT, b"x")
    (tmp_path / "spool" / item.name).unlink()
    assert (None, 1) == (Sender(spool, channel_refusing).step(), spool.dropped)


def channel_refusing(name: str) -> Channel:
    """Refuse every channel."""
    raise ChannelRefusedError(name, "none")


def test_a_refused_connection_is_told_from_end_to_end(spool: Spool, server: TlsServer, collector: Collector) -> None:
    """An intercepted connection is refused, and the report of it arrives over the channel, one for many retries."""
    policy = policy_of(server.port)
    attacker = ROOT.issue("api.bank.test")
    pulse = Pulse(stats, "1.2")
    with Reporter(
        spool, lambda _: channel_of(policy), lambda: policy, library="1.2", pulse=pulse, heartbeat=0
    ) as reporter:
        context = PinnedContext(policy, trust=ROOT.pem, on_verdict=reporter.on_verdict)
        with TlsServer(attacker) as intercepting:
            for _ in range(5):
                with socket.create_connection(intercepting.address) as tcp, pytest.raises(PinMismatchError):
                    context.wrap_socket(tcp, server_hostname="api.bank.test")
        collector.wait(2)
    told = [read_report(content) for target, content in collector.stored.values() if target == "/v1/reports"]
    beats = [read_heartbeat(content) for target, content in collector.stored.values() if target == "/v1/heartbeats"]
    assert [("api.bank.test", "no-matching-pin", 9)] == [
        (one.host, one.judged.outcome, one.judged.version) for one in told if one.judged
    ]
    assert attacker.der == told[0].validated[0]
    assert 1 == len({beat.install for beat in beats})
    assert 0 == reporter.lost


def test_a_verdict_never_waits(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a disk that hangs and a full queue, taking a verdict returns at once, and what is lost is counted."""
    hanging, reached = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow(descriptor: int) -> None:
        reached.set()
        hanging.wait(30)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    policy = policy_of()
    reporter = Reporter(spool, channel_refusing, lambda: policy, library="1")
    reporter.start()
    try:
        reporter.on_verdict(verdict_on(policy))
        assert reached.wait(10)
        for _ in range(MOST_QUEUED + 10):
            reporter.on_verdict(verdict_on(policy))
        assert 10 == reporter.lost
    finally:
        hanging.set()
        reporter.stop()
    assert 1 == len(spool.items())


def test_what_need_not_be_told_is_not(spool: Spool) -> None:
    """A match, a host without channels and an unlisted host are told to nobody."""
    policy = policy_of(more=f'[hosts."quiet.test"]\npins = ["{Pin.of(HELD.der)}"]\n')
    with Reporter(spool, channel_refusing, lambda: policy, library="1") as reporter:
        for host, chain in (("a.bank.test", HELD.chain), ("quiet.test", None), ("unlisted.test", None)):
            reporter.on_verdict(verdict_on(policy, host, chain))
    assert ((), 0) == (spool.items(), reporter.lost)


def test_a_full_disk_is_counted_and_told(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk without room loses the report and no connection; the next heartbeat says how many were lost."""
    policy = policy_of()
    caplog.set_level(logging.CRITICAL, "pinscher.reports")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    reporter = Reporter(spool, channel_refusing, lambda: policy, library="1")
    pulse = Pulse(list, "1")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with reporter:
            reporter.on_verdict(verdict_on(policy))
        reporter.beat(pulse, AT)
    assert 2 == reporter.lost
    reporter.beat(pulse, AT + timedelta(hours=1))
    reporter.beat(pulse, AT + timedelta(hours=2))
    beats = [read_heartbeat(spool.content(item) or b"") for item in spool.items()]
    assert [1, 0] == [beat.lost for beat in beats]


def test_a_policy_without_heartbeats_gets_none(spool: Spool) -> None:
    """Where no channel wants heartbeats, none is made and no identity is kept."""
    policy = Policy.loads('format = 1\nname = "x"\nversion = 1\n[hosts."a.test"]\nunpinned = "x"\n')
    Reporter(spool, channel_refusing, lambda: policy, library="1").beat(Pulse(stats, "1"), AT)
    assert ((), None) == (spool.items(), spool.install())


def test_a_spool_that_fails_is_tried_later(spool: Spool, server: TlsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spool that cannot let go of what was stored does not end the delivery."""
    spool.accept("main", Kind.REPORT, b"x")
    reporter = Reporter(spool, lambda _: channel_of(policy_of(server.port)), policy_of, library="1")

    def stuck(_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "unlink", stuck)
    assert 60.0 == reporter._step()
