"""
Findings about certificates that were issued for the policy's hosts, as logs of Certificate Transparency have them.

Rules of this file:

1. One finding for one key and one entry of the policy: a precertificate, its certificate and the other logs that have
   them say the same thing again, and the gravest of them counts.
2. A key is accepted as clients accept it: by a pin on the certificate or on what was proved to have issued it, and a
   denied key before all else.
3. A CA is known if one of its keys is pinned anywhere in the policy, or stood on a path that the policy accepted.
4. A certificate that has expired is no finding any more. One that is accepted is told for a week.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.entry import Mode
from pinscher.errors import escaped
from pinscher.monitor.findings.finding import Finding, Severity
from pinscher.monitor.findings.keys import TOLD_FOR
from pinscher.monitor.transparency.names import Interests
from pinscher.pin import PinKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from pinscher.entry import HostPolicy
    from pinscher.monitor.transparency.memory import Logged
    from pinscher.pin import Pin
    from pinscher.policy import Policy

ISSUED_RULES = (
    "ct-pinned-key",
    "ct-not-told-yet",
    "ct-unpinned-key",
    "ct-foreign-ca",
    "ct-denied-key",
    "ct-unreadable",
)
"""The rules of this file's findings."""
_MOST_SHOWN = 3


class Standing(enum.IntEnum):
    """What the policy makes of a certificate, the gravest last; each has the rule at its place."""

    ACCEPTED = 0
    UNTOLD = 1
    REFUSED = 2
    FOREIGN = 3
    DENIED = 4


@dataclass(frozen=True, slots=True)
class _Judged:
    entry: HostPolicy
    standing: Standing
    logged: Logged


def issued_findings(
    logged: Iterable[Logged], policy: Policy, known_issuers: frozenset[bytes], names: Mapping[str, str], at: datetime
) -> dict[str, list[Finding]]:
    """Return what there is to say by subject; *names* are the logs' by their identities."""
    interests = Interests(policy)
    trusted = known_issuers | _pinned_keys(policy)
    gravest: dict[str, _Judged] = {}
    found: dict[str, list[Finding]] = {}
    for one in logged:
        if not one.issued.is_readable:
            if at - one.issued.at <= 4 * TOLD_FOR:
                found[f"entry {one.issued.index} of log {_log(one, names)}"] = [_unreadable(one, names)]
            continue
        for judged in _judged(one, interests, trusted):
            subject = f"{_KEY}{one.issued.leaf_pins[0]}{_FOR}{judged.entry.host}"
            if subject not in gravest or judged.standing > gravest[subject].standing:
                gravest[subject] = judged
    for subject, judged in gravest.items():
        if judged.standing is not Standing.ACCEPTED or at - judged.logged.issued.at <= TOLD_FOR:
            found[subject] = [_finding(judged, policy, names)]
    return found


_KEY, _FOR = "key ", " for "


def entry_of(subject: str) -> str:
    """Return the entry of the policy that a key was issued for, or nothing where the subject is something else."""
    return subject.partition(_FOR)[2] if subject.startswith(_KEY) else ""


def _judged(one: Logged, interests: Interests, trusted: frozenset[bytes]) -> list[_Judged]:
    entries = {entry.host: entry for name in one.issued.names for entry in interests.entries(name)}
    return [_Judged(entry, _standing(entry, one, trusted), one) for entry in entries.values()]


def _standing(entry: HostPolicy, one: Logged, trusted: frozenset[bytes]) -> Standing:
    pins, path = entry.pinset, {*one.issued.leaf_pins, *one.issued.issuer_pins}
    if pins is None:
        return Standing.ACCEPTED
    accepted = {*pins.pins, *pins.backup_pins}
    if path & {*pins.denied_keys}:
        return Standing.DENIED
    if path & accepted:
        return Standing.ACCEPTED
    if not any(pin.digest in trusted for pin in one.issued.issuer_pins if pin.kind is PinKind.SPKI):
        return Standing.FOREIGN
    if one.issued.is_precertificate and any(pin.kind is PinKind.CERTIFICATE for pin in accepted):
        return Standing.UNTOLD
    return Standing.REFUSED


def _pinned_keys(policy: Policy) -> frozenset[bytes]:
    pins: set[Pin] = set()
    for entry in policy.hosts:
        if entry.pinset is not None:
            pins |= {*entry.pinset.pins, *entry.pinset.backup_pins} - {*entry.pinset.denied_keys}
    return frozenset(pin.digest for pin in pins if pin.kind is PinKind.SPKI)


def _finding(judged: _Judged, policy: Policy, names: Mapping[str, str]) -> Finding:
    issued, standing = judged.logged.issued, judged.standing
    shown = ", ".join(issued.names[:_MOST_SHOWN])
    more = len(issued.names) - _MOST_SHOWN + issued.more
    shown += f" and {more} more" if more > 0 else ""
    follows = "refuse" if judged.entry.mode is Mode.ENFORCE else "report"
    what = _WORDS[standing].format(follows=follows, version=policy.version)
    until = "" if issued.not_after is None else f", good until {issued.not_after:%Y-%m-%d}"
    kind = "precertificate" if issued.is_precertificate else "certificate"
    return Finding(
        rule=ISSUED_RULES[standing],
        severity=_SEVERITIES[standing],
        said=f"a {kind} for {shown} {what}: by {issued.issuer}, serial {issued.serial}{until}, "
        f"logged on {issued.at:%Y-%m-%d %H:%M} UTC in {_log(judged.logged, names)}",
        advice=_ADVICE[standing],
    )


def _unreadable(one: Logged, names: Mapping[str, str]) -> Finding:
    return Finding(
        rule="ct-unreadable",
        severity=Severity.WARNING,
        said=f"an entry with the name of one of your hosts cannot be read as a certificate, logged on "
        f"{one.issued.at:%Y-%m-%d %H:%M} UTC in {_log(one, names)}",
        advice="read the entry with another tool, and ask the CA what it issued",
    )


def _log(one: Logged, names: Mapping[str, str]) -> str:
    return names.get(one.log) or escaped(one.log, limit=16)


_SEVERITIES = {
    Standing.ACCEPTED: Severity.NOTICE,
    Standing.UNTOLD: Severity.NOTICE,
    Standing.REFUSED: Severity.WARNING,
    Standing.FOREIGN: Severity.CRITICAL,
    Standing.DENIED: Severity.CRITICAL,
}
_WORDS = {
    Standing.ACCEPTED: "was issued, and a pin of policy {version} accepts it",
    Standing.UNTOLD: "was issued, and only the certificate itself will tell whether policy {version} accepts it",
    Standing.REFUSED: "was issued with a key that clients {follows}, for no pin of policy {version} is on its path",
    Standing.FOREIGN: "was issued by a CA that no pin and no accepted path knows, and clients {follows} it",
    Standing.DENIED: "was issued with a key on its path that policy {version} denies, and clients {follows} it",
}
_ADVICE = {
    Standing.ACCEPTED: "nothing, if its renewal was planned; otherwise ask who holds the key",
    Standing.UNTOLD: "compare the certificate with the pins before it is served ('pinscher gate')",
    Standing.REFUSED: "if it is a planned rotation, ship a policy with this key before it is served "
    "('pinscher gate'); if nobody ordered it, ask the CA to revoke it",
    Standing.FOREIGN: "treat it as an attack: ask the CA who ordered it and have it revoked, look at who can change "
    "the host's DNS and web server, and restrict issuance with CAA records",
    Standing.DENIED: "find out who still holds the denied key, and have the certificate revoked",
}
