"""
Forks that die: ``python dying.py FOLDER SCENARIO`` runs one write in forks of itself, each killed at another point.

A point is either the n-th call that changes the disk, before it, after it or with half of its octets written, or the
n-th line of the store's own code. Prints one JSON object: how many died, and what each left that is not valid.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from dying_at_calls import arm_calls, die

from pinscher.store import KeptKey, KeyFile, SealedStore, StoreError

OLD = {"bundle": b"old" * 50, "tuf/root": b"root", "report/1": b"lost never"}
NEW = {"bundle": b"new" * 900, "tuf/root": b"root", "report/1": b"lost never", "report/2": b"second"}
CALLS = ("open", "write", "fsync", "replace", "unlink", "mkdir", "close")


def arm_lines(point: int) -> None:
    """Kill this process at a counted line of the store's own code."""
    seen = 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal seen
        file = frame.f_code.co_filename
        if os.sep + "store" + os.sep not in file and os.path.basename(file) != "replacement.py":
            return None
        if event == "line":
            seen += 1
            if seen == point:
                die()
        return trace

    sys.settrace(trace)


def custody(folder: str) -> KeptKey:
    """Return the key of the store under test."""
    return KeptKey(KeyFile(os.path.join(folder, "keys", "key")))


def update(folder: str) -> None:
    """Write the new entries and a higher floor."""
    with SealedStore.open(os.path.join(folder, "store"), custody(folder)) as store:
        store.write({name: NEW[name] for name in ("bundle", "report/2")}, floor={"policy": (0, 2)})


def make(folder: str) -> None:
    """Make a store where there is none."""
    SealedStore.open(os.path.join(folder, "store"), custody(folder)).close()


def reset(folder: str) -> None:
    """Start over."""
    SealedStore.start_over(os.path.join(folder, "store"), custody(folder)).close()


def prepare(folder: str, scenario: str) -> None:
    """Put the old state in an empty folder."""
    os.mkdir(folder, 0o700)
    if scenario != "make":
        with SealedStore.open(os.path.join(folder, "store"), custody(folder)) as store:
            store.write(OLD, floor={"policy": (0, 1)})


def judge(folder: str, scenario: str) -> str:
    """Return what is wrong with what a killed writer left, or nothing."""
    before = custody(folder).counter
    try:
        with SealedStore.open(os.path.join(folder, "store"), custody(folder)) as store:
            held = {name: store.read(name) for name in store.names()}
            floor = dict(store.floor)
            store.write({"after": b"x"})
            tidy = len(os.listdir(store.path)) == len(store.names()) + 2
    except StoreError as error:
        if scenario != "reset":
            return f"{type(error).__name__}: {error}"
        reset(folder)
        return "" if custody(folder).counter == {"policy": (0, 1)} == before else "the floor was lost"
    if not tidy:
        return "leftovers"
    valid = {
        "update": [(OLD, {"policy": (0, 1)}), (NEW, {"policy": (0, 2)})],
        "make": [({}, {})],
        "reset": [(OLD, {"policy": (0, 1)}), ({}, {"policy": (0, 1)})],
    }[scenario]
    return "" if (held, floor) in valid else f"neither the old state nor the new one: {held!r:.80} {floor}"


SCENARIOS = {"update": update, "make": make, "reset": reset}
ARMS = {"calls": functools.partial(arm_calls, names=CALLS), "lines": arm_lines}


def child(folder: str, scenario: str, kind: str, point: int) -> bool:
    """Run the scenario in a fork that dies at a point; tell whether it did."""
    process = os.fork()
    if process == 0:
        try:
            ARMS[kind](point)
            SCENARIOS[scenario](folder)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


def main(folder: str, scenario: str) -> None:
    """Kill at every call, and at every line or every n-th one, until a fork lives."""
    import filelock  # noqa: F401  (loaded once, and not in every fork)

    # A killed program loses nothing that it wrote, so what takes longest is counted and not done.
    os.fsync = lambda _: None
    prepare(os.path.join(folder, "old"), scenario)
    deaths, wrong = {"calls": 0, "lines": 0}, []
    for kind in ARMS:
        point = 1
        while True:
            place = os.path.join(folder, f"{kind}{point}")
            shutil.copytree(os.path.join(folder, "old"), place)
            has_died = child(place, scenario, kind, point)
            reason = judge(place, scenario)
            if reason:
                wrong.append(f"{kind} {point}: {reason}")
            shutil.rmtree(place)
            if not has_died:
                break
            deaths[kind] += 1
            point += 1
    sys.stdout.write(json.dumps({"deaths": deaths, "wrong": wrong}))


if __name__ == "__main__":
    main(*sys.argv[1:])
