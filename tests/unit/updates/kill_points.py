"""
Kills a refreshing program at counted steps of its writing, and looks each time what a new start finds.

Run as a program, single-threaded, so that it can fork: ``python kill_points.py FOLDER ROUNDS`` prints one line of JSON.
Each round publishes a newer policy and lets a child refresh, which is killed at one step: a file opened, half a write, a
write, an fsync, a rename or a removal. Files travel by reading them from the publisher's folder.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from publisher import Clock, Publisher, policy

from pinscher.updates import EventKind, Intervals, Updater
from pinscher.updates.errors import AbsentFileError
from pinscher.updates.repository import rotate

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_STEPS = 26
"""A little more steps than a refresh has, so that some refreshes end."""


def transport(folder: str) -> Callable[[str], Callable[[str, int], bytes]]:
    """Return a transport that reads a folder."""

    def fetch(path: str, _octets: int, /) -> bytes:
        try:
            return (Path(folder) / path).read_bytes()
        except FileNotFoundError:
            raise AbsentFileError(path) from None

    return lambda _: fetch


def follower(publisher: Publisher, store: str, told: list[Any]) -> Updater:
    """Return a new start of the client."""
    return Updater(
        "https://updates.example", root=publisher.root, store=store, transport=transport(publisher.repository.public),
        on_event=told.append, intervals=Intervals(least=timedelta()), now=publisher.clock, clock=publisher.clock.seconds,
    )  # fmt: skip


def dying(step: int) -> None:
    """Count the steps of writing from now on, and die at one of them; half the writes die with half their octets."""
    left = step

    def die_if_it_is_time() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(called: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            die_if_it_is_time()
            return called(*arguments, **named)

        return call

    write = os.write

    def half(descriptor: int, octets: Any) -> int:
        if left == 0:
            write(descriptor, bytes(octets)[: len(octets) // 2])
        die_if_it_is_time()
        done = write(descriptor, octets)
        die_if_it_is_time()
        return done

    os.write = half
    for name in ("open", "replace", "fsync", "unlink", "mkdir", "close"):
        setattr(os, name, counted(getattr(os, name)))


def child(publisher: Publisher, store: str, step: int) -> bool:
    """Let a child refresh and die; tell whether it got to the end."""
    process = os.fork()
    if process == 0:
        try:
            updater = follower(publisher, store, [])
            updater.start()
            dying(step)
            updater.refresh()
        finally:
            os._exit(0)
    _, status = os.waitpid(process, 0)
    return not os.WIFSIGNALED(status)


def main(folder: str, rounds: int) -> dict[str, Any]:
    """Kill in every round, and return what was found."""
    # A killed program loses nothing that it wrote, so what takes longest is counted and not done.
    os.fsync = lambda _: None
    chosen = random.Random(2027)
    clock = Clock()
    publisher = Publisher(Path(folder) / "publisher", clock)
    store = str(Path(folder) / "store")
    kills, ends, newest, faults = 0, 0, 0, []
    for version in range(1, rounds + 1):
        clock.move(minutes=1)
        if version % 50 == 0:
            rotate(publisher.repository, "root", at=clock())
        publisher.publish(policy(version))
        is_end = child(publisher, store, chosen.randrange(MOST_STEPS))
        kills, ends = kills + (not is_end), ends + is_end
        told: list[Any] = []
        found = follower(publisher, store, told).start()
        reached = found.version if found else 0
        alarms = [event.text for event in told if event.kind is EventKind.STORE]
        if reached < newest or alarms or (is_end and reached != version) or reached not in {0, newest, version}:
            faults.append([version, newest, reached, alarms])
        newest = reached
    last: list[Any] = []
    refreshed = follower(publisher, store, last).refresh()
    leftovers = len([path for path in Path(store).iterdir() if path.name.startswith(".")])
    return {
        "kills": kills, "ends": ends, "faults": faults, "last": refreshed.policy.version, "leftovers": leftovers,
    }  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], int(sys.argv[2]))) + "\n")
