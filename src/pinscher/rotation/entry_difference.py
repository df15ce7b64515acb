"""
What changes for the hosts that one entry decided about before, and another decides about now.

Rules of this file:

1. Over time an entry stands in one of three stances: OPEN lets everything through, PINNED what the pins say, SHUT
   nothing. A stance that falls anywhere in time is a weakening; one that rises anywhere breaks somebody.
2. While PINNED, more accepted or fewer denied keys are a weakening; fewer accepted or more denied ones break.
3. Whatever lets a mismatch pass unnoticed is a weakening too, although it decides nothing.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from pinscher.entry import Mode, OnExpiry, Redirects, Rung
from pinscher.rotation.change import Change, Effect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from pinscher.entry import HostPolicy
    from pinscher.pin import Pin, PinSet

    KeyName = Callable[[Pin], str]
    """Shows a pin with the name that a policy gives it."""


class Stance(enum.IntEnum):
    """What becomes of a connection (rule 1), from the most that is let through to the least."""

    OPEN = 0
    PINNED = 1
    SHUT = 2


def stance(entry: HostPolicy, expires: datetime | None, *, is_past: bool) -> Stance:
    """Return an entry's stance at a moment or just past it; without a moment, before any expiry."""
    if entry.pinset is None or entry.mode is Mode.REPORT_ONLY:
        return Stance.OPEN
    if expires is None or entry.expires is None or entry.on_expiry is OnExpiry.KEEP_ENFORCING:
        return Stance.PINNED
    if expires < entry.expires or (expires == entry.expires and not is_past):
        return Stance.PINNED
    return Stance.OPEN if entry.on_expiry is OnExpiry.REPORT else Stance.SHUT


def stances(old: HostPolicy, new: HostPolicy) -> list[tuple[Stance, Stance]]:
    """Return the stances of two entries side by side, at every moment at which either of them can differ."""
    moments = [None, *sorted(entry.expires for entry in (old, new) if entry.expires is not None)]
    return [
        (stance(old, moment, is_past=is_past), stance(new, moment, is_past=is_past))
        for moment in moments
        for is_past in (False, True)
    ]


def entry_changes(old: HostPolicy, new: HostPolicy, key_name: KeyName) -> Iterator[Change]:
    """Yield what changes where *new* decides about hosts that *old* decided about."""
    if old.pinset is None or new.pinset is None:
        yield from _exception(old, new)
        return
    yield from _mode(old, new)
    yield from _keys(old.pinset, new.pinset, key_name)
    yield from _backups(old.pinset, new.pinset, key_name)
    yield from _denied(old.pinset, new.pinset, key_name)
    yield from _expiry(old, new)
    yield from _rest(old, new)
    yield from _notes(old, new)


def _exception(old: HostPolicy, new: HostPolicy) -> Iterator[Change]:
    if new.pinset is not None:
        opens = stance(new, None, is_past=False) is Stance.OPEN
        effect = Effect.NEUTRAL if opens else Effect.STRENGTHENING
        word = "pinned, in report-only mode" if opens else "pinned"
        yield Change("pinned", effect, f"is {word} from now on, and was an exception", breaks=_rises(old, new))
    elif old.pinset is not None:
        yield Change(
            "unpinned",
            Effect.WEAKENING,
            "is not pinned any more: every valid certificate is let through, because {}",
            (new.unpinned or "",),
            breaks=_rises(old, new),
        )
    elif old.unpinned != new.unpinned:
        yield Change("note", Effect.NEUTRAL, "is an exception for another reason: {}", (new.unpinned or "",))


def _falls(old: HostPolicy, new: HostPolicy) -> bool:
    return any(after < before for before, after in stances(old, new))


def _rises(old: HostPolicy, new: HostPolicy) -> bool:
    return any(after > before for before, after in stances(old, new))


def _mode(old: HostPolicy, new: HostPolicy) -> Iterator[Change]:
    if old.mode is new.mode:
        return
    if new.mode is Mode.REPORT_ONLY:
        yield Change(
            "mode",
            Effect.WEAKENING,
            "is not enforced any more: a mismatch is reported and let through",
            breaks=_rises(old, new),
        )
    else:
        yield Change("mode", Effect.STRENGTHENING, "is enforced from now on: a mismatch is refused", breaks=True)


def _keys(old: PinSet, new: PinSet, key_name: KeyName) -> Iterator[Change]:
    before, after = set(old), set(new)
    for pin in new:
        if pin not in before:
            word = "as a backup" if new.is_backup(pin) else "from now on"
            yield Change(
                "key-accepted",
                Effect.WEAKENING,
                f"accepts {{}} {word}: its holder is let through, and refused by the old policy",
                (key_name(pin),),
            )
    for pin in old:
        if pin not in after:
            yield Change(
                "key-dropped",
                Effect.STRENGTHENING,
                "does not accept {} any more: a server that shows no other pinned key is refused",
                (key_name(pin),),
                breaks=True,
            )
    if not before & after:
        yield Change(
            "no-common-key",
            Effect.NEUTRAL,
            "has no key in common with before: clients of the old and of the new policy need different servers",
            breaks=True,
        )


def _backups(old: PinSet, new: PinSet, key_name: KeyName) -> Iterator[Change]:
    for pin in old.backup_pins:
        if pin in new.pins:
            yield Change("backup", Effect.NEUTRAL, "takes the backup {} into use", (key_name(pin),))
    for pin in old.pins:
        if pin in new.backup_pins:
            yield Change("backup", Effect.NEUTRAL, "makes {}, which was in use, a backup", (key_name(pin),))
    if old.backup_pins and not new.backup_pins:
        yield Change("backup", Effect.WEAKENING, "has no backup pin any more: a lost or stolen key locks everybody out")
    if new.backup_pins and not old.backup_pins:
        yield Change("backup", Effect.STRENGTHENING, "has a backup pin from now on")


def _denied(old: PinSet, new: PinSet, key_name: KeyName) -> Iterator[Change]:
    before, after = set(old.denied_keys), set(new.denied_keys)
    for pin in old.denied_keys:
        if pin not in after:
            yield Change(
                "denied-key", Effect.WEAKENING, "does not deny {} any more: beside a pin it is let through",
                (key_name(pin),),
            )  # fmt: skip
    for pin in new.denied_keys:
        if pin not in before:
            yield Change(
                "denied-key", Effect.STRENGTHENING, "denies {} from now on, even beside a pin", (key_name(pin),),
                breaks=True,
            )  # fmt: skip


def _expiry(old: HostPolicy, new: HostPolicy) -> Iterator[Change]:
    if (old.expires, old.on_expiry) == (new.expires, new.on_expiry):
        return
    falls, rises = _falls(old, new), _rises(old, new)
    effect = Effect.WEAKENING if falls else Effect.STRENGTHENING if rises else Effect.NEUTRAL
    yield Change("expiry", effect, "{} from now on; before, {}", (_course(new), _course(old)), breaks=rises)


def _course(entry: HostPolicy) -> str:
    if entry.expires is None:
        return "never expires"
    day = entry.expires.isoformat().replace("+00:00", "Z")
    if entry.on_expiry is OnExpiry.KEEP_ENFORCING:
        return f"expires on {day} and is enforced all the same"
    if entry.on_expiry is OnExpiry.REPORT:
        return f"lets every valid certificate through after {day}"
    return f"refuses everything after {day}"


def _rest(old: HostPolicy, new: HostPolicy) -> Iterator[Change]:
    if old.redirects is not new.redirects:
        if new.redirects is Redirects.ALLOW:
            yield Change("redirects", Effect.WEAKENING, "lets redirects lead to hosts that are not pinned")
        else:
            yield Change("redirects", Effect.STRENGTHENING, "lets redirects lead to pinned hosts only", breaks=True)
    if old.on_mismatch != new.on_mismatch:
        gains = Rung.OVERRIDE in new.on_mismatch and Rung.OVERRIDE not in old.on_mismatch
        words = " then ".join(rung.value for rung in new.on_mismatch)
        effect = Effect.WEAKENING if gains else Effect.NEUTRAL
        more = ", so that whoever signs overrides can lift the pins" if gains else ""
        yield Change("ladder", effect, f"tries {{}} on a mismatch{more}", (words,))
    if old.alternate != new.alternate:
        before, after = old.alternate or "none", new.alternate or "none"
        yield Change("alternate", Effect.NEUTRAL, "has the alternate {}; before, {}", (after, before))
    for channel in old.report_to:
        if channel not in new.report_to:
            yield Change("reporting", Effect.WEAKENING, "does not report to {} any more", (channel,))
    for channel in new.report_to:
        if channel not in old.report_to:
            yield Change("reporting", Effect.STRENGTHENING, "reports to {} from now on", (channel,))


def _notes(old: HostPolicy, new: HostPolicy) -> Iterator[Change]:
    if old.note != new.note:
        yield Change("note", Effect.NEUTRAL, "has the note {}; before, {}", (new.note or "none", old.note or "none"))
    if old.mode is new.mode is Mode.REPORT_ONLY and old.report_only_since != new.report_only_since:
        days = (str(new.report_only_since), str(old.report_only_since))
        yield Change("note", Effect.NEUTRAL, "is report-only since {}; before, since {}", days)
