"""Changes of a key as they happen, with client processes under continuous traffic: the planned one, and the other."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pinscher.keeper.keeper import INTERVALS
from pinscher.lab.server import TlsServer

from .serving import Front, Served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pinscher.reports import ViolationReport

    from .conftest import World

KINDS = ("blocking", "asyncio", "blocking", "asyncio")
LONGEST = 30.0


@dataclass(frozen=True, slots=True)
class Request:
    """What a client told of one request: who, when it began, what came of it, and the policy in force by then."""

    client: int
    began: float
    what: str
    version: int


class Fleet:
    """Client processes, and what they told so far; *every* is what they are given of intervals, in place of their own."""

    def __init__(self, world: World, *every: float, token: str = "none") -> None:
        root, trust = world.folder / "root.json", world.folder / "trust.pem"
        root.write_bytes(world.publisher.root)
        trust.write_bytes(world.root.pem)
        self.requests: list[Request] = []
        self._told: queue.Queue[Request] = queue.Queue()
        self._processes = [
            subprocess.Popen(
                [sys.executable, str(Path(__file__).parent / "drill_client.py"), kind, world.repository.address,
                 str(root), str(world.folder / f"client{number}"), str(trust), str(world.bank.port), token,
                 *map(str, every)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for number, kind in enumerate(KINDS)
        ]  # fmt: skip
        self._readers = [
            threading.Thread(target=self._read, args=(number, process))
            for number, process in enumerate(self._processes)
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, number: int, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            began, what, version = line.split()
            self._told.put(Request(number, float(began), what, int(version)))

    def until(self, is_it: Callable[[Request], bool], times: int) -> None:
        """Wait until every client has told so many requests of a kind, from now on."""
        missing = dict.fromkeys(range(len(KINDS)), times)
        deadline = time.monotonic() + LONGEST
        while any(missing.values()):
            request = self._told.get(timeout=deadline - time.monotonic())
            self.requests.append(request)
            if is_it(request):
                missing[request.client] = max(missing[request.client] - 1, 0)

    def close(self) -> None:
        """End every client, and hear what it still has to tell."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process, reader in zip(self._processes, self._readers, strict=True):
            process.wait(LONGEST)
            reader.join(LONGEST)
            assert process.stdout is not None
            process.stdout.close()
        while not self._told.empty():
            self.requests.append(self._told.get())


@pytest.fixture
def fleet(world: World, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Return client processes that ask for news as often as the test says."""
    made = Fleet(world, request.param)
    yield made
    made.close()


@pytest.mark.parametrize("fleet", [0.3], indirect=True)
def test_a_planned_rotation_fails_no_request(
    world: World, fleet: Fleet, record_property: Callable[[str, object], None]
) -> None:
    """Announce, publish, switch the server's key, withdraw the old one: no request of any client fails."""
    fleet.until(lambda told: told.version == 1, 5)
    world.publish(2, "a", "b")
    fleet.until(lambda told: told.version == 2, 5)
    world.bank.show(world.keys["b"])
    switched = time.monotonic()
    fleet.until(lambda told: told.began > switched, 10)
    withdrawn = f'on-mismatch = ["refresh"]\ndenied-keys = ["{world.pin("a")}"]'
    world.publish(3, "b", more=withdrawn)
    fleet.until(lambda told: told.version == 3, 10)
    fleet.close()
    record_property("requests", len(fleet.requests))
    assert {"served"} == {told.what for told in fleet.requests}
    assert 100 < len(fleet.requests)


@pytest.mark.parametrize("fleet", [3600.0], indirect=True)
def test_an_unannounced_key_is_mended_by_the_bundle_that_names_it(
    world: World, fleet: Fleet, record_property: Callable[[str, object], None]
) -> None:
    """From publication on, blocking clients lose no request and asyncio clients one at most; refusals are few."""
    fleet.until(lambda told: told.what == "served", 3)
    before = world.asked()
    began = time.monotonic()
    world.bank.show(world.keys["c"])
    fleet.until(lambda told: told.what == "refused", 4)
    world.publish(2, "c")
    published = time.monotonic()
    fleet.until(lambda told: told.what == "served" and told.began > published, 5)
    ended = time.monotonic()
    fleet.close()
    counted = sum(told.what == "refused" for told in fleet.requests)
    for name, figure in (
        ("requests", len(fleet.requests)), ("refused", counted), ("asked", world.asked() - before),
        ("seconds", round(ended - began, 2)),
    ):  # fmt: skip
        record_property(name, figure)
    assert {"served", "refused"} == {told.what for told in fleet.requests}
    lost = [[told for told in fleet.requests if told.client == number and told.what == "refused" and
             told.began >= published] for number in range(len(KINDS))]  # fmt: skip
    record_property("lost", [len(one) for one in lost])
    assert [0, 0] == [len(one) for kind, one in zip(KINDS, lost, strict=True) if kind == "blocking"]
    assert [] == [one for kind, one in zip(KINDS, lost, strict=True) if kind == "asyncio" and len(one) > 1]
    # One for each minimum interval of each client, and each client's first.
    assert world.asked() - before <= len(KINDS) * ((ended - began) / 0.2 + 1)
    assert 4 * len(KINDS) <= counted


SECONDS = 10.0
"""How long after the unannounced change the mending bundle is published."""
LEAST = INTERVALS.least.total_seconds()


@pytest.fixture
def front(world: World) -> Iterator[Front]:
    """Return the collector of ``pinscher serve`` behind TLS, to which version 2 of the policy reports."""
    served = Served(world.folder / "monitor")
    world.stack.callback(served.close)
    made = Front(served.port, token=served.token)
    with TlsServer(world.collecting, protocol=made) as server:
        world.reports_to = server.port
        world.publish(2, "a", more=world.channel(server.port))
        yield made


def test_an_unannounced_key_is_mended_ten_seconds_later(
    world: World, front: Front, record_property: Callable[[str, object], None]
) -> None:
    """
    Ten seconds after an unannounced change of the key the mending bundle is published, to keepers with their own times.

    From then on blocking clients lose no request and asyncio clients one at most; the refusals before it are counted in
    heartbeats, one for one, and reported; the repository is asked once for each client and minimum interval.
    """
    fleet = Fleet(world, token=front.token)
    try:
        fleet.until(lambda told: told.what == "served", 3)
        before, all_before = world.asked(), sum(world.repository.asked.values())
        began = time.monotonic()
        world.bank.show(world.keys["c"])
        published: list[float] = []
        timer = threading.Timer(SECONDS, lambda: published.append(_published(world)))
        timer.start()
        fleet.until(lambda told: told.what == "refused", 1)
        front.wait(lambda one: len(_mismatches(one)) >= len(KINDS))
        timer.join()
        fleet.until(lambda told: told.what == "served" and told.began > published[0], 5)
        seconds = time.monotonic() - began
    finally:
        fleet.close()
    refused = [told for told in fleet.requests if told.what == "refused"]
    lost = [[told for told in refused if told.client == number and told.began >= published[0]] for number in range(4)]
    asked, asked_in_all = world.asked() - before, sum(world.repository.asked.values()) - all_before
    for name, figure in (
        ("requests", len(fleet.requests)), ("refused", len(refused)), ("lost", [len(one) for one in lost]),
        ("asked", asked), ("asked in all", asked_in_all), ("seconds", round(seconds, 2)),
    ):  # fmt: skip
        record_property(name, figure)
    assert {"served", "refused"} == {told.what for told in fleet.requests}
    assert [0, 0] == [len(one) for kind, one in zip(KINDS, lost, strict=True) if kind == "blocking"]
    assert [] == [one for kind, one in zip(KINDS, lost, strict=True) if kind == "asyncio" and len(one) > 1]
    # Each client asks once at first, and once more for each minimum interval that is over.
    most = len(KINDS) * (1 + int(seconds / LEAST))
    assert asked <= most
    # A look that finds nothing asks for a newer root and for the timestamp; one that finds a policy, for five files more.
    assert asked_in_all <= 2 * most + 5 * len(KINDS)
    assert [2] * len(KINDS) == [one.judged.version for one in _mismatches(front) if one.judged]
    told_by = {beat.install: 0 for beat in front.heartbeats}
    for beat in front.heartbeats:
        told_by[beat.install] += sum(one.times for one in beat.counts if one.outcome == "no-matching-pin")
    by_client = [sum(told.client == number for told in refused) for number in range(len(KINDS))]
    assert sorted(by_client) == sorted(told_by.values())


def _published(world: World) -> float:
    """Publish the policy that mends, and return when it was there."""
    world.publish(3, "c", more=world.channel(world.reports_to))
    return time.monotonic()


def _mismatches(front: Front) -> list[ViolationReport]:
    return [one for one in front.reports if one.judged is not None and one.judged.outcome == "no-matching-pin"]
