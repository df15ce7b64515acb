"""A chain beside the pins that it was held against: boxes, and a line wherever a key is pinned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.der import certificate_summary
from pinscher.monitor.findings.history import key_of
from pinscher.pin import Pin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pinscher.policy import Policy

WIDTH, _HEIGHT, _GAP, _TOP = 400, 62, 26, 34
_RIGHT = 560
TOTAL = _RIGHT + WIDTH


@dataclass(frozen=True, slots=True)
class Link:
    """One certificate of a chain, in words."""

    place: str
    subject: str
    issuer: str
    pin: str | None
    not_before: datetime | None
    not_after: datetime | None
    listed: str


@dataclass(frozen=True, slots=True)
class Listed:
    """One key that a policy lists for a host: as a pin, a backup pin or a denied key, and under which name."""

    pin: str
    group: str
    name: str
    is_seen: bool


@dataclass(frozen=True, slots=True)
class Box:
    """A box of the drawing, with three lines of text."""

    x: int
    y: int
    kind: str
    title: str
    subtitle: str
    pin: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A chain and the pins of its host; ``boxes`` and ``ties`` are how they are drawn."""

    host: str
    links: tuple[Link, ...]
    listed: tuple[Listed, ...]
    boxes: tuple[Box, ...] = ()
    ties: tuple[str, ...] = ()
    height: int = 0
    is_accepted: bool = field(default=False)


def compared(host: str, chain: Sequence[bytes], policy: Policy) -> Comparison:
    """Hold a chain, leaf first, against what a policy lists for a canonical host, for somebody to look at."""
    pins = [_pin_of(der) for der in chain]
    listed = _listed(host, policy, {pin for pin in pins if pin is not None})
    groups = {one.pin: one.group for one in listed}
    links = tuple(
        _link(der, position, len(chain), pin, groups)
        for position, (der, pin) in enumerate(zip(chain, pins, strict=True))
    )
    certificates = [_certificate_box(link, row) for row, link in enumerate(reversed(links))]
    keys = [_key_box(one, row) for row, one in enumerate(listed)]
    rows = max(len(certificates), len(keys), 1)
    return Comparison(
        host, links, listed, (*certificates, *keys), tuple(_ties(certificates, keys)), _TOP + rows * (_HEIGHT + _GAP),
        any(one.is_seen and one.group != "denied" for one in listed),
    )  # fmt: skip


def _pin_of(der: bytes) -> str | None:
    key = key_of(der)
    return None if key is None else str(Pin(key))


def _listed(host: str, policy: Policy, seen: set[str]) -> tuple[Listed, ...]:
    entry = policy.lookup_canonical(host) if host else None
    if entry is None or entry.pinset is None:
        return ()
    named = zip(("pin", "backup", "denied"), entry.pinset.groups, strict=True)
    return tuple(
        Listed(str(pin), group, entry.names.get(pin, ""), str(pin) in seen) for group, pins in named for pin in pins
    )


def _link(der: bytes, position: int, length: int, pin: str | None, groups: dict[str, str]) -> Link:
    summary = certificate_summary(der)
    place = "leaf" if position == 0 else "root" if position == length - 1 else "intermediate"
    return Link(
        place, summary.subject, summary.issuer, pin, summary.not_before, summary.not_after,
        groups.get(pin or "", "not listed"),
    )  # fmt: skip


_KINDS = {"pin": "good", "backup": "good", "denied": "bad", "not listed": ""}


def _certificate_box(link: Link, row: int) -> Box:
    return Box(0, _y(row), _KINDS[link.listed], link.place, link.subject, link.pin or "(unreadable key)")


def _key_box(one: Listed, row: int) -> Box:
    kind = "bad" if one.group == "denied" else "good" if one.is_seen else "fair"
    subtitle = "in the chain" if one.is_seen else "not in the chain"
    return Box(_RIGHT, _y(row), kind, f"{one.group} {one.name}".strip(), subtitle, one.pin)


def _y(row: int) -> int:
    return _TOP + row * (_HEIGHT + _GAP)


def _ties(certificates: Sequence[Box], keys: Sequence[Box]) -> list[str]:
    return [_tie(left.y, right.y) for left in certificates for right in keys if left.pin == right.pin]


def _tie(left: int, right: int) -> str:
    """Return the path of a line from one box to another."""
    start, end = left + _HEIGHT // 2, right + _HEIGHT // 2
    return f"M{WIDTH} {start} C{WIDTH + 80} {start} {_RIGHT - 80} {end} {_RIGHT} {end}"
