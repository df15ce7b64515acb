"""A thread of one's own, its order and its bounds."""

from __future__ import annotations

import threading
from queue import Full

import pytest

from pinscher.monitor.own_thread import OwnThread


def test_one_thing_is_done_after_another() -> None:
    """Work is done in the order in which it came, by a thread that ends with it, and another one begins anew."""
    thread, done = OwnThread("worker", most=9), []
    futures = [
        thread.begin(lambda number=number: done.append((number, threading.current_thread()))) for number in "abc"
    ]  # type: ignore[misc]
    assert [None] * 3 == [future.result(20) for future in futures]
    assert ["a", "b", "c"] == [number for number, _ in done]
    for _, worker in done:
        worker.join(20)
        assert (False, True) == (worker.is_alive(), worker.daemon)
    assert 7 == thread.begin(lambda: 7).result(20)


def test_what_is_too_much_is_refused_at_once() -> None:
    """While one is done, as many wait as may; the next is refused, and those that wait are done all the same."""
    thread, begun, go_on = OwnThread("worker", most=2), threading.Event(), threading.Event()
    first = thread.begin(lambda: (begun.set(), go_on.wait(20)))
    assert begun.wait(20)
    waiting = [thread.begin(lambda number=number: number) for number in range(2)]  # type: ignore[misc]
    with pytest.raises(Full):
        thread.begin(lambda: 9)
    go_on.set()
    assert [(None, True), 0, 1] == [future.result(20) for future in (first, *waiting)]


def test_what_nobody_waits_for_is_not_begun() -> None:
    """Work whose caller went before its turn is passed over."""
    thread, begun, go_on = OwnThread("worker", most=9), threading.Event(), threading.Event()
    done: list[str] = []
    thread.begin(lambda: (begun.set(), go_on.wait(20)))
    assert begun.wait(20)
    left = thread.begin(lambda: done.append("left"))
    assert left.cancel()
    last = thread.begin(lambda: done.append("last"))
    go_on.set()
    last.result(20)
    assert ["last"] == done


def test_an_error_is_raised_where_the_result_is_waited_for() -> None:
    """Work that fails takes the thread not with it."""
    thread = OwnThread("worker", most=9)
    failing = thread.begin(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        failing.result(20)
    assert 7 == thread.begin(lambda: 7).result(20)
