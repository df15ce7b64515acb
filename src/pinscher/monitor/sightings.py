"""
The history of each endpoint: one row for as long as it shows the same, and the certificates once each.

Rules of this file:

1. A look that shows what the last one from the same vantage point showed makes that row longer; anything else begins a
   new one.
2. A failure after a failure makes that row longer too, and stands there in its own words: an outage is one row,
   whatever reasons it gives. A look that the monitor itself could not make is no part of an outage, and makes a row of
   its own.
3. Of one endpoint and vantage point the newest hundred rows with a validated path are kept, and the newest hundred
   others: no series of failures or of foreign chains makes the monitor forget whom it knew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from pinscher.monitor.certificates import digest_of, fetched, remember
from pinscher.monitor.findings.history import History, Sighting, is_own
from pinscher.monitor.tables import millis, moment, sightings
from pinscher.pin import Pin
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pinscher.monitor.database import Database
    from pinscher.probe import Endpoint

MOST_KEPT = 100
"""Rows of one endpoint and vantage point, of those with a validated path and of the others (rule 3)."""


class Sightings:
    """The histories in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, connection: AsyncConnection, endpoint: int, seen: Sighting) -> None:
        """Add what one look showed to the history of an endpoint, within a transaction."""
        shown = _shown(seen)
        row = (
            await connection.execute(
                select(sightings).where(_is_of(endpoint, seen.vantage)).order_by(sightings.c.id.desc()).limit(1)
            )
        ).first()
        if row is not None and _goes_on(row, shown):
            longer = update(sightings).where(sightings.c.id == row.id)
            values = {"failure": seen.failure, "last": millis(seen.last), "times": row.times + 1}
            await connection.execute(longer.values(values))
            return
        await remember(self._database, connection, [*seen.presented, *seen.validated], at=seen.first)
        fresh = shown | {"first": millis(seen.first), "last": millis(seen.last), "times": seen.times}
        await connection.execute(insert(sightings).values(endpoint=endpoint, **fresh))
        await _forget(connection, endpoint, seen)

    async def of(
        self, connection: AsyncConnection, number: int, endpoint: Endpoint, *, vantage: str | None = None
    ) -> History:
        """Return the history of an endpoint as seen from one vantage point, or from all, the oldest sighting first."""
        rows = (
            await connection.execute(select(sightings).where(_is_of(number, vantage)).order_by(sightings.c.id))
        ).all()
        digests = {digest for row in rows for digest in (*row.presented.split(), *row.validated.split())}
        ders = await fetched(connection, digests)
        return History(endpoint, tuple(_sighting(row, ders) for row in rows))


def _is_of(endpoint: int, vantage: str | None) -> ColumnElement[bool]:
    is_its = sightings.c.endpoint == endpoint
    return is_its if vantage is None else is_its & (sightings.c.vantage == vantage)


def _goes_on(row: Row[Any], shown: Mapping[str, Any]) -> bool:
    """Tell whether a look shows what a row holds (rule 1), or fails as that one failed (rule 2)."""
    is_same = all(getattr(row, name) == value for name, value in shown.items())
    return is_same or bool(row.failure and shown["failure"] and is_own(row.failure) == is_own(shown["failure"]))


async def _forget(connection: AsyncConnection, endpoint: int, seen: Sighting) -> None:
    """Remove the rows beyond those that are kept, of the kind that was added (rule 3)."""
    is_validated = sightings.c.validated != ""
    is_alike = _is_of(endpoint, seen.vantage) & (is_validated if seen.validated else ~is_validated)
    kept = select(sightings.c.id).where(is_alike).order_by(sightings.c.id.desc()).offset(MOST_KEPT).limit(1)
    oldest = (await connection.execute(kept)).scalar()
    if oldest is not None:
        await connection.execute(delete(sightings).where(is_alike, sightings.c.id <= oldest))


def _shown(seen: Sighting) -> dict[str, Any]:
    """Return what makes two sightings the same."""
    return {
        "presented": " ".join(map(digest_of, seen.presented)),
        "validated": " ".join(map(digest_of, seen.validated)),
        "failure": seen.failure,
        "outcome": "" if seen.outcome is None else seen.outcome.value,
        "matched": "" if seen.matched is None else str(seen.matched),
        "cause": seen.cause,
        "said": seen.said,
        "advice": seen.advice,
        "vantage": seen.vantage,
    }


def _sighting(row: Row[Any], ders: Mapping[str, bytes]) -> Sighting:
    return Sighting(
        first=moment(row.first),
        last=moment(row.last),
        times=row.times,
        presented=tuple(ders[digest] for digest in row.presented.split()),
        validated=tuple(ders[digest] for digest in row.validated.split()),
        failure=row.failure,
        outcome=Outcome(row.outcome) if row.outcome else None,
        matched=Pin.parse(row.matched) if row.matched else None,
        cause=row.cause,
        said=row.said,
        advice=row.advice,
        vantage=row.vantage,
    )
