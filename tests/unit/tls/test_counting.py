"""Every verdict of a process is counted, without a lock in a handshake's way."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.tls import counting
from pinscher.verdict import unlisted

from .conftest import HOST, wrapped

if TYPE_CHECKING:
    from .conftest import Scene


def _found(**wanted: Any) -> int:
    """Return how often the verdicts that agree with *wanted* were counted."""
    agreeing = [one for one in pinscher.stats() if all(getattr(one, name) == value for name, value in wanted.items())]
    return sum(one.times for one in agreeing)


def test_what_is_let_through_and_what_is_refused_are_counted(scene: Scene) -> None:
    """A count says for which host, by which pin and policy, and with which outcome, how often."""
    policy = scene.policy(version=731)
    context = scene.context(policy)
    genuine, rogue = scene.serve(scene.genuine, tickets=False), scene.serve(scene.rogue)
    for _ in range(3):
        with wrapped(context, genuine):
            pass
    for _ in range(2):
        with pytest.raises(pinscher.PinMismatchError), wrapped(context, rogue):
            pass
    pin = pinscher.Pin.of(scene.genuine.der)
    assert 3 == _found(host=HOST, version=731, outcome=pinscher.Outcome.MATCH, matched=pin, resumed=False)
    assert 2 == _found(host=HOST, version=731, outcome=pinscher.Outcome.NO_MATCHING_PIN, matched=None)
    assert 5 == _found(version=731)


def test_a_refusal_that_is_told_once_is_counted_every_time(scene: Scene) -> None:
    """Retries are one piece of news and several verdicts."""
    context, rogue = scene.context(scene.policy(version=732)), scene.serve(scene.rogue)
    for _ in range(4):
        with pytest.raises(pinscher.PinMismatchError), wrapped(context, rogue):
            pass
    assert (4, 1) == (_found(version=732), len(scene.told))


def test_resumed_connections_are_told_apart(scene: Scene) -> None:
    """A count tells full handshakes from resumed ones."""
    context, server = scene.context(scene.policy(version=733)), scene.serve(scene.genuine)
    with wrapped(context, server) as first:
        first.sendall(b"x")
        first.recv(1)
        session = first.session
    with wrapped(context, server, session=session):
        pass
    assert (1, 1) == (_found(version=733, resumed=False), _found(version=733, resumed=True))


def test_a_withdrawal_is_counted(scene: Scene) -> None:
    """A connection that a new policy ends is one verdict more."""
    context = scene.context(scene.policy(version=734))
    with wrapped(context, scene.serve(scene.genuine)):
        context.policy = scene.policy(pinscher.Pin.of(scene.rogue.der), version=735)
    assert (1, 1) == (_found(version=734), _found(version=735, outcome=pinscher.Outcome.NO_MATCHING_PIN))


def test_threads_lose_no_count(scene: Scene) -> None:
    """Eight threads that count at once, and end, are added up to the last verdict."""
    verdict = unlisted(scene.policy(version=736), host="elsewhere.test", at=datetime.now(UTC))
    assert verdict is not None

    def work() -> None:
        for _ in range(20_000):
            counting.count(verdict)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = threading.Thread(target=work)
    last.start()
    last.join()
    assert 180_000 == _found(version=736, host="elsewhere.test")


def test_hosts_without_end_are_counted_in_bounded_memory(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound, which an attacker with a wildcard could reach, verdicts are counted without their host."""
    monkeypatch.setattr(counting, "_ROWS", {})
    policy = scene.policy(version=737)
    for number in range(counting.MOST_COUNTED + 50):
        verdict = unlisted(policy, host=f"h{number}.test", at=datetime.now(UTC))
        assert verdict is not None
        counting.count(verdict)
    assert (counting.MOST_COUNTED + 50, 50) == (_found(version=737), _found(version=737, host=None))
    assert counting.MOST_COUNTED + 1 == len(counting._ROWS)


def test_a_count_that_fails_refuses_nobody(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statistics that break do not break a genuine connection."""

    def broken(_: pinscher.Verdict) -> None:
        raise RuntimeError("no memory for another row")

    monkeypatch.setattr(counting, "row_of", broken)
    with wrapped(scene.context(), scene.serve(scene.genuine)) as secured:
        assert pinscher.Outcome.MATCH is secured.verdict.outcome


def test_reading_the_counts_counts_nothing(scene: Scene) -> None:
    """However often the counts are read, they stay what they were."""
    verdict = unlisted(scene.policy(version=738), host="elsewhere.test", at=datetime.now(UTC))
    assert verdict is not None
    for _ in range(3):
        counting.count(verdict)
    assert [3, 3, 3] == [_found(version=738) for _ in range(3)]


def test_a_policy_that_is_read_again_and_again_is_counted_as_one(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal pins of another reading are the same pin, so that a host is never counted as nobody for being reloaded."""
    monkeypatch.setattr(counting, "_SHORT_CUTS", {})
    monkeypatch.setattr(counting, "MOST_COUNTED", len(counting._ROWS) + 2)
    context, server = scene.context(scene.policy(version=977)), scene.serve(scene.genuine, tickets=False)
    for _ in range(len(counting._ROWS) + 6):
        context.policy = scene.policy(version=977)
        with wrapped(context, server):
            pass
    (counted,) = [one for one in pinscher.stats() if one.version == 977]
    assert HOST == counted.host
    assert len(counting._SHORT_CUTS) <= counting.MOST_COUNTED
