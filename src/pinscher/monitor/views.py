"""What the interface shows of the database, as plain values; every text in them is escaped when it is written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from pinscher.der import certificate_summary
from pinscher.monitor.certificates import fetched
from pinscher.monitor.errors import UnknownRecordError
from pinscher.monitor.findings.finding import Severity
from pinscher.monitor.findings.history import key_of
from pinscher.monitor.schedule import endpoint_of
from pinscher.monitor.sightings import Sightings
from pinscher.monitor.tables import endpoints, events, findings, heartbeats, incidents, looks, millis, moment
from pinscher.pin import Pin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import Row

    from pinscher.monitor.database import Database
    from pinscher.monitor.findings.history import Sighting

MOST_SHOWN = 500
"""Rows of one answer."""

Shown = dict[str, Any]
_DUE = select(func.min(looks.c.due)).where(looks.c.endpoint == endpoints.c.id).scalar_subquery()
_WATCHED = select(endpoints, _DUE.label("due"))


class Views:
    """The pages of the interface, row by row."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def endpoints(self, *, after: int, most: int) -> list[Shown]:
        """Return endpoints in the order of their numbers, from the one after *after* on."""
        asked = _WATCHED.where(endpoints.c.id > after).order_by(endpoints.c.id).limit(most)
        async with self._database.reading() as connection:
            return [_endpoint(row) for row in await connection.execute(asked)]

    async def endpoint(self, number: int) -> Shown:
        """Return one endpoint with its history, the newest sighting first."""
        async with self._database.reading() as connection:
            row = (await connection.execute(_WATCHED.where(endpoints.c.id == number))).first()
            if row is None:
                raise UnknownRecordError(f"no endpoint {number}")
            history = await Sightings(self._database).of(connection, number, endpoint_of(row))
        return _endpoint(row) | {"history": [_sighting(seen) for seen in reversed(history.sightings)]}

    async def findings(self, *, after: int, most: int, with_closed: bool) -> list[Shown]:
        """Return findings in the order in which they were opened."""
        asked = select(findings).where(findings.c.id > after).order_by(findings.c.id).limit(most)
        if not with_closed:
            asked = asked.where(findings.c.closed.is_(None))
        async with self._database.reading() as connection:
            return [_finding(row) for row in await connection.execute(asked)]

    async def finding(self, number: int) -> Shown:
        """Return one finding with what became of it."""
        told = select(events).where(events.c.finding == number).order_by(events.c.id).limit(MOST_SHOWN)
        async with self._database.reading() as connection:
            row = (await connection.execute(select(findings).where(findings.c.id == number))).first()
            if row is None:
                raise UnknownRecordError(f"no finding {number}")
            rows = await connection.execute(told)
            history = [{"at": time_of(one.at), "what": one.what, "said": one.said} for one in rows]
        return _finding(row) | {"events": history}

    async def incidents(self, *, after: int, most: int) -> list[Shown]:
        """Return incidents in the order in which they began."""
        asked = select(incidents).where(incidents.c.id > after).order_by(incidents.c.id).limit(most)
        async with self._database.reading() as connection:
            return [_incident(row) for row in await connection.execute(asked)]

    async def incident(self, number: int) -> Shown:
        """Return one incident with its chain."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(incidents).where(incidents.c.id == number))).first()
            if row is None:
                raise UnknownRecordError(f"no incident {number}")
            digests = row.chain.split()
            ders = await fetched(connection, digests)
        return _incident(row) | {"chain": chain_of([ders[digest] for digest in digests])}

    async def clients(self, at: datetime, window: timedelta) -> list[Shown]:
        """Return how many installs were heard of by application, policy and version."""
        place = (heartbeats.c.application, heartbeats.c.policy, heartbeats.c.version)
        asked = select(*place, func.count(func.distinct(heartbeats.c.install)).label("installs"))
        asked = asked.where(heartbeats.c.received > millis(at - window)).group_by(*place).order_by(*place)
        async with self._database.reading() as connection:
            rows = (await connection.execute(asked.limit(MOST_SHOWN))).all()
        return [
            {"application": row.application, "policy": row.policy, "version": row.version, "installs": row.installs}
            for row in rows
        ]


def time_of(stored: int | None) -> str | None:
    """Return a stored moment as RFC 3339 writes it."""
    return None if stored is None else moment(stored).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def chain_of(ders: Sequence[bytes]) -> list[Shown]:
    """Return what a person reads of each certificate, escaped."""
    return [_certificate(der) for der in ders]


def _certificate(der: bytes) -> Shown:
    summary, key = certificate_summary(der), key_of(der)
    return {
        "subject": summary.subject,
        "issuer": summary.issuer,
        "not_before": None if summary.not_before is None else summary.not_before.isoformat(),
        "not_after": None if summary.not_after is None else summary.not_after.isoformat(),
        "pin": None if key is None else str(Pin(key)),
    }


def _endpoint(row: Row[Any]) -> Shown:
    return {
        "id": row.id,
        "endpoint": str(endpoint_of(row)),
        "protocol": row.protocol,
        "outcome": row.outcome or None,
        "looked": time_of(row.looked),
        "due": time_of(row.due),
    }


def _sighting(seen: Sighting) -> Shown:
    return {
        "first": seen.first.isoformat(),
        "last": seen.last.isoformat(),
        "times": seen.times,
        "vantage": seen.vantage,
        "outcome": None if seen.outcome is None else seen.outcome.value,
        "matched": None if seen.matched is None else str(seen.matched),
        "cause": seen.cause or None,
        "said": seen.said or seen.failure,
        "advice": seen.advice or None,
        "validated": chain_of(seen.validated),
        "presented": chain_of(seen.presented),
    }


def _finding(row: Row[Any]) -> Shown:
    return {
        "id": row.id,
        "subject": row.subject,
        "rule": row.rule,
        "severity": Severity(row.severity).word,
        "cause": row.cause or None,
        "said": row.said,
        "advice": row.advice,
        "state": row.state,
        "reason": row.reason or None,
        "until": time_of(row.until),
        "opened": time_of(row.opened),
        "changed": time_of(row.changed),
        "closed": time_of(row.closed),
    }


def _incident(row: Row[Any]) -> Shown:
    return {
        "id": row.id,
        "application": row.application,
        "host": row.host,
        "key": row.key or None,
        "issuer": row.issuer or None,
        "cause": row.cause,
        "said": row.said,
        "advice": row.advice,
        "first": time_of(row.first),
        "last": time_of(row.last),
        "reports": row.reports,
        "times": row.times,
        "versions": json.loads(row.versions),
        "share": row.share or None,
        "state": row.state,
        "reason": row.reason or None,
    }
