"""
What remains of a policy's entries once a target's abilities are applied to them, and the losses on the way.

Each target declares what it can say; whatever else an entry says becomes a named loss here, so that the dialects deal
with hosts alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import time
from typing import TYPE_CHECKING

from pinscher.entry import Mode, OnExpiry, UnlistedHosts
from pinscher.formats.coverage import Coverage, Lookup, coverage
from pinscher.formats.loss import Loss
from pinscher.host import HostPattern, Reach, is_ip_literal
from pinscher.pin import PinKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from pinscher.entry import HostPolicy
    from pinscher.formats.loss import LossLedger
    from pinscher.pin import Pin
    from pinscher.policy import Policy


@dataclass(frozen=True, slots=True)
class Said:
    """
    What one host is told: any pin matches, a denied key refuses, and after ``opens`` nothing is refused any more.

    Without pins it is an exception. The order and number of the pins are kept and decide nothing.
    """

    pins: tuple[Pin, ...] = field(default=(), compare=False)
    denied: frozenset[Pin] = frozenset()
    mode: Mode = Mode.ENFORCE
    opens: datetime | None = None
    report_to: tuple[str, ...] = field(default=(), compare=False)
    accepted: frozenset[Pin] = frozenset()

    def __post_init__(self) -> None:
        """Compare by the set of pins."""
        object.__setattr__(self, "accepted", frozenset(self.pins))


UNPINNED = Said()
"""An exception: the host is not pinned."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a dialect can say of one entry; the default says the least."""

    name: str
    denied_keys: bool = False
    report_only: bool = False
    opens: str = "never"
    """When pins may stop being enforced: "never", "day" (its start in UTC) or "local-day" (in the device's zone)."""
    key_pins: bool = True
    certificate_pins: bool = False
    ip_addresses: bool = False
    patterns: bool = True


def said_entries(policy: Policy, target: Target, losses: LossLedger) -> dict[HostPattern, Said]:
    """Return what each entry's hosts are told; what the target cannot say goes into *losses*."""
    if policy.unlisted_hosts is UnlistedHosts.DENY:
        losses.add(_UNLISTED)
    entries = {}
    for entry in policy.hosts:
        if _is_reachable(entry.pattern, target, losses, is_pinned=entry.pinset is not None):
            entries[entry.pattern] = _said(entry, target, losses)
    return entries


def said_coverage(entries: Mapping[HostPattern, Said]) -> tuple[Coverage[Said], ...]:
    """Return what every host is told, by name; an exception outside every entry is nothing said."""
    lookup = Lookup(entries)
    return coverage((pattern.name for pattern in entries), pinned_only(lookup))


def pinned_only(decide: Callable[[str], Said | None]) -> Callable[[str], Said | None]:
    """Let an exception and the absence of an entry be the same: the host is not pinned."""

    def decided(host: str) -> Said | None:
        found = decide(host)
        return None if found == UNPINNED else found

    return decided


_UNLISTED = Loss(
    "unlisted-hosts",
    None,
    "the policy refuses hosts that no entry names, and the target lets them through",
    ('say unlisted-hosts = "allow" in the policy\'s [defaults]',),
    given_up="hosts that no entry names are let through",
)


def _is_reachable(pattern: HostPattern, target: Target, losses: LossLedger, *, is_pinned: bool) -> bool:
    if not is_pinned:
        return target.patterns or pattern.reach is Reach.EXACT
    if is_ip_literal(pattern.name) and not target.ip_addresses:
        losses.add(Loss("ip-address", str(pattern), "the target does not pin IP addresses",
                        ("pin a name instead",), given_up="the address is not pinned"))  # fmt: skip
        return False
    if pattern.reach is not Reach.EXACT and not target.patterns:
        losses.add(Loss("patterns", str(pattern), "the target lists single hosts, no patterns",
                        ("list the hosts one by one",), given_up="no host is pinned by this pattern"))  # fmt: skip
        return False
    return True


def _said(entry: HostPolicy, target: Target, losses: LossLedger) -> Said:
    if entry.pinset is None:
        return UNPINNED
    if entry.mode is Mode.REPORT_ONLY and not target.report_only:
        losses.add(Loss("report-only", entry.host, "the entry reports without refusing, and the target can only refuse",
                        ("leave the host out until it is enforced", 'say mode = "enforce"'),
                        given_up="the host is not pinned"))  # fmt: skip
        return UNPINNED
    opens = _opens(entry, target, losses)
    denied = entry.pinset.denied_keys
    if denied and not target.denied_keys:
        losses.add(Loss("denied-keys", entry.host, "the target has no list of denied keys",
                        ("pin only keys below which no denied key signs",),
                        given_up="a denied key is not refused beside a matching pin"))  # fmt: skip
        denied = ()
    pins = _pins(entry, target, losses)
    return Said(pins, frozenset(denied), entry.mode, opens, entry.report_to) if pins else UNPINNED


def _pins(entry: HostPolicy, target: Target, losses: LossLedger) -> tuple[Pin, ...]:
    kept = list(entry.pinset or ())
    for kind, name, can in (
        (PinKind.CERTIFICATE, "certificate-pins", target.certificate_pins),
        (PinKind.SPKI, "key-pins", target.key_pins),
    ):
        dropped = [pin for pin in kept if pin.kind is kind]
        if can or not dropped:
            continue
        kept = [pin for pin in kept if pin.kind is not kind]
        what = "whole certificates" if kind is PinKind.CERTIFICATE else "keys"
        losses.add(Loss(name, entry.host, f"the target has no pins of {what}: {_few(dropped)}",
                        ("pin the other kind",),
                        given_up=f"{_few(dropped)} is not accepted" if kept else None))  # fmt: skip
    return tuple(kept)


def _few(pins: list[Pin]) -> str:
    return str(pins[0]) if len(pins) == 1 else f"{pins[0]} and {len(pins) - 1} more"


_PAST = "the pins are enforced past the expiry"


def _opens(entry: HostPolicy, target: Target, losses: LossLedger) -> datetime | None:
    if entry.expires is None or entry.on_expiry is OnExpiry.KEEP_ENFORCING:
        return None
    if entry.on_expiry is OnExpiry.FAIL:
        losses.add(Loss("on-expiry-fail", entry.host, "after its expiry the policy refuses every connection",
                        ('say on-expiry = "keep-enforcing"',), given_up=_PAST))  # fmt: skip
        return None
    if target.opens == "never":
        losses.add(Loss("on-expiry-report", entry.host, "the target's pins do not expire",
                        ('say on-expiry = "keep-enforcing"',), given_up=_PAST))  # fmt: skip
        return None
    day = entry.expires.strftime("%Y-%m-%d")
    if target.opens == "local-day":
        losses.add(Loss("expiry-time-zone", entry.host, "the target's pins expire in the device's own time zone",
                        ('say on-expiry = "keep-enforcing"',),
                        given_up=f"the pins stop being enforced on {day} as each device counts days"))  # fmt: skip
    elif entry.expires.timetz().replace(tzinfo=None) != time(0):
        losses.add(Loss("expiry-time", entry.host, "the target's pins expire at the start of a day",
                        (f"say expires = {day}T00:00:00Z",),
                        given_up=f"the pins stop being enforced at {day}T00:00:00Z"))  # fmt: skip
    return entry.expires.replace(hour=0, minute=0, second=0, microsecond=0)
