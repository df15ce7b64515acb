"""
The curve of adoption as an inventory of released versions tells it.

Rules of this file:

1. A version has been out since its day, and those users have what came with it who have that version or a later one.
   Each version of an application is one point of its curve: its age in days, and the share of these users.
2. A share that is not said may be nobody's, and a version without a day, or of a day to come, is no later version: the
   curve is never above what is known.
3. Where several applications connect to the host, the slowest of them counts on each day.

That the next release is taken up as the last ones were is an assumption, and not proved by any inventory.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.rotation.planning.delivery import Adoption, InvalidAdoptionError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from pinscher.rotation.deployments import Deployment


def learned_adoption(deployments: Iterable[Deployment], *, on: date, host: str, source: str) -> Adoption:
    """
    Return the curve of the applications that pin a canonical host, as of a day.

    Raises :class:`InvalidAdoptionError` where no version pins the host, and where one of these applications has no
    version of which both the day and the share are said.
    """
    versions = list(deployments)
    concerned = dict.fromkeys(one.application for one in versions if _pins(one, host))
    if not concerned:
        raise InvalidAdoptionError(source, f"no released version pins {escaped(host)}")
    curves = [
        _curve([one for one in versions if one.application == name], on=on, name=name, source=source)
        for name in concerned
    ]
    return _slowest(curves)


def _pins(one: Deployment, host: str) -> bool:
    entry = one.policy.lookup_canonical(host)
    return entry is not None and entry.pinset is not None


def _curve(versions: list[Deployment], *, on: date, name: str, source: str) -> Adoption:
    """Return one application's curve (rules 1 and 2)."""
    by_age: dict[int, Decimal] = {}
    for one in versions:
        if one.since is not None and one.since <= on:
            age = (on - one.since).days
            by_age[age] = by_age.get(age, Decimal(0)) + (one.share or 0)
    points: list[tuple[float, float]] = []
    total = Decimal(0)
    for age, share in sorted(by_age.items()):
        total += share
        points.append((float(age), float(total * 100)))
    if not total:
        reason = f"no version of {escaped(name)} that is out says both since and share, so its users' pace is not known"
        raise InvalidAdoptionError(source, reason)
    return Adoption(tuple(points))


def _slowest(curves: list[Adoption]) -> Adoption:
    """Return the curve below all others (rule 3): between two of its points it is never above any of them."""
    begins = max(curve.points[0][0] for curve in curves)
    days = sorted({day for curve in curves for day, _ in curve.points if day >= begins})
    return Adoption(tuple((day, min(curve.share_after(day) for curve in curves)) for day in days))
