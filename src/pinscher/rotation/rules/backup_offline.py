"""Rule ``backup-offline``: a backup key is kept where no server, and no thief of a server, can reach it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.entry import Role
from pinscher.rotation.circumstances import is_pin_of
from pinscher.rotation.finding import Confidence, Severity
from pinscher.rotation.rules.rule import Rule
from pinscher.rotation.rules.standing import BACKUP_PINS, standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.policy import Policy
    from pinscher.rotation.circumstances import Circumstances
    from pinscher.rotation.finding import Finding

_OF_AN_AUTHORITY = (Role.INTERMEDIATE, Role.ROOT)


def check(policy: Policy, circumstances: Circumstances) -> Iterator[Finding]:
    """Yield a finding for each backup key that a server shows, or that nobody says the place of."""
    for one in standing(policy, BACKUP_PINS):
        if one.role in _OF_AN_AUTHORITY or circumstances.facts.of_root(one.pin) is not None:
            continue
        leaves = [chain.leaf for chain in circumstances.chains_of(policy, one.entry)]
        if any(is_pin_of(one.pin, leaf) for leaf in leaves):
            text = f"the backup pin {one.shown} of {one.entry.pattern} is that of the key which the server uses"
            yield RULE.finding(text, one.keys, severity=Severity.ERROR, confidence=Confidence.HIGH)
        elif one.key is None:
            text = f"nothing says where the backup key of {one.entry.pattern} is kept: {one.pin} has no name"
            yield RULE.finding(text, one.keys, severity=Severity.INFORMATION, confidence=Confidence.LOW)
        elif one.key.stored is None:
            text = f"nothing says where the backup key {one.shown} of {one.entry.pattern} is kept"
            yield RULE.finding(text, one.keys)


RULE = Rule(
    "backup-offline",
    "a backup key is kept offline, and the policy says where",
    check,
    Severity.WARNING,
    Confidence.MEDIUM,
    'keep the backup key offline, name it under [keys], and say where it is with stored = "..."',
)
