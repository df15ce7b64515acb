"""
What a new policy means for those who had the old one: decided by look-up, and not by comparing lines.

Rules of this file:

1. Every host falls into one of these regions: a name that either policy lists, the names one label below it, the names
   further below it, and the rest. Neither policy's look-up can tell two hosts of one region apart.
2. If no change is a weakening, then no host, chain of readable certificates and moment that the old policy refuses is
   allowed by the new one. If none breaks, then none that the old one allows is refused by the new one.
3. Equal policies have no change, and different policies have at least one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pinscher.entry import UnlistedHosts
from pinscher.host import is_ip_literal
from pinscher.rotation.change import Change, Effect
from pinscher.rotation.entry_difference import Stance, entry_changes, stance
from pinscher.rotation.reporting_difference import channel_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pinscher.entry import HostPolicy
    from pinscher.pin import Pin
    from pinscher.policy import Policy


def difference(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Return what changes from one policy to the next: first the policy as a whole, then host by host."""
    if old == new:
        return ()
    found = [*_document_changes(old, new), *_host_changes(old, new)]
    if not any(change.kind != "version" for change in found):
        found.append(
            Change("spelling", Effect.NEUTRAL, "nothing changes but the version and how the document is written")
        )
    return tuple(found)


def _document_changes(old: Policy, new: Policy) -> Iterator[Change]:
    versions = (str(new.version), str(old.version))
    if new.version < old.version:
        yield Change("version", Effect.WEAKENING, "the version goes back to {} from {}: a rollback", versions)
    elif new.version == old.version:
        yield Change(
            "version",
            Effect.WEAKENING,
            "the version stays {}: nobody who has the old policy takes the new",
            versions[:1],
        )
    if old.name != new.name:
        yield Change("name", Effect.NEUTRAL, "the policy is called {}; before, {}", (new.name, old.name))
    if old.unlisted_hosts is not new.unlisted_hosts:
        yield _unlisted_hosts(new)
    yield from channel_changes(old, new)
    yield from _key_changes(old, new)
    if old.extensions != new.extensions:
        yield Change("extensions", Effect.NEUTRAL, "what other programs keep in the document has changed")


def _unlisted_hosts(new: Policy) -> Change:
    if new.unlisted_hosts is UnlistedHosts.ALLOW:
        return Change("unlisted-hosts", Effect.WEAKENING, "hosts without an entry are let through, and were refused")
    return Change(
        "unlisted-hosts", Effect.STRENGTHENING, "hosts without an entry are refused, and were let through", breaks=True
    )


def _key_changes(old: Policy, new: Policy) -> Iterator[Change]:
    before, after = old.keys, new.keys
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after:
            yield Change("key", Effect.NEUTRAL, "the key {} is not named any more", (name,))
        elif name not in before:
            yield Change("key", Effect.NEUTRAL, "the key {} is named", (name,))
        elif before[name].pin != after[name].pin:
            yield Change("key", Effect.NEUTRAL, "the name {} stands for another key", (name,))
        elif before[name] != after[name]:
            yield Change("key", Effect.NEUTRAL, "the key {} has another role, place or day of rehearsal", (name,))


def _host_changes(old: Policy, new: Policy) -> Iterator[Change]:
    key_name = _key_namer(old, new)
    for before, after, hosts in regions(old, new):
        changes = list(_region_changes(before, after, old, new, key_name))
        for change in changes:
            yield replace(change, hosts=hosts)


def _region_changes(
    before: HostPolicy | None, after: HostPolicy | None, old: Policy, new: Policy, key_name: Callable[[Pin], str]
) -> Iterator[Change]:
    if before is None and after is not None:
        yield _listed(after, old)
    elif before is not None and after is None:
        yield from _left(before, new)
    elif before is not None and after is not None:
        if before.pattern != after.pattern:
            values = (after.host, before.host)
            yield Change("pattern", Effect.NEUTRAL, "falls under the entry {}; before, under {}", values)
        yield from entry_changes(before, after, key_name)


def _listed(after: HostPolicy, old: Policy) -> Change:
    """Return what it means that hosts have an entry which had none."""
    is_refused = old.unlisted_hosts is UnlistedHosts.DENY
    if after.pinset is None:
        if is_refused:
            return Change("listed", Effect.WEAKENING, "is let through with every valid certificate, and was refused")
        return Change("listed", Effect.NEUTRAL, "is an exception from now on, and was let through before, unlisted")
    if is_refused:
        what = "with a pinned key" if stance(after, None, is_past=False) is Stance.PINNED else "and reported"
        return Change("listed", Effect.WEAKENING, f"is let through {what} from now on, and was refused")
    if stance(after, None, is_past=False) is Stance.OPEN:
        return Change("pinned", Effect.NEUTRAL, "is pinned in report-only mode from now on, and was let through")
    return Change("pinned", Effect.STRENGTHENING, "is pinned from now on, and was let through unlisted", breaks=True)


def _left(before: HostPolicy, new: Policy) -> Iterator[Change]:
    """Yield what it means that hosts have no entry any more."""
    if new.unlisted_hosts is UnlistedHosts.DENY:
        yield Change(
            "unlisted", Effect.STRENGTHENING, "is refused from now on: no entry names it any more", breaks=True
        )
    elif before.pinset is not None:
        yield Change(
            "unpinned",
            Effect.WEAKENING,
            "is not pinned any more: no entry names it, and unlisted hosts are let through",
        )
    else:
        yield Change("unlisted", Effect.NEUTRAL, "is no exception any more; unlisted hosts are let through")


def _key_namer(old: Policy, new: Policy) -> Callable[[Pin], str]:
    names = {key.pin: key.name for policy in (old, new) for key in policy.keys.values()}
    return lambda pin: f"{names[pin]} ({pin})" if pin in names else str(pin)


_FRESH = (" .", " . .")
"""Labels that no host has, so that a look-up below a name meets that name and none nearer."""
_WORDS = {
    (True, True, True): "**.{}",
    (True, True, False): "{} and one label below",
    (True, False, True): "{} and more than one label below",
    (True, False, False): "{}",
    (False, True, True): "names below {}",
    (False, True, False): "*.{}",
    (False, False, True): "names more than one label below {}",
}


def regions(old: Policy, new: Policy) -> list[tuple[HostPolicy | None, HostPolicy | None, tuple[str, ...]]]:
    """Return the entries of the old and the new policy that decide about the same hosts, with those hosts (rule 1)."""
    entries = {id(entry): entry for policy in (old, new) for entry in policy.hosts}
    names = sorted({entry.pattern.name for entry in entries.values()}, key=lambda name: (name.count("."), name))
    found: dict[tuple[int, int], list[str]] = {}
    for name in names:
        places: dict[tuple[int, int], list[bool]] = {}
        for place, host in enumerate(_witnesses(name)):
            pair = id(old.lookup_canonical(host)), id(new.lookup_canonical(host))
            places.setdefault(pair, [False] * 3)[place] = True
        for pair, reached in places.items():
            found.setdefault(pair, []).append(_WORDS[reached[0], reached[1], reached[2]].format(name))
    deciding = [(entries.get(before), entries.get(after), hosts) for (before, after), hosts in found.items()]
    return [(before, after, _shortest(hosts, before, after)) for before, after, hosts in deciding]


def _witnesses(name: str) -> tuple[str, ...]:
    return (name,) if is_ip_literal(name) else (name, *(fresh + name for fresh in _FRESH))


def _shortest(hosts: list[str], before: HostPolicy | None, after: HostPolicy | None) -> tuple[str, ...]:
    """Return the pattern where one and the same decides before and after, instead of every hole that others cut."""
    if before is not None and after is not None and before.pattern == after.pattern:
        return (str(before.pattern),)
    return tuple(hosts)
