"""How often the same is told, and what a heartbeat counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from banking import AT, policy_of

from pinscher.reports import Install, Pulse, read_heartbeat, write_heartbeat
from pinscher.reports.heartbeat import MOST_COUNTS, ROTATES
from pinscher.reports.limiter import MOST_KINDS, Limiter
from pinscher.verdict import Action, Outcome

POLICY = policy_of()


@dataclass
class Count:
    """A count as ``tls.counting`` returns it."""

    host: str | None
    times: int
    outcome: Outcome = Outcome.MATCH
    action: Action = Action.ALLOW
    matched: str | None = "sha256/x"
    policy: str = "bank"
    version: int = 9


def test_the_same_is_told_once_in_an_interval() -> None:
    """The first is told at once, its repetitions after the interval with their number, and others at once."""
    limiter = Limiter(60)
    assert [1, 0, 0, 1, 1] == [
        limiter.times("main", "a", 0), limiter.times("main", "a", 10), limiter.times("main", "a", 59),
        limiter.times("main", "b", 59), limiter.times("other", "a", 59),
    ]  # fmt: skip
    assert 3 == limiter.times("main", "a", 60)
    assert 1 == limiter.times("main", "a", 130)


def test_what_is_forgotten_is_counted() -> None:
    """Too many different things make the oldest be forgotten; its repetitions are counted, once."""
    limiter = Limiter(60)
    for _ in range(3):
        limiter.times("main", "first", 0)
    for number in range(MOST_KINDS):
        limiter.times("main", str(number), 1)
    assert [2, 0] == [limiter.take_forgotten(), limiter.take_forgotten()]
    assert 1 == limiter.times("main", "first", 2)


def test_a_heartbeat_counts_by_pattern_and_since_the_last() -> None:
    """Hosts are told as the policy's own patterns, unlisted ones as none, and each is counted once."""
    counts = [Count("ada.bank.test", 2), Count("bob.bank.test", 3), Count("elsewhere.test", 1), Count(None, 1)]
    pulse = Pulse(lambda: counts, "1.2", lambda: "7 head")
    install = Install.new(AT)
    first = pulse.beat(POLICY, install, AT, lost=4)
    assert [("*.bank.test", 5), (None, 2)] == [(one.host, one.times) for one in first.counts]
    assert ("7 head", 4, AT, AT) == (first.log_head, first.lost, first.begins, first.ends)
    counts[0].times = 7
    second = pulse.beat(POLICY, install, AT + timedelta(hours=1))
    assert ([("*.bank.test", 5)], AT) == ([(one.host, one.times) for one in second.counts], second.begins)


def test_a_host_that_a_newer_policy_lists_by_another_entry_is_counted_once() -> None:
    """What was told under one pattern is not told again under another, and what comes then is told under that one."""
    own = policy_of(more='[hosts."ada.bank.test"]\nunpinned = "x"\n')
    counts = [Count("ada.bank.test", 1000), Count("bob.bank.test", 5)]
    pulse, install, told = Pulse(lambda: counts, "1"), Install.new(AT), []
    for times, policy in ((1000, POLICY), (1000, own), (1001, own), (1003, POLICY), (1003, own)):
        counts[0].times = times
        told.append([(one.host, one.times) for one in pulse.beat(policy, install, AT).counts])
    assert [[("*.bank.test", 1005)], [], [("ada.bank.test", 1)], [("*.bank.test", 2)], []] == told


def test_a_heartbeat_is_bounded() -> None:
    """The rarest counts beyond the limit are added up without their pin, none is lost, and it can be read."""
    pulse = Pulse(lambda: [Count("a.bank.test", number + 1, matched=str(number)) for number in range(600)], "1")
    beat = pulse.beat(POLICY, Install.new(AT), AT)
    assert (MOST_COUNTS + 1, sum(range(601))) == (len(beat.counts), sum(one.times for one in beat.counts))
    assert beat == read_heartbeat(write_heartbeat(beat))


def test_an_identity_rotates() -> None:
    """An install keeps its random identity for its time; then, or when the clock went back, it gets another."""
    install = Install.new(AT.replace(microsecond=0))
    written = install.write()
    assert install == Install.read(written, AT + ROTATES - timedelta(days=1))
    others = [Install.read(written, AT + ROTATES), Install.read(written, AT - timedelta(days=1))]
    others += [Install.read(None, AT), Install.read(b"junk", AT), Install.new(AT)]
    assert 6 == len({install.id, *(other.id for other in others)})
