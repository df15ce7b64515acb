"""
One log followed: from what is known of it to what it says now.

Rules of this file:

1. A head counts once the log's key has signed it and it continues the one before it; two of one size with two roots,
   or a smaller tree that was signed later, are a fork, and the heads are its evidence.
2. Entries count once the tree that they make is proved to be how the head's began. That one proof says of all of them
   that they are in the log, and of the log that it goes on from what was seen.
3. What is proved stays, whatever comes after it: a turn that fails half-way goes on there.
4. Whatever a log serves is a trouble that is told, and never an exception that ends the watch.
5. A turn that is over ends with what it has, however much is left to read.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pinscher.der import CertificateParseError, certificate_summary
from pinscher.errors import escaped
from pinscher.monitor.transparency.chains import issuers_of, pins_of
from pinscher.monitor.transparency.frontier import Frontier
from pinscher.monitor.transparency.leaves import EntryKind, UnreadableLeafError, entry_of
from pinscher.monitor.transparency.names import Concern, enclosed
from pinscher.pin import Pin
from pinscher.updates.log import (
    ForkedLogError,
    InvalidNoteError,
    InvalidProofError,
    LogBehindError,
    LogDamagedError,
    LogError,
    LogUnreachableError,
)
from pinscher.updates.log.proofs import verify_consistency

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pinscher.monitor.transparency.heads import TreeHead
    from pinscher.monitor.transparency.leaves import Entry, Leaf
    from pinscher.monitor.transparency.names import Interests
    from pinscher.monitor.transparency.views import View

MOST_ANSWERS = 64
"""Tiles, or answers of ``get-entries``, that one turn reads of one log."""
MOST_FOUND = 1_000
"""Certificates that one turn keeps; then it ends, and the next goes on."""


class Trouble(enum.Enum):
    """What is wrong with a log; the value is how it is stored."""

    UNREACHABLE = "unreachable"
    UNSIGNED = "unsigned"
    BEHIND = "behind"
    DAMAGED = "damaged"
    FORKED = "forked"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a log is known: its newest head, and the tree of what was read."""

    head: TreeHead
    read: Frontier


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate of a log that concerns the policy, proved to be there; ``pins`` begin with the leaf's own."""

    index: int
    at: datetime
    names: tuple[str, ...]
    more: int = 0
    is_precertificate: bool = False
    is_readable: bool = True
    leaf_pins: tuple[Pin, ...] = ()
    issuer_pins: tuple[Pin, ...] = ()
    subject: str = ""
    issuer: str = ""
    serial: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a turn brought; ``place`` is None only where nothing was ever known."""

    place: Place | None
    found: tuple[Issued, ...] = field(default=())
    unreadable: int = 0
    is_from_start: bool = False
    trouble: Trouble | None = None
    said: str = ""

    @property
    def is_behind(self) -> bool:
        """Whether the head has more entries than were read."""
        return self.trouble is None and self.place is not None and self.place.read.size < self.place.head.size


def advance(
    view: View, known: Place | None, interests: Interests, *, from_start: bool = False,
    is_over: Callable[[], bool] = lambda: False,
) -> Progress:  # fmt: skip
    """Go on from what is known of a log, or begin at its present end or start, until the turn *is_over* (rule 5)."""
    progress = Progress(place=known)
    try:
        head = view.head()
        if known is None:
            frontier = Frontier() if from_start else view.frontier(head)
            progress = Progress(place=Place(head, frontier), is_from_start=from_start)
        else:
            _check_continues(view, known.head, head)
            progress = Progress(place=replace(known, head=head))
        for _ in range(MOST_ANSWERS):
            if not progress.is_behind or len(progress.found) >= MOST_FOUND or is_over():
                break
            progress = _read(view, progress, interests)
    except LogError as error:
        return replace(progress, trouble=_trouble(error), said=_said(error))
    return progress


def _check_continues(view: View, seen: TreeHead, head: TreeHead) -> None:
    """Hold a head to the one before it (rule 1)."""
    if head.size == seen.size and head.root != seen.root:
        raise ForkedLogError("two roots for one size", older=seen, newer=head)
    if head.size < seen.size:
        if head.at > seen.at:
            raise ForkedLogError("a smaller tree was signed later", older=seen, newer=head)
        raise LogBehindError(f"it serves an older head than was seen: {head}, after {seen}")
    view.check_continues(seen, head)


def _read(view: View, progress: Progress, interests: Interests) -> Progress:
    """Read one answer, and prove it (rule 2)."""
    place = progress.place
    if place is None:
        raise AssertionError("nothing is read before a head")
    start, head = place.read.size, place.head
    leaves = view.leaves(start, head)
    grown = place.read.grown(leaf.hash for leaf in leaves)
    try:
        verify_consistency(grown.size, grown.root, head.size, head.root, view.proof(grown.size, head))
    except InvalidProofError:
        raise LogDamagedError(f"entries {start} to {grown.size - 1} are not what the head signs") from None
    found, unreadable = list(progress.found), progress.unreadable
    for index, leaf in enumerate(leaves, start):
        if interests.may_concern(leaf.hashed):
            try:
                found += _issued(view, index, leaf, interests)
            except UnreadableLeafError:
                unreadable += 1
    return replace(progress, place=Place(head, grown), found=tuple(found), unreadable=unreadable)


def _issued(view: View, index: int, leaf: Leaf, interests: Interests) -> list[Issued]:
    """Return the certificate of a leaf if it concerns the policy."""
    entry = entry_of(leaf)
    is_precertificate = entry.kind is EntryKind.PRECERTIFICATE
    certificate = enclosed(entry.signed) if is_precertificate else entry.signed
    try:
        concern = interests.concern(certificate)
        key = Pin.of(certificate)
    except CertificateParseError:
        # It holds octets of a name of the policy, and some client may read it where this house does not.
        return [Issued(index=index, at=entry.at, names=(), is_readable=False, is_precertificate=is_precertificate)]
    if not concern.names:
        return []
    leaf_pins = (key,) if is_precertificate else pins_of(certificate)
    return [_described(index, entry, certificate, concern, leaf_pins, _issuer_pins(view, entry, leaf))]


def _issuer_pins(view: View, entry: Entry, leaf: Leaf) -> tuple[Pin, ...]:
    """Return the pins of what is proved to be above an entry; a precertificate's issuer is named in the tree itself."""
    proved = [pin for one in issuers_of(entry, view.chain(entry, leaf)) for pin in pins_of(one)]
    named = [Pin(entry.issuer_key)] if entry.issuer_key else []
    return tuple(dict.fromkeys([*named, *proved]))


def _described(
    index: int, entry: Entry, certificate: bytes, concern: Concern, leaf_pins: tuple[Pin, ...],
    issuer_pins: tuple[Pin, ...],
) -> Issued:  # fmt: skip
    summary = certificate_summary(certificate)
    return Issued(
        index=index,
        at=entry.at,
        names=concern.names,
        more=concern.more,
        is_precertificate=entry.kind is EntryKind.PRECERTIFICATE,
        leaf_pins=leaf_pins,
        issuer_pins=issuer_pins,
        subject=summary.subject,
        issuer=summary.issuer,
        serial=summary.serial,
        not_before=summary.not_before,
        not_after=summary.not_after,
    )


_TROUBLES = (
    (ForkedLogError, Trouble.FORKED),
    (LogBehindError, Trouble.BEHIND),
    (InvalidNoteError, Trouble.UNSIGNED),
    (LogUnreachableError, Trouble.UNREACHABLE),
)


def _trouble(error: LogError) -> Trouble:
    return next((trouble for kind, trouble in _TROUBLES if isinstance(error, kind)), Trouble.DAMAGED)


def _said(error: LogError) -> str:
    """Return an error on one line."""
    text = " ".join(str(error).split())
    return text[:_LONGEST_SAID] if text.isascii() and text.isprintable() else escaped(text, limit=_LONGEST_SAID)


_LONGEST_SAID = 600
