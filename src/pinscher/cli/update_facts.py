"""What ``doctor`` says of the updates that a program keeps in a folder; it reads, and asks nobody."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from pinscher.cli.certificates import counted
from pinscher.cli.facts import Fact, Health
from pinscher.cli.reading import read_bytes
from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime, timedelta

    from pinscher.store import Custody, SealedStore
    from pinscher.updates import BundleStore, Event, State

_NAME, _SEALED = "updates", "store"
_NOWHERE = "http://127.0.0.1:1"
"""An address that is never asked: the updater is only started."""


def update_facts(
    data: str, *, root: str | None, bundle: str, at: datetime, custody: Custody | None = None
) -> Iterator[Fact]:
    """
    Yield what is kept in a folder: the policy, its age, its signers, what lapses next, and the floor.

    With *custody*, which has its key, the folder is a sealed store; it is opened whole first. No fact holds a secret.
    """
    logging.getLogger("pinscher.updates").addHandler(logging.NullHandler())
    if custody is None and not os.path.isdir(data):
        yield Fact(_NAME, Health.ERROR, f"there is no folder '{escaped(data)}'", remedy=_REFRESH)
    elif custody is None and os.path.isfile(os.path.join(data, "index")):
        yield Fact(_NAME, Health.ERROR, f"'{escaped(data)}' is a sealed store", remedy="say where its key is: --key")
    elif custody is None:
        from pinscher.updates import DirectoryStore  # noqa: PLC0415  (as below)

        yield from _kept_facts(DirectoryStore(data), root, bundle, at)
    else:
        yield from _sealed_facts(data, custody, root, bundle, at)


def _sealed_facts(data: str, custody: Custody, root: str | None, bundle: str, at: datetime) -> Iterator[Fact]:
    """Open every entry, and then look at what the updater keeps among them."""
    from pinscher.store import SealedStore, StoreError  # noqa: PLC0415  (who follows nothing does not pay for it)
    from pinscher.updates import SealedBundleStore  # noqa: PLC0415

    try:
        opened = SealedStore.open_existing(data, custody)
        if opened is None:
            yield Fact(_SEALED, Health.ERROR, f"there is no sealed store in '{escaped(data)}'", remedy=_REFRESH)
            return
        with opened as store:
            whole = f"sealed and whole, opened {store.check()} of {len(store.names())}, generation {store.generation}"
            yield Fact(_SEALED, Health.OK, f"{whole}; its key: '{escaped(store.key_place)}'")
            yield _counter_fact(store, custody)
            yield from _kept_facts(SealedBundleStore(store), root, bundle, at)
    except StoreError as error:
        yield Fact(_SEALED, Health.ERROR, f"{error.reason}: '{escaped(error.path)}'", remedy=error.remedy)


def _counter_fact(store: SealedStore, custody: Custody) -> Fact:
    """Say whether something beside the key would tell an older copy of the store."""
    if custody.has_made_a_store():
        told = ", ".join(f"{name} {'.'.join(map(str, numbers))}" for name, numbers in sorted(custody.counter.items()))
        return Fact(_SEALED, Health.OK, f"the floor beside the key: {told or 'nothing yet'}")
    text = f"nothing beside the key ({escaped(store.key_place)}) would tell an older copy of the store"
    return Fact(_SEALED, Health.WARNING, text, remedy="keep the key in a keyring, a TPM, a credential or a key file")


def _kept_facts(store: BundleStore, root: str | None, bundle: str, at: datetime) -> Iterator[Fact]:
    from pinscher.updates import Updater  # noqa: PLC0415  (who follows nothing does not pay for it)

    told: list[Event] = []
    try:
        content = read_bytes(root) if root is not None else _oldest_root(store.load())
        if content is None:
            yield Fact(_NAME, Health.ERROR, "no update was ever accepted there", remedy=_REFRESH)
            return
        updater = Updater(_NOWHERE, root=content, store=store, bundle=bundle, on_event=told.append, now=lambda: at)
        updater.start()
    except (PinningError, ValueError) as error:
        yield Fact(_NAME, Health.ERROR, f"what is kept cannot be used: {error}", remedy=_REFRESH)
        return
    for event in told:
        yield Fact(_NAME, Health.ERROR, event.text, remedy=_REFRESH)
    yield from _state_facts(updater.state, at)


_REFRESH = "refresh it with 'pinscher update', and find out who changed it if it was refreshed before"


def _oldest_root(files: Mapping[str, bytes]) -> bytes | None:
    """Return the root that the program came with: the lowest version that is kept."""
    versions = {name[5:-5]: name for name in files if name.startswith("root/") and name.endswith(".json")}
    numbers = sorted(int(version) for version in versions if version.isascii() and version.isdigit())
    return files[versions[str(numbers[0])]] if numbers and str(numbers[0]) in versions else None


def _state_facts(state: State, at: datetime) -> Iterator[Fact]:
    policy, floor = state.policy, state.floor
    if policy is None:
        yield Fact(_NAME, Health.ERROR, "no policy is in force", remedy=_REFRESH)
        return
    what = f"{escaped(policy.name)} version {policy.version}, {counted(len(policy.hosts), 'host')}"
    yield Fact(_NAME, Health.OK, f"{what}, in force{_age(floor.seen, at)}")
    signers = ", ".join(f"{escaped(role)} {some} of {many}" for role, (some, many) in sorted(state.signers.items()))
    yield Fact(_NAME, Health.OK, f"signed by: {signers}")
    yield _expiry(state, at)
    epoch = f" of epoch {floor.epoch}" if floor.epoch else ""
    yield Fact(_NAME, Health.OK, f"nothing below policy version {floor.policy}{epoch} and root version {floor.root}")
    past = [entry.host for entry in policy.hosts if entry.expires is not None and at > entry.expires]
    if past:
        text = f"the pins of {counted(len(past), 'host')} have expired, {escaped(past[0])} first"
        yield Fact(_NAME, Health.WARNING, text, remedy="publish a policy whose pins have not")
    if state.override is not None and state.override.ends > at:
        hosts = ", ".join(escaped(entry.host) for entry in state.override.policy.hosts)
        text = f"an emergency policy is in force for {hosts} until {state.override.ends:%Y-%m-%d %H:%M} UTC"
        yield Fact(_NAME, Health.WARNING, text, remedy="publish a policy that makes it unnecessary")
    if state.log_head is not None:
        yield Fact(_NAME, Health.OK, f"the log's head: {state.log_head}")


def _age(seen: int, at: datetime) -> str:
    return f", last refreshed {_spelt(at.timestamp() - seen)} ago" if seen else ""


def _expiry(state: State, at: datetime) -> Fact:
    """Say which role's metadata lapse next, or have lapsed."""
    role, expires = min(state.expiries.items(), key=lambda one: one[1])
    left: timedelta = expires - at
    if left.total_seconds() > 0:
        return Fact(_NAME, Health.OK, f"{escaped(role)} lapses next, in {_spelt(left.total_seconds())}")
    text = f"{escaped(role)} lapsed {_spelt(-left.total_seconds())} ago: nothing proves that this is the newest"
    return Fact(_NAME, Health.WARNING, text, remedy=_REFRESH)


def _spelt(seconds: float) -> str:
    """Return a span in its greatest whole unit."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return counted(int(seconds // length), unit)
    return counted(max(int(seconds), 0), "second")
