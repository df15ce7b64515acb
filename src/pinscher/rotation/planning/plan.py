"""
The rotation plan: certificates renewed one after the other, and for each key the days of its pin.

Rules of this file:

1. A certificate is replaced when the stated part of its lifetime is over. The next one lasts as long as was asked for,
   and no longer than its day of issuance allows.
2. A key is used at a renewal once enough renewals kept the one before it, and never before its pin has been out for
   the lead time: until then the old key is kept.
3. A pin is published the lead time before its key serves, at the latest. It may be published earlier, and is a backup
   pin until then.
4. A pin goes when its key has stopped serving and can no longer come back: after the days kept for a way back.
5. Days are whole, and a switch is at the beginning of its day.
"""

from __future__ import annotations

import enum
import itertools
import math
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.errors import PinningError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from pinscher.rotation.planning.delivery import Delivery
    from pinscher.rotation.planning.lifetimes import Lifetimes

LONGEST_PLAN = 3_660
"""Days of a plan; who knows more than ten years ahead knows more than the CA/Browser Forum."""


class PlanError(PinningError, ValueError):
    """A plan that cannot be made from what was given."""


class StepKind(enum.Enum):
    """What is to be done on a day; the value is the word for it."""

    PIN = "pin"
    RENEW = "renew"
    SWITCH = "switch"
    UNPIN = "unpin"


@dataclass(frozen=True, slots=True)
class Practice:
    """
    How certificates are renewed.

    ``lifetime`` is asked for in days, None for the longest that is allowed. ``renew_at`` is the part of it after which
    the next one is issued, ``keep_key`` how many certificates one key gets, ``way_back`` for how many days after a
    switch the old key may serve again.
    """

    lifetime: int | None = None
    renew_at: float = field(default=2 / 3, kw_only=True)
    keep_key: int = field(default=1, kw_only=True)
    way_back: int = field(default=7, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse what no practice can be."""
        if not 0 < self.renew_at < 1:
            raise PlanError(f"a certificate is renewed between its first and its last day, found {self.renew_at:g}")
        if self.keep_key < 1 or self.way_back < 0 or (self.lifetime is not None and self.lifetime < 1):
            raise PlanError(
                "a lifetime and the certificates of a key are 1 at least, and the way back is no negative time"
            )


@dataclass(frozen=True, slots=True)
class Issuance:
    """One certificate: the day from which it serves, the day on which it expires, and the number of its key."""

    on: date
    expires: date
    key: int


@dataclass(frozen=True, slots=True)
class Term:
    """
    The days of one key: pinned from, serving from and until, and pinned until; None is before or after the plan.

    Key 0 serves when the plan begins.
    """

    key: int
    pin_by: date | None
    serves_from: date
    serves_until: date | None
    unpin_from: date | None


@dataclass(frozen=True, slots=True)
class Step:
    """One day's work; ``breaks_on`` is the day on which clients are refused if it has not been done, if any."""

    on: date
    kind: StepKind
    key: int
    text: str
    late: str
    breaks_on: date | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan from ``start`` until ``until``, and what it rests on."""

    start: date
    until: date
    share: float
    lead_days: int
    issuances: tuple[Issuance, ...]
    terms: tuple[Term, ...]
    steps: tuple[Step, ...]


def rotation_plan(
    start: date, days: int, practice: Practice, *,
    lifetimes: Lifetimes, delivery: Delivery, share: float, current: tuple[date, date] | None = None,
) -> Plan:  # fmt: skip
    """
    Return the plan of so many *days* from *start* on, for a share of the clients in percent.

    *current* are the days of issuance and of expiry of the certificate in use; without it one is issued at the start.
    Raises :class:`PlanError`, and ``UnreachableShareError`` for a share that is never reached.
    """
    _check(start, days, delivery, share)
    if current is not None and current[1] <= start:
        raise PlanError(f"the certificate in use expired on {current[1]}: renew it first, and plan from there")
    until, lead = start + timedelta(days=days), delivery.lead_days(share)
    issuances = tuple(_issuances(start, until, practice, lifetimes, lead, current))
    terms = _terms(issuances, practice, lead)
    steps = sorted(_steps(issuances, terms, delivery, lead), key=lambda step: (step.on, _ORDER.index(step.kind)))
    return Plan(start, until, share, lead, issuances, terms, tuple(step for step in steps if step.on <= until))


_ORDER = tuple(StepKind)
_LAST_YEAR = 9_500
"""A plan begins before it, so that a lifetime and a lead time of centuries still have dates."""


def _check(start: date, days: int, delivery: Delivery, share: float) -> None:
    if not 1 <= days <= LONGEST_PLAN or start.year > _LAST_YEAR:
        raise PlanError(
            f"a plan has 1 to {LONGEST_PLAN} days and begins before {_LAST_YEAR}, found {days} from {start} on"
        )
    if not 0 < share <= 100:
        raise PlanError(f"a share of the clients is more than 0 and at most 100 percent, found {share:g}")
    if not 0 <= delivery.refresh_days <= LONGEST_PLAN:
        raise PlanError(f"a refresh takes 0 to {LONGEST_PLAN} days, found {delivery.refresh_days:g}")


def _issuances(
    start: date, until: date, practice: Practice, lifetimes: Lifetimes, lead: int, current: tuple[date, date] | None
) -> Iterator[Issuance]:
    """Yield the certificate in use and those that follow it, the first after the plan's end among them."""
    issued, expires = current or (start, start + _lifetime(start, practice, lifetimes))
    one = Issuance(issued, expires, 0)
    kept = 1
    yield one
    while one.on <= until:
        after = max(1, math.floor((one.expires - one.on).days * practice.renew_at))
        on = max(one.on + timedelta(days=after), start)
        is_new = kept >= practice.keep_key and on >= start + timedelta(days=lead)
        kept = 1 if is_new else kept + 1
        one = Issuance(on, on + _lifetime(on, practice, lifetimes), one.key + is_new)
        yield one


def _lifetime(issued: date, practice: Practice, lifetimes: Lifetimes) -> timedelta:
    limits = [days for days in (practice.lifetime, lifetimes.longest(issued)) if days is not None]
    if not limits:
        raise PlanError(f"nothing says how long a certificate issued on {issued} lasts: give its lifetime")
    return timedelta(days=min(limits))


def _terms(issuances: tuple[Issuance, ...], practice: Practice, lead: int) -> tuple[Term, ...]:
    first = {one.key: one.on for one in reversed(issuances)}
    terms = []
    for key, serves_from in sorted(first.items()):
        ends = first.get(key + 1)
        unpin = None if ends is None else ends + timedelta(days=practice.way_back)
        pin_by = None if key == 0 else serves_from - timedelta(days=lead)
        terms.append(Term(key, pin_by, serves_from, ends, unpin))
    return tuple(terms)


def _steps(issuances: tuple[Issuance, ...], terms: tuple[Term, ...], delivery: Delivery, lead: int) -> Iterator[Step]:
    for before, one in itertools.pairwise(issuances):
        late = f"on {before.expires} the certificate in use has expired, and every client refuses"
        if one.key == before.key:
            told = f"renew the certificate with key {one.key} until {one.expires}"
            yield Step(one.on, StepKind.RENEW, one.key, told, late, before.expires)
            continue
        told = f"serve key {one.key} with a new certificate until {one.expires}"
        yield Step(one.on, StepKind.SWITCH, one.key, told, late, before.expires)
        told = f"publish a policy that pins key {one.key} beside those before it"
        late = _late_pin(one, before, delivery, lead)
        yield Step(one.on - timedelta(days=lead), StepKind.PIN, one.key, told, late, one.on)
    for term in terms:
        if term.unpin_from is not None:
            told = f"publish a policy without key {term.key}"
            yield Step(term.unpin_from, StepKind.UNPIN, term.key, told, _LATE_UNPIN, None)


_LATE_UNPIN = "nothing breaks: a stolen old key is trusted for longer; earlier, a way back to it is refused"


def _late_pin(one: Issuance, before: Issuance, delivery: Delivery, lead: int) -> str:
    """Say how many clients lack the pin at the switch by how late it is, and how long the switch could wait."""
    lacking = [f"{days} days late" if days > 1 else "a day late" for days in _LATENESS]
    shares = [100 - delivery.share_after(lead - days) for days in _LATENESS]
    told = ", ".join(f"{words}: up to {share:.3g} % refuse" for words, share in zip(lacking, shares, strict=True))
    return f"at the switch, {told}; the switch can wait {(before.expires - one.on).days - 1} days"


_LATENESS = (1, 7)
