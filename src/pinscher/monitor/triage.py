"""
Reports into incidents: the same application, host, unexpected key and cause within a day are one.

Rules of this file:

1. A report is counted in exactly one incident, in the transaction that notes which one.
2. An incident takes reports until a day has passed without one; then it has ended, and the next report begins another.
3. At most a hundred incidents of one application and host are going on, and a thousand of one application; what is
   beyond them is one incident more, so that a flood of forged keys or hosts makes no flood of incidents.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from pinscher.der import certificate_summary
from pinscher.errors import escaped
from pinscher.monitor.certificates import fetched
from pinscher.monitor.client_alarms import alarm_of
from pinscher.monitor.errors import MonitorError, UnknownRecordError
from pinscher.monitor.findings.history import key_of
from pinscher.monitor.judging import Claim, judge
from pinscher.monitor.ledger import LONGEST_REASON, State
from pinscher.monitor.tables import endpoints, incidents, millis, moment, reports, sightings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pinscher.monitor.database import Database
    from pinscher.monitor.judging import Judgement
    from pinscher.policy import Policy

ENDED_AFTER = timedelta(days=1)
MOST_GOING_ON = 100
MOST_OF_APPLICATION = 1_000
MOST_TRIAGED = 1_000
"""Reports in one transaction."""
_MOST_VERSIONS = 50
_OVERFLOW = "many"
_GREATEST = 2**62
"""What a sum of claimed numbers is cut at: a database's own numbers end soon after."""


@dataclass(slots=True)
class _Group:
    """Reports of one incident, before it is written."""

    judgement: Judgement
    issuer: str
    chain: str
    ids: list[int] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)
    first: int = 0
    last: int = 0
    times: int = 0

    def add(self, row: Row[Any]) -> None:
        self.ids.append(row.id)
        self.times += row.times
        self.versions["unknown" if row.version is None else str(row.version)] += 1
        self.first = min(self.first or row.received, row.received)
        self.last = max(self.last, row.received)


class Triage:
    """Groups the reports of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def turn(self, policy: Policy) -> int:
        """Group the oldest reports that are in no incident yet, and return how many there were."""
        async with self._database.writing() as connection:
            waiting = select(reports).where(reports.c.incident.is_(None)).order_by(reports.c.id).limit(MOST_TRIAGED)
            rows = (await connection.execute(waiting.with_for_update(skip_locked=True))).all()
            ders = await fetched(connection, {digest for row in rows for digest in _chain(row).split()})
            seen = await _seen_keys(connection, {row.host for row in rows})
            for place, group in _grouped(rows, ders, policy, seen).items():
                await _write(connection, place, group)
        return len(rows)

    async def acknowledge(self, incident: int, *, reason: str) -> None:
        """Note that somebody looks after an incident."""
        said = escaped(reason.strip(), limit=LONGEST_REASON)
        if not said:
            raise MonitorError("expected a reason, found none")
        values = {"state": State.ACKNOWLEDGED.value, "reason": said}
        async with self._database.writing() as connection:
            changed = await connection.execute(update(incidents).where(incidents.c.id == incident).values(values))
            if changed.rowcount != 1:
                raise UnknownRecordError(f"no incident {incident}")


_Place = tuple[str, str, str, str]
"""Application, host, unexpected key in hexadecimal, and cause."""


def _chain(row: Row[Any]) -> str:
    return str(row.validated or row.served)


def _grouped(
    rows: Iterable[Row[Any]], ders: Mapping[str, bytes], policy: Policy, seen: Mapping[str, frozenset[bytes]]
) -> dict[_Place, _Group]:
    groups: dict[_Place, _Group] = {}
    for row in rows:
        chain = [ders[digest] for digest in _chain(row).split()]
        at = None if row.at is None else moment(row.at)
        claim = Claim(host=row.host, cause=row.cause, at=at, received=moment(row.received), chain=chain)
        judgement = judge(claim, policy, seen.get(row.host, frozenset()))
        # Alarms of two kinds are two incidents, as two keys are.
        key = (key_of(chain[0]) or b"").hex() if chain else row.cause if alarm_of(row.cause) else ""
        place = (row.application, row.host, key, judgement.cause.value)
        if place not in groups:
            issuer = certificate_summary(chain[0]).issuer if chain else ""
            groups[place] = _Group(judgement, issuer, _chain(row))
        groups[place].add(row)
    return groups


async def _seen_keys(connection: AsyncConnection, hosts: Iterable[str]) -> dict[str, frozenset[bytes]]:
    """Return the leaf keys that the monitor itself saw last at each host, over a path that was validated."""
    newest = select(func.max(sightings.c.id)).where(sightings.c.validated != "")
    newest = newest.group_by(sightings.c.endpoint, sightings.c.vantage)
    rows = (
        await connection.execute(
            select(endpoints.c.host, sightings.c.validated)
            .join_from(sightings, endpoints, sightings.c.endpoint == endpoints.c.id)
            .where(endpoints.c.host.in_(sorted(hosts)), sightings.c.id.in_(newest))
        )
    ).all()
    leaves = await fetched(connection, {row.validated.split()[0] for row in rows})
    found: dict[str, frozenset[bytes]] = {}
    for row in rows:
        key = key_of(leaves[row.validated.split()[0]])
        if key is not None:
            found[row.host] = found.get(row.host, frozenset()) | {key}
    return found


async def _write(connection: AsyncConnection, place: _Place, group: _Group) -> None:
    application, host, key, cause = place
    since = group.first - millis(moment(0) + ENDED_AFTER)
    ours = (incidents.c.application == application) & (incidents.c.last >= since)
    here = ours & (incidents.c.host == host)
    known = await _going_on(connection, here & (incidents.c.key == key) & (incidents.c.cause == cause))
    if known is None and await _count(connection, ours) >= MOST_OF_APPLICATION:
        host, key = _OVERFLOW, _OVERFLOW
        known = await _going_on(connection, ours & (incidents.c.host == host) & (incidents.c.key == key))
    elif known is None and await _count(connection, here) >= MOST_GOING_ON:
        key = _OVERFLOW
        known = await _going_on(connection, here & (incidents.c.key == key))
    number = await (
        _begin(connection, (application, host, key, cause), group) if known is None else _add(connection, known, group)
    )
    await connection.execute(update(reports).where(reports.c.id.in_(group.ids)).values(incident=number))


async def _count(connection: AsyncConnection, which: Any) -> int:
    return int((await connection.execute(select(func.count()).select_from(incidents).where(which))).scalar_one())


async def _going_on(connection: AsyncConnection, which: Any) -> Row[Any] | None:
    return (await connection.execute(select(incidents).where(which).order_by(incidents.c.id.desc()).limit(1))).first()


async def _begin(connection: AsyncConnection, place: _Place, group: _Group) -> int:
    application, host, key, cause = place
    values = {
        "application": application, "host": host, "key": key, "issuer": group.issuer, "cause": cause,
        "said": group.judgement.said, "advice": group.judgement.advice, "first": group.first, "last": group.last,
        "reports": len(group.ids), "times": min(group.times, _GREATEST),
        "versions": _versions({}, group), "chain": group.chain, "share": "",
        "state": State.OPEN.value,
    }  # fmt: skip
    written = await connection.execute(insert(incidents).values(values).returning(incidents.c.id))
    return int(written.scalar_one())


async def _add(connection: AsyncConnection, known: Row[Any], group: _Group) -> int:
    values = {
        "last": max(known.last, group.last),
        "reports": known.reports + len(group.ids),
        "times": min(known.times + group.times, _GREATEST),
        "versions": _versions(json.loads(known.versions), group),
    }
    await connection.execute(update(incidents).where(incidents.c.id == known.id).values(values))
    return int(known.id)


def _versions(known: Mapping[str, int], group: _Group) -> str:
    """Return how often each policy version reported, the most frequent first and bounded."""
    counts = Counter(known)
    counts.update(group.versions)
    return json.dumps(dict(counts.most_common(_MOST_VERSIONS)))
