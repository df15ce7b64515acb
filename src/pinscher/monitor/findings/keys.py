"""
Findings about what is new on a path that was validated, and may well be in order.

A change is told for a week from the moment it was first seen, and then closes by itself. What the endpoint shows after
it ends it no sooner: a foreign chain that is served now and then is not over when the old one is seen again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.monitor.findings.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pinscher.monitor.findings.history import History, Sighting
    from pinscher.policy import Policy

TOLD_FOR = timedelta(days=7)
"""How long a change is told."""
LASTING = {"key-changed": TOLD_FOR, "new-issuer": TOLD_FOR, "intermediate-changed": TOLD_FOR}
"""The rules whose findings are told for a time, and for how long each."""


def key_changed(history: History, _policy: Policy, at: datetime) -> Finding | None:
    """The leaf's key changed, and the same pin matches as before: the pin is on a key above it."""
    change = _latest_change(history, at)
    if change is None:
        return None
    before, now = change
    known = [sighting.leaf_key for sighting in before]
    if now.leaf_key in known or now.matched is None or now.matched != before[-1].matched:
        return None
    return Finding(
        rule="key-changed",
        severity=Severity.NOTICE,
        said=f"a new leaf key, first seen {now.first:%Y-%m-%d %H:%M} UTC, under the same pin {now.matched}",
        advice="ask who operates the host whether the key was changed on purpose; the pin cannot tell",
    )


def new_issuer(history: History, _policy: Policy, at: datetime) -> Finding | None:
    """The path ends at a trust anchor that no earlier path of this endpoint ended at."""
    change = _latest_change(history, at)
    if change is None or change[1].anchor_key in [sighting.anchor_key for sighting in change[0]]:
        return None
    return Finding(
        rule="new-issuer",
        severity=Severity.WARNING,
        said=f"a certificate by {change[1].issuer}, first seen {change[1].first:%Y-%m-%d %H:%M} UTC, "
        f"under a root not seen before; until then by {change[0][-1].issuer}",
        advice="ask who operates the host whether the CA was changed; until they confirm it, treat it as an attack",
    )


def intermediate_changed(history: History, _policy: Policy, at: datetime) -> Finding | None:
    """Another intermediate, under a root that was seen before: a new generation, as CAs bring out every few years."""
    change = _latest_change(history, at)
    if change is None:
        return None
    before, now = change
    if now.issuer_key in [sighting.issuer_key for sighting in before]:
        return None
    if now.anchor_key not in [sighting.anchor_key for sighting in before]:
        return None
    return Finding(
        rule="intermediate-changed",
        severity=Severity.NOTICE,
        said=f"signed by {now.issuer}, first seen {now.first:%Y-%m-%d %H:%M} UTC, under the same root; "
        f"until then by {before[-1].issuer}",
        advice="look for pins on the old intermediate, in every policy that is deployed",
    )


def _latest_change(history: History, at: datetime) -> tuple[Sequence[Sighting], Sighting] | None:
    """Return the validated sightings before the last one, and the last one, if it is new."""
    *before, now = history.validated or (None,)
    if now is None or not before or at - now.first > TOLD_FOR:
        return None
    return [sighting for sighting in before if sighting is not None], now
