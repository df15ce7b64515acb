"""
Reports into incidents: the same application, host, unexpected key and cause within a day are one.

Rules of this file:

1. A report is counted in exactly one incident, in the transaction that notes which one.
2. An incident takes reports until a day has passed without one; then it has ended, and the next report begins another.
   So does one of more than a day before the incident's last: the clock was ahead then, and was put right.
3. At most a hundred incidents of one application and host are going on, and a thousand of one application; what is
   beyond them is one incident more for each cause and alarm, so that a flood of forged keys or hosts makes no flood of
   incidents, and no forged cause hides another.
4. Judging is work that a stranger sets: it is done in a thread, outside every transaction, and once for the same claim.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from pinscher.der import certificate_summary
from pinscher.errors import escaped
from pinscher.monitor.certificates import fetched
from pinscher.monitor.client_alarms import alarm_of
from pinscher.monitor.errors import MonitorError, UnknownRecordError
from pinscher.monitor.findings.history import key_of
from pinscher.monitor.judging import Claim, is_ahead, judge
from pinscher.monitor.ledger import LONGEST_REASON, State
from pinscher.monitor.tables import endpoints, incidents, millis, moment, reports, sightings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pinscher.monitor.database import Database
    from pinscher.monitor.judging import Judgement
    from pinscher.policy import Policy

ENDED_AFTER = timedelta(days=1)
MOST_GOING_ON = 100
MOST_OF_APPLICATION = 1_000
MOST_TRIAGED = 1_000
"""Reports in one turn."""
MOST_GROUPS = 50
"""Incidents in one transaction."""
_JUDGED_AT_ONCE = 20
_MOST_VERSIONS = 50
_OVERFLOW = "many"
"""The key, and the host, of what is beyond them."""
_A_DAY = millis(moment(0) + ENDED_AFTER)
_GREATEST = 2**62
"""What a sum of claimed numbers is cut at: a database's own numbers end soon after."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """What a claim comes from, and what tells its incident from others."""

    judgement: Judgement
    key: str
    issuer: str


@dataclass(frozen=True, slots=True)
class _Group:
    """Reports of one incident, before it is written."""

    judged: _Judged
    rows: Sequence[Row[Any]]

    @property
    def ids(self) -> list[int]:
        return [row.id for row in self.rows]

    @property
    def versions(self) -> Counter[str]:
        return Counter("unknown" if row.version is None else str(row.version) for row in self.rows)

    @property
    def first(self) -> int:
        return min(int(row.received) for row in self.rows)

    @property
    def last(self) -> int:
        return max(int(row.received) for row in self.rows)

    @property
    def times(self) -> int:
        return sum(int(row.times) for row in self.rows)


class Triage:
    """Groups the reports of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def turn(self, policy: Policy) -> int:
        """Group the oldest reports that are in no incident yet, and return how many there were."""
        waiting = select(reports).where(reports.c.incident.is_(None)).order_by(reports.c.id).limit(MOST_TRIAGED)
        async with self._database.reading() as connection:
            rows = (await connection.execute(waiting)).all()
            seen = await _seen_keys(connection, {row.host for row in rows})
        judged = await self._judged(rows, policy, seen)
        places: dict[_Place, list[Row[Any]]] = {}
        for row in rows:
            one = judged[_claimed(row)]
            places.setdefault((row.application, row.host, one.key, one.judgement.cause.value), []).append(row)
        groups = [(place, _Group(judged[_claimed(ours[0])], ours)) for place, ours in places.items()]
        for start in range(0, len(groups), MOST_GROUPS):
            await self._write(groups[start : start + MOST_GROUPS])
        return len(rows)

    async def _judged(
        self, rows: Iterable[Row[Any]], policy: Policy, seen: Mapping[str, frozenset[bytes]]
    ) -> dict[_Claimed, _Judged]:
        """Judge each claim once (rule 4), a few at a time, as each may hold half a megabyte of certificates."""
        claims = {_claimed(row): row for row in rows}
        waiting = list(claims.items())
        judged: dict[_Claimed, _Judged] = {}
        for start in range(0, len(waiting), _JUDGED_AT_ONCE):
            some = waiting[start : start + _JUDGED_AT_ONCE]
            async with self._database.reading() as connection:
                ders = await fetched(connection, {digest for _, row in some for digest in _chain(row).split()})
            judged |= await asyncio.to_thread(_judge_all, some, ders, policy, seen)
        return judged

    async def _write(self, groups: Sequence[tuple[_Place, _Group]]) -> None:
        """Write what no other process has written meanwhile (rule 1)."""
        ids = [number for _, group in groups for number in group.ids]
        waiting = select(reports.c.id).where(reports.c.id.in_(ids), reports.c.incident.is_(None)).order_by(reports.c.id)
        async with self._database.writing() as connection:
            ours = set((await connection.execute(waiting.with_for_update(skip_locked=True))).scalars())
            for place, group in groups:
                rows = [row for row in group.rows if row.id in ours]
                if rows:
                    await _write(connection, place, _Group(group.judged, rows))

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
_Claimed = tuple[str, str, bool, str]
"""All that a claim is judged by: host, the client's cause, whether its time is ahead, and the digests of its chain."""


def _chain(row: Row[Any]) -> str:
    return str(row.validated or row.served)


def _claimed(row: Row[Any]) -> _Claimed:
    is_early = row.at is not None and is_ahead(moment(row.at), moment(row.received))
    return row.host, row.cause, is_early, _chain(row)


def _judge_all(
    claims: Iterable[tuple[_Claimed, Row[Any]]],
    ders: Mapping[str, bytes],
    policy: Policy,
    seen: Mapping[str, frozenset[bytes]],
) -> dict[_Claimed, _Judged]:
    return {claimed: _judge(row, ders, policy, seen.get(row.host, frozenset())) for claimed, row in claims}


def _judge(row: Row[Any], ders: Mapping[str, bytes], policy: Policy, seen_keys: frozenset[bytes]) -> _Judged:
    # What was tidied away meanwhile is not there, and neither is its report when it comes to writing.
    chain = [ders[digest] for digest in _chain(row).split() if digest in ders]
    at = None if row.at is None else moment(row.at)
    claim = Claim(host=row.host, cause=row.cause, at=at, received=moment(row.received), chain=chain)
    # Alarms of two kinds are two incidents, as two keys are.
    key = (key_of(chain[0]) or b"").hex() if chain else row.cause if alarm_of(row.cause) else ""
    return _Judged(judge(claim, policy, seen_keys), key, certificate_summary(chain[0]).issuer if chain else "")


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
    since, until = group.first - _A_DAY, group.last + _A_DAY
    ours = (incidents.c.application == application) & incidents.c.last.between(since, until)
    here = ours & (incidents.c.host == host)
    known = await _going_on(connection, here & (incidents.c.key == key) & (incidents.c.cause == cause))
    full = ""
    if known is None and await _count(connection, ours) >= MOST_OF_APPLICATION:
        host, full = _OVERFLOW, f"{MOST_OF_APPLICATION} incidents of this application"
    elif known is None and await _count(connection, here) >= MOST_GOING_ON:
        full = f"{MOST_GOING_ON} incidents of this host"
    if full:
        # There are few kinds of alarms, and one must not hide another either.
        key, group = _OVERFLOW if alarm_of(key) is None else key, _rest(group, full)
        is_rest = (incidents.c.host == host) & (incidents.c.key == key) & (incidents.c.cause == cause)
        known = await _going_on(connection, ours & is_rest)
    number = await (
        _begin(connection, (application, host, key, cause), group) if known is None else _add(connection, known, group)
    )
    await connection.execute(update(reports).where(reports.c.id.in_(group.ids)).values(incident=number))


def _rest(group: _Group, full: str) -> _Group:
    """Return reports as part of what is beyond a bound, in words of its own."""
    judgement = group.judged.judgement
    said = f"more than {full} go on, and this is the rest that has this cause; the first: {judgement.said}"
    return _Group(replace(group.judged, judgement=replace(judgement, said=said)), group.rows)


async def _count(connection: AsyncConnection, which: Any) -> int:
    return int((await connection.execute(select(func.count()).select_from(incidents).where(which))).scalar_one())


async def _going_on(connection: AsyncConnection, which: Any) -> Row[Any] | None:
    return (await connection.execute(select(incidents).where(which).order_by(incidents.c.id.desc()).limit(1))).first()


async def _begin(connection: AsyncConnection, place: _Place, group: _Group) -> int:
    application, host, key, cause = place
    values = {
        "application": application, "host": host, "key": key, "issuer": group.judged.issuer, "cause": cause,
        "said": group.judged.judgement.said, "advice": group.judged.judgement.advice,
        "first": group.first, "last": group.last, "reports": len(group.ids), "times": min(group.times, _GREATEST),
        "versions": _versions({}, group), "chain": _chain(group.rows[0]), "share": "",
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
