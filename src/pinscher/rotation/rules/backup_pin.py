"""Rule ``backup-pin``: every pinned host has a backup pin (RFC 7469 section 2.5 makes one a condition of pinning)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.rotation.finding import Confidence, Severity
from pinscher.rotation.rules.rule import Rule
from pinscher.rotation.rules.standing import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.policy import Policy
    from pinscher.rotation.circumstances import Circumstances
    from pinscher.rotation.finding import Finding


def check(policy: Policy, _circumstances: Circumstances) -> Iterator[Finding]:
    """Yield a finding for each pinned entry without a backup pin."""
    for entry in policy.hosts:
        if entry.pinset is not None and not entry.pinset.backup_pins:
            yield RULE.finding(
                f"{entry.pattern} has no backup pin: a lost or stolen key would lock every client out", place_of(entry)
            )


RULE = Rule(
    "backup-pin",
    "every pinned host has a backup pin",
    check,
    Severity.WARNING,
    Confidence.HIGH,
    "make a key that no server uses yet, keep it offline, and add its pin to backup-pins "
    "('pinscher pin --help' shows how)",
)
