"""Whose turn it is; the rules are those at the top of ``probe/turns.py``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pinscher.probe import Endpoint
from pinscher.probe.turns import Turns, host_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def endpoints(*names: str) -> list[Endpoint]:
    """Return endpoints of hosts, each on a port of its own."""
    return [Endpoint(f"{name}.example", number) for number, name in enumerate(names, 1)]


def test_a_busy_host_lets_others_pass() -> None:
    """An endpoint whose host is busy waits, and the next of another host is handed out (rule 2)."""
    first, second, other = endpoints("a", "a", "b")
    turns = Turns([first, second, other], per_host=1)
    assert [first, other, None] == [turns.take(), turns.take(), turns.take()]
    turns.done(first)
    assert second == turns.take()


def test_the_source_is_read_no_further_than_what_may_wait() -> None:
    """A source of one host alone, however long, is read up to the bound and no further (rule 2)."""
    read = []

    def source() -> Iterator[Endpoint]:
        for port in range(1, 60_000):
            read.append(port)
            yield Endpoint("a.example", port)

    turns = Turns(source(), per_host=1, most_waiting=10)
    first = turns.take()
    assert turns.take() is None
    assert 11 == len(read)
    assert first is not None
    turns.done(first)
    assert 2 == (turns.take() or first).port


def test_an_address_that_replaces_the_name_is_the_host() -> None:
    """Two names that are connected to at one address count as one host (rule 1)."""
    pair = [Endpoint(name, connect_to="192.0.2.1") for name in ("a.example", "b.example")]
    turns = Turns(pair, per_host=1)
    assert [pair[0], None] == [turns.take(), turns.take()]


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 3), st.integers(1, 5), st.randoms())
def test_everything_is_handed_out_once_and_in_order(
    names: list[str], per_host: int, waiting: int, chance: object
) -> None:
    """Whatever the order of the ends, each endpoint is handed out once, in order by host, within the limit."""
    source = endpoints(*names)
    turns = Turns(source, per_host=per_host, most_waiting=waiting)
    out: list[Endpoint] = []
    seen: list[Endpoint] = []
    while True:
        taken = turns.take()
        if taken is not None:
            out.append(taken)
            seen.append(taken)
            assert max(Counter(map(host_of, out)).values()) <= per_host
            continue
        if not out:
            break
        done = out.pop(chance.randrange(len(out)))  # type: ignore[attr-defined]
        turns.done(done)
    assert sorted(source, key=str) == sorted(seen, key=str)
    for host in {host_of(one) for one in source}:
        assert [one for one in source if host_of(one) == host] == [one for one in seen if host_of(one) == host]
