"""Alarms, and the ends of a reporter; the rules are those at the top of ``reports/reporter.py``."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from banking import AT, HELD, channel_of, policy_of, verdict_on

from pinscher.lab.protocols.http import response
from pinscher.lab.server import TlsServer
from pinscher.policy import Policy
from pinscher.reports import (
    Alarm,
    Channel,
    ChannelRefusedError,
    FolderVault,
    Kind,
    MemoryVault,
    Pulse,
    Reporter,
    Spool,
    VaultBusyError,
    VaultError,
    alarm_report,
    read_heartbeat,
    read_report,
    write_report,
)
from pinscher.reports.alarm import LONGEST_SAID

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from collecting import Collector

    from pinscher.lab.conversation import Conversation

ALARM = Alarm(name="forked", at=AT, said="the log has forked", host="pins.bank.test", error="ForkError")
QUIET = Policy.loads('format = 1\nname = "quiet"\nversion = 1\n[hosts."a.test"]\nunpinned = "x"\n')


def nobody(name: str) -> Channel:
    """Refuse every channel."""
    raise ChannelRefusedError(name, "none")


class DeadVault(MemoryVault):
    """A vault on a disk that takes nothing."""

    def write(self, entries: Mapping[str, bytes | None]) -> None:
        """Refuse."""
        raise VaultError("spool", f"no space left for {len(entries)}")


def test_an_alarm_is_read_as_it_was_written() -> None:
    """The report of an alarm says what it is and under which policy, holds no certificate, and is read as written."""
    report = alarm_report(ALARM, policy_of(), library="1.2", times=3)
    assert report == read_report(write_report(report))
    assert report.judged is not None
    assert ("pins.bank.test", (), (), ()) == (report.host, report.served, report.validated, report.pins)
    judged = report.judged
    assert ("forked", "ForkError", "the log has forked", "bank", 9, 3) == (
        judged.alarm, judged.error, judged.said, judged.policy, judged.version, judged.times,
    )  # fmt: skip
    assert ("", "", "", "") == (judged.mode, judged.outcome, judged.action, judged.cause)


def test_a_report_of_a_client_of_before_is_read() -> None:
    """A report that says nothing of steps and alarms is read, and they are empty."""
    table = json.loads(write_report(alarm_report(ALARM, policy_of(), library="1.2")))
    for name in ("steps", "alarm", "error", "said"):
        del table["pinscher"][name]
    found = read_report(json.dumps(table).encode()).judged
    assert found is not None
    assert ((), "", "", "") == (found.steps, found.alarm, found.error, found.said)


@pytest.mark.parametrize("said", ["x" * 9000, "\x1b[31m" * 300, "ä\u202e\n" * 300])
def test_what_an_alarm_says_is_bounded_and_printable(said: str) -> None:
    """However long and strange an alarm's words are, its report can be read, and shows printable ASCII."""
    report = alarm_report(Alarm(name="refused", at=AT, said=said), policy_of(), library="1.2")
    assert report.judged is not None
    assert (True, True) == (report.judged.said.isascii(), report.judged.said.isprintable())
    assert len(report.judged.said) <= LONGEST_SAID
    assert report == read_report(write_report(report))


def test_an_alarm_is_told_to_every_channel_and_once() -> None:
    """Alarms go to each channel of the policy, the same one once in a while; without a channel they go nowhere."""
    policy = policy_of(more='[reporting.other]\nurl = "https://other.example/v1"\n')
    spool = Spool(MemoryVault())
    with Reporter(spool, nobody, lambda: policy, library="1") as reporter:
        reporter.on_alarm(ALARM)
        reporter.on_alarm(
            Alarm(name="forked", at=AT + timedelta(hours=1), said="again", host=ALARM.host, error="ForkError")
        )
        reporter.on_alarm(Alarm(name="refused", at=AT))
    assert ["main", "main", "other", "other"] == sorted(item.channel for item in spool.items())
    with Reporter(spool, nobody, lambda: QUIET, library="1") as silent:
        silent.on_alarm(ALARM)
    assert 4 == len(spool.items())


def test_an_alarm_about_the_disk_is_told_at_once(server: TlsServer, collector: Collector) -> None:
    """An alarm that the spool does not take is delivered without it; where that fails too it is counted as lost."""
    policy = policy_of(server.port)
    with Reporter(Spool(DeadVault()), lambda _: channel_of(policy), lambda: policy, library="1") as reporter:
        reporter.on_alarm(ALARM)
        collector.wait(1)
        collector.answer = lambda _: response(503, b"")
        reporter.on_alarm(Alarm(name="store", at=AT))
        reporter.on_verdict(verdict_on(policy))
    assert (2, 1) == (reporter.lost, len(collector.stored))


def test_an_end_tells_what_is_left(server: TlsServer, collector: Collector) -> None:
    """At the end what was taken is delivered, with a last heartbeat where anything was counted."""
    policy = policy_of(server.port)
    pulse = Pulse(list, "1")
    for lost, expected in ((0, ["/v1/reports"]), (1, ["/v1/heartbeats", "/v1/reports"])):
        collector.stored.clear()
        reporter = Reporter(
            Spool(MemoryVault()), lambda _: channel_of(policy), lambda: policy, library="1", pulse=pulse
        )
        reporter._beat_at = time.monotonic() + 3600
        with reporter:
            for _ in range(lost):
                next(reporter._lost)
            reporter.on_verdict(verdict_on(policy))
        assert expected == sorted(target for target, _ in collector.stored.values())


def test_an_end_is_bounded() -> None:
    """A collector that hangs holds an end up for its seconds; what is left is begun by nobody."""
    gone = threading.Event()

    def hanging(conversation: Conversation) -> None:
        conversation.secure()
        gone.wait(120)

    spool = Spool(MemoryVault())
    for _ in range(2):
        spool.accept("main", Kind.REPORT, b"{}")
    with TlsServer(HELD, protocol=hanging) as server:
        policy = policy_of(server.port)
        reporter = Reporter(spool, lambda _: channel_of(policy), lambda: policy, library="1")
        reporter.start()
        began = time.monotonic()
        assert not reporter.stop(0.3)
        assert time.monotonic() - began < 15
        gone.set()
        for thread in reporter._threads:
            thread.join(10)
        assert 1 == len(server.evidence.connections)
    assert 2 == len(spool.items())


def test_a_spool_that_cannot_be_opened_ends_no_thread(server: TlsServer, collector: Collector, tmp_path: Path) -> None:
    """While another process has the folder nothing is told; then alarms and what was counted meanwhile are."""
    policy, folder, refused = policy_of(server.port), tmp_path / "spool", threading.Event()
    other = FolderVault(folder)

    def opened() -> Spool:
        """Open the folder, or note that somebody else has it."""
        try:
            return Spool(FolderVault(folder))
        except VaultBusyError:
            refused.set()
            raise

    reporter = Reporter(opened, lambda _: channel_of(policy), lambda: policy, library="1", pulse=Pulse(list, "1"))
    reporter.beat_soon()
    with reporter:
        assert refused.wait(10)
        next(reporter._lost)
        other.close()
        reporter.on_alarm(ALARM)
        collector.wait(1)
        reporter.beat_soon()
        collector.wait(2)
        assert all(thread.is_alive() for thread in reporter._threads)
    beats = [read_heartbeat(content) for target, content in collector.stored.values() if target == "/v1/heartbeats"]
    assert [1] == [beat.lost for beat in beats]


def test_a_stop_that_comes_late_begins_nothing() -> None:
    """A reporter whose time is over before its threads have ended sends no last heartbeat and tries nothing."""
    opening, opened = threading.Event(), threading.Event()

    def slow() -> Spool:
        """Open a spool as on a disk that hangs."""
        opening.set()
        opened.wait(120)
        return Spool(MemoryVault())

    policy = policy_of()
    reporter = Reporter(slow, nobody, lambda: policy, library="1", pulse=Pulse(list, "1"))
    reporter.start()
    assert opening.wait(10)
    before = time.monotonic()
    reporter.on_verdict(verdict_on(policy))
    assert not reporter.stop(0.2)
    assert time.monotonic() - before < 15
    opened.set()
    for thread in reporter._threads:
        thread.join(10)
    assert [Kind.REPORT] == [item.kind for item in reporter.spool.items()]


def test_a_spool_takes_over_another(tmp_path: Path) -> None:
    """What another spool was left with is taken over under its own keys, and is there once, also after a crash."""
    left, mine = Spool(MemoryVault()), Spool(MemoryVault())
    mine.accept("main", Kind.REPORT, b"mine")
    theirs = [left.accept("main", Kind.REPORT, b"1"), left.accept("other", Kind.HEARTBEAT, b"2")]
    mine.adopt(left)
    assert () == left.items()
    assert [(item.key, item.kind, item.channel) for item in theirs] == [
        (item.key, item.kind, item.channel) for item in mine.items()[1:]
    ]
    vault = FolderVault(tmp_path / "spool")
    gone = Spool(vault).accept("main", Kind.REPORT, b"3")
    other = Spool(vault)
    (tmp_path / "spool" / gone.name).unlink()
    mine.adopt(other)
    assert (3, 1) == (len(mine.items()), other.dropped)
    with pytest.raises(VaultBusyError, match="another process uses it"):
        FolderVault(tmp_path / "spool")
    vault.close()


def test_a_folder_is_given_back_once(tmp_path: Path) -> None:
    """A folder that is closed a second time closes no other file that has its descriptor by then."""
    vault = FolderVault(tmp_path / "spool")
    vault.close()
    with (tmp_path / "other").open("wb") as other:
        vault.close()
        other.write(b"whole")
    assert b"whole" == (tmp_path / "other").read_bytes()


def test_a_heartbeat_begins_where_it_is_told_to() -> None:
    """What was counted before a fork is its parent's to tell; the child's heartbeats count from there."""
    pulse = Pulse(list, "1", lambda: "log 7 abc")
    pulse.skip(AT)
    spool = Spool(MemoryVault())
    policy = policy_of()
    Reporter(spool, nobody, lambda: policy, library="1").beat(pulse, AT + timedelta(hours=1))
    beat = read_heartbeat(spool.content(spool.items()[0]) or b"")
    assert (AT, "log 7 abc") == (beat.begins, beat.log_head)
