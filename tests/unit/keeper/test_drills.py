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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    """Client processes, and what they told so far."""

    def __init__(self, world: World, every: float) -> None:
        root, trust = world.folder / "root.json", world.folder / "trust.pem"
        root.write_bytes(world.publisher.root)
        trust.write_bytes(world.root.pem)
        self.requests: list[Request] = []
        self._told: queue.Queue[Request] = queue.Queue()
        self._processes = [
            subprocess.Popen(
                [sys.executable, str(Path(__file__).parent / "drill_client.py"), kind, world.repository.address,
                 str(root), str(world.folder / f"client{number}"), str(trust), str(world.bank.port), str(every)],
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
