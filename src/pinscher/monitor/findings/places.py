"""
Findings about an endpoint that looks otherwise from elsewhere: an attack on the way shows at one end of it.

Rules of this file:

1. Vantage points are compared by what they saw within a day. One that saw nothing, or got no answer, is not compared:
   that is a finding of its own.
2. Different verdicts are critical, for somebody is refused what others accept.
3. A key differs only if no other vantage point saw it at all: servers behind one name may have several keys, and a
   rotation reaches one place before another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.monitor.findings.finding import Finding, Severity
from pinscher.monitor.findings.history import key_of
from pinscher.pin import Pin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pinscher.monitor.findings.history import Sighting

PLACE_RULES = ("vantage-points-differ",)
"""The rules of this file's findings."""


def vantage_points_differ(seen: Mapping[str, Sequence[Sighting]]) -> Finding | None:
    """Compare what each vantage point saw of one endpoint, the oldest first."""
    latest = {name: sightings[-1] for name, sightings in sorted(seen.items()) if sightings and sightings[-1].presented}
    outcomes = {one.outcome for one in latest.values()}
    if len(outcomes) > 1:
        told = ", ".join(
            f"{one.outcome.value if one.outcome else 'nothing'} from {name}" for name, one in latest.items()
        )
        return Finding(
            rule="vantage-points-differ",
            severity=Severity.CRITICAL,
            said=f"what is seen depends on where one looks from: {told}",
            advice="look who is in between at the place that is alone; until then treat it as an attack",
        )
    keys = {name: {_key(one) for one in seen[name]} - {None} for name in latest}
    alone = {
        name: _key(one) for name, one in latest.items()
        if _key(one) is not None and not any(_key(one) in others for other, others in keys.items() if other != name)
    }  # fmt: skip
    if len(latest) < 2 or not alone:
        return None
    told = ", ".join(f"{Pin(key)} only from {name}" for name, key in alone.items() if key is not None)
    return Finding(
        rule="vantage-points-differ",
        severity=Severity.WARNING,
        said=f"a key that no other vantage point sees: {told}",
        advice="ask who operates the host whether each place has a key of its own",
    )


def _key(one: Sighting) -> bytes | None:
    """Return the digest of the key that a server showed."""
    return key_of(one.presented[0]) if one.presented else None
