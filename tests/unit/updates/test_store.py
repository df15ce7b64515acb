"""The plain folder, the floor, the limits, and what a bundle must be."""

from __future__ import annotations

import contextlib
import os
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publisher import pin, policy

import pinscher.updates
from pinscher import HostPattern, Policy
from pinscher.updates import (
    DirectoryStore,
    Floor,
    Intervals,
    InvalidBundleError,
    RollbackError,
    StoreBusyError,
    UnreadableMetadataError,
    UpdateStoreError,
)
from pinscher.updates.bundle import covers, override_of, patterns_of
from pinscher.updates.store import packed, unpacked

if TYPE_CHECKING:
    from pathlib import Path

FLOORS = st.builds(
    Floor, epoch=st.integers(0, 3), policy=st.integers(0, 9), root=st.integers(0, 9), seen=st.integers(0, 9)
)
NAMES = [
    "api.example",
    "*.example",
    "**.example",
    "a.api.example",
    "**.api.example",
    "*.api.example",
    "127.0.0.1",
    "example",
]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """A folder gives back what was saved last, the floor apart, and nothing before the first save."""
    store = DirectoryStore(tmp_path / "a" / "store")
    assert {} == store.load()
    store.save({"x/y": b"one", "floor.json": b"{}"})
    store.save({"x": b"", "z": b"\n\0"})
    assert {"x": b"", "z": b"\n\0", "floor.json": b"{}"} == DirectoryStore(store.path).load()
    assert 0o600 == os.stat(os.path.join(store.path, "state")).st_mode & 0o777


def test_a_folder_is_locked_between_its_users(tmp_path: Path) -> None:
    """Who finds the folder locked waits, and is told when that took too long."""
    first, second = DirectoryStore(tmp_path), DirectoryStore(tmp_path)
    with first.exclusive(1):
        with pytest.raises(StoreBusyError), second.exclusive(0.01):
            pass
        entered = threading.Event()

        def waiting() -> None:
            with second.exclusive(10):
                entered.set()

        thread = threading.Thread(target=waiting)
        thread.start()
        assert not entered.is_set()
    thread.join(10)
    assert entered.is_set()


def test_a_killed_writers_leftovers_are_removed(tmp_path: Path) -> None:
    """What a killed process began to write goes with the next refresh, and nothing else does."""
    for name in (".new-0123", ".new-4567", "other", ".hidden"):
        (tmp_path / name).write_bytes(b"")
    with DirectoryStore(tmp_path).exclusive(1):
        assert {"other", ".hidden", "lock"} == set(os.listdir(tmp_path))


@given(st.dictionaries(st.text(), st.binary()))
def test_packing_loses_nothing(files: dict[str, bytes]) -> None:
    """Files packed as one are the same when they are unpacked."""
    assert files == unpacked(packed(files))


@given(st.binary() | st.binary().map(lambda octets: b'{"format": 1, "files": ' + octets))
def test_unpacking_raises_only_its_own_error(octets: bytes) -> None:
    """Any octets in the place of a state are refused by the store's error, or are a state."""
    with contextlib.suppress(UpdateStoreError):
        unpacked(octets)


@given(st.data())
def test_a_flipped_bit_is_told(data: st.DataObject) -> None:
    """One altered octet in a state is told."""
    octets = bytearray(packed({"a": b"some content", "b": b"more"}))
    place = data.draw(st.integers(0, len(octets) - 1))
    octets[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(UpdateStoreError):
        assert {"a": b"some content", "b": b"more"} != unpacked(bytes(octets)) or octets[place] in b" \t\r\n"


@pytest.mark.parametrize(
    "octets",
    [b"", b"{}", b"[]", b'{"format": 2, "files": []}', b'{"format": 1, "files": []}\nrest', b"[" * 100000,
     b'{"format": 1, "files": [["a", -1, ""]]}', b'{"format": 1, "files": [["a", 1, ""]]}\nx'],
)  # fmt: skip
def test_a_state_that_is_none(octets: bytes) -> None:
    """What is no state is refused."""
    with pytest.raises(UpdateStoreError):
        unpacked(octets)


@given(FLOORS, FLOORS)
def test_the_greater_floor_holds(one: Floor, other: Floor) -> None:
    """Of two floors the greater holds in each count, whichever comes first, and it comes back from its JSON."""
    both = one.raised(other)
    assert both == other.raised(one) == both.raised(one)
    assert (both.epoch, both.policy) == max((one.epoch, one.policy), (other.epoch, other.policy))
    assert both == Floor.loads(both.to_json())


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"other": 1}', b'{"policy": -1}', b'{"policy": true}', b'{"policy": 1.5}', b"[" * 100000]
)
def test_a_floor_that_is_none(text: bytes) -> None:
    """What is no floor is refused."""
    with pytest.raises(UpdateStoreError):
        Floor.loads(text)


def test_a_new_epoch_lies_above_the_floor() -> None:
    """A version below the floor is refused in the floor's epoch, and taken in a later one."""
    floor = Floor(epoch=1, policy=9)
    with pytest.raises(RollbackError, match="version 8 is offered, and version 9 was accepted"):
        floor.check_policy(1, policy(8))
    with pytest.raises(RollbackError, match="version 99 is offered in epoch 0, and version 9 of epoch 1"):
        floor.check_policy(0, policy(99))
    floor.check_policy(2, policy(1))


def test_the_wait_grows_with_failures() -> None:
    """After failures the wait begins at the minimum and doubles up to its most; it is varied, and never below the minimum."""
    intervals = Intervals(every=timedelta(hours=1), least=timedelta(seconds=30), most=timedelta(hours=6), jitter=0.2)
    assert 3600 == intervals.delay(0, 0.5)
    assert (2880, 4320) == (intervals.delay(0, 0), intervals.delay(0, 1))
    assert [30, 60, 120] == [intervals.delay(failures, 0.5) for failures in (1, 2, 3)]
    assert 30 == intervals.delay(1, 0)
    assert 6 * 3600 == intervals.delay(1000, 0.5)


@pytest.mark.parametrize(
    "named", [{"least": timedelta(hours=2)}, {"most": timedelta(minutes=1)}, {"jitter": 1}, {"jitter": -0.1}]
)
def test_intervals_that_contradict_each_other(named: dict[str, timedelta]) -> None:
    """Intervals that contradict each other cannot exist."""
    with pytest.raises(ValueError, match="expected"):
        Intervals(**named)


@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(["", "x.", "y.x.", "api.", "a.api."]))
def test_a_pattern_that_covers_another_matches_whatever_it_matches(outer: str, inner: str, prefix: str) -> None:
    """If one pattern covers another, then every host under the other is under the one."""
    one, other = HostPattern.parse(outer), HostPattern.parse(inner)
    if covers(one, other):
        for name in ("example", "api.example", "127.0.0.1"):
            host = prefix + name if name != "127.0.0.1" else name
            assert one.matches(host) or not other.matches(host)


def test_which_pattern_covers_which() -> None:
    """A pattern covers itself and what lies below it."""
    found = {(a, b) for a in NAMES for b in NAMES if a != b and covers(HostPattern.parse(a), HostPattern.parse(b))}
    below = {"api.example", "*.example", "a.api.example", "**.api.example", "*.api.example", "example"}
    assert found == {
        *(("**.example", name) for name in below),
        ("*.example", "api.example"),
        ("**.api.example", "api.example"), ("**.api.example", "a.api.example"), ("**.api.example", "*.api.example"),
        ("*.api.example", "a.api.example"),
    }  # fmt: skip


@pytest.mark.parametrize("field", ["api.example", ["a..b"], [1], {}, None])
def test_a_delegation_with_hosts_that_are_none(field: object) -> None:
    """A delegation whose hosts cannot be read is refused."""
    with pytest.raises(UnreadableMetadataError, match="x-pinscher-hosts"):
        patterns_of(field)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ('[hosts."*.example"]\npins = ["PIN"]\nexpires = 2027-03-01T13:00:00Z', "one by one"),
        ('[hosts."a.example"]\nunpinned = "because"', "never removes"),
        ('[hosts."a.example"]\npins = ["PIN"]', "says when it ends"),
        ('[hosts."a.example"]\npins = ["PIN"]\nexpires = 2027-03-04T12:00:01Z', "within 72 hours"),
    ],
)
def test_an_override_that_is_none(entry: str, reason: str) -> None:
    """An override names its hosts one by one, pins each of them, and ends within 72 hours."""
    text = f'format = 1\nname = "override"\nversion = 1\n{entry}\n'.replace("PIN", pin("x"))
    with pytest.raises(InvalidBundleError, match=reason):
        override_of(Policy.loads(text), datetime(2027, 3, 1, 12, tzinfo=UTC))


def test_the_room_says_what_it_has() -> None:
    """Every name of the room can be had, and no other."""
    for name in pinscher.updates.__all__:
        assert name == getattr(pinscher.updates, name).__name__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pinscher.updates.nothing


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the room says what to install."""

    def missing(_: str) -> None:
        raise ModuleNotFoundError("No module named 'tuf.api'", name="tuf.api")

    monkeypatch.delitem(vars(pinscher.updates), "Updater", raising=False)
    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'pinscher\[updates\]'"):
        _ = pinscher.updates.Updater


def test_another_missing_module_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is missing for another reason is not put down to the extra."""

    def missing(_: str) -> None:
        raise ModuleNotFoundError("No module named 'other'", name="other")

    monkeypatch.delitem(vars(pinscher.updates), "Updater", raising=False)
    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ModuleNotFoundError, match="No module named 'other'"):
        _ = pinscher.updates.Updater
