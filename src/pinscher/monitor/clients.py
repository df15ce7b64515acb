"""
What heartbeats tell of the clients: who is silent, which share an incident touches, and what a certificate would break.

Rules of this file:

1. A client is an install id that was heard of in the window; an id rotates, so a share is an estimate.
2. Tokens of applications are public, and so heartbeats can be forged: what is found here may make a gate stricter, and
   never looser.
3. A client of a policy that the monitor has never seen is counted as unknown, and never as one that would accept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, literal, select, update

from pinscher.der import CertificateParseError
from pinscher.monitor.findings.silence import Habit, Scope
from pinscher.monitor.tables import heartbeats, incidents, millis, moment, policies
from pinscher.policy import Policy
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from pinscher.monitor.database import Database

WINDOW = timedelta(days=1)
"""How far back a client counts as one of today's."""
REMEMBERED = timedelta(days=30)
"""How far back a habit is looked for."""
_ACCEPTED = (Outcome.MATCH.value, Outcome.NOT_PINNED.value, "")


@dataclass(frozen=True, slots=True)
class Client:
    """One install, and the policy it had when it was last heard of."""

    application: str
    install: str
    policy: str
    version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Radius:
    """How many clients there were, how many would refuse, of how many it is not known, and by version who refuses."""

    clients: int = 0
    refusing: int = 0
    unknown: int = 0
    versions: Mapping[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float | None:
        """The share that would refuse, of the clients that are known; None where none is."""
        known = self.clients - self.unknown
        return self.refusing / known if known else None


def blast_radius(
    clients: Iterable[Client], host: str, chain: Sequence[bytes], known: Mapping[tuple[str, int], Policy]
) -> Radius:
    """
    Say which clients would refuse *chain*, a path that they would validate, at a canonical *host*.

    It does not prove that a client builds this path: ``gate`` tries every one.
    """
    total = unknown = refusing = 0
    versions: dict[str, int] = {}
    decided: dict[tuple[str, int], bool] = {}
    for client in clients:
        total += 1
        place = (client.policy, -1 if client.version is None else client.version)
        if place not in known:
            unknown += 1
            continue
        if place not in decided:
            decided[place] = _is_refused(known[place], host, chain)
        if decided[place]:
            refusing += 1
            name = f"{client.policy} {client.version}"
            versions[name] = versions.get(name, 0) + 1
    return Radius(clients=total, refusing=refusing, unknown=unknown, versions=versions)


def _is_refused(policy: Policy, host: str, chain: Sequence[bytes]) -> bool:
    entry = policy.lookup_canonical(host)
    pins = None if entry is None else entry.pinset
    if pins is None:
        return False
    try:
        denied = any(pins.denied(der) is not None for der in chain)
        return denied or all(pins.accepted(der) is None for der in chain)
    except CertificateParseError:
        return True


class Clients:
    """The clients in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def recent(self, at: datetime) -> list[Client]:
        """Return the clients of the last day, each with the policy it had last."""
        newest = (
            select(heartbeats.c.application, heartbeats.c.install, func.max(heartbeats.c.id).label("id"))
            .where(heartbeats.c.received > millis(at - WINDOW))
            .group_by(heartbeats.c.application, heartbeats.c.install)
            .subquery()
        )
        asked = select(
            heartbeats.c.application, heartbeats.c.install, heartbeats.c.policy, heartbeats.c.version
        ).join_from(heartbeats, newest, heartbeats.c.id == newest.c.id)
        async with self._database.reading() as connection:
            rows = (await connection.execute(asked)).all()
        return [Client(row.application, row.install, row.policy, row.version) for row in rows]

    async def known_policies(self) -> dict[tuple[str, int], Policy]:
        """Return every policy that the monitor was started with, by name and version."""
        async with self._database.reading() as connection:
            rows = (await connection.execute(select(policies).order_by(policies.c.seen))).all()
        return {(row.name, row.version): Policy.loads(row.document) for row in rows}

    async def habits(self, at: datetime) -> list[Habit]:
        """Return how applications, their hosts and their policy versions used to report."""
        found = []
        for scope, name in (
            (Scope.APPLICATION, literal("")),
            (Scope.HOST, heartbeats.c.host),
            (Scope.VERSION, func.coalesce(heartbeats.c.version, 0)),
        ):
            found += await self._habits(scope, name, at)
        return found

    async def _habits(self, scope: Scope, name: ColumnElement[Any], at: datetime) -> list[Habit]:
        beats = (
            select(heartbeats.c.application, name.label("name"), heartbeats.c.received)
            .where(heartbeats.c.received > millis(at - REMEMBERED))
            .distinct()
            .subquery()
        )
        before = func.lag(beats.c.received).over(
            partition_by=(beats.c.application, beats.c.name), order_by=beats.c.received
        )
        paused = select(beats, (beats.c.received - before).label("pause")).subquery()
        asked = select(
            paused.c.application,
            paused.c.name,
            func.min(paused.c.received).label("first"),
            func.max(paused.c.received).label("last"),
            func.count().label("times"),
            func.max(paused.c.pause).label("pause"),
        ).group_by(paused.c.application, paused.c.name)
        async with self._database.reading() as connection:
            rows = (await connection.execute(asked)).all()
        return [
            Habit(
                scope=scope,
                application=row.application,
                name=str(row.name),
                first=moment(row.first),
                last=moment(row.last),
                times=row[4],
                longest_pause=timedelta(milliseconds=row.pause or 0),
            )
            for row in rows
            if scope is not Scope.HOST or row.name
        ]

    async def share_out(self, policy: Policy, at: datetime) -> None:
        """Write into each incident that is going on which share of the clients it touches: 'refusing/heard of'."""
        window = heartbeats.c.received > millis(at - WINDOW)
        installs = func.count(func.distinct(heartbeats.c.install))
        asked = select(heartbeats.c.application, heartbeats.c.host, installs).where(window)
        asked = asked.group_by(heartbeats.c.application, heartbeats.c.host)
        refusing = asked.where(heartbeats.c.outcome.not_in(_ACCEPTED))
        going = select(incidents.c.id, incidents.c.application, incidents.c.host, incidents.c.share)
        async with self._database.writing() as connection:
            heard = {(row[0], row[1]): row[2] for row in await connection.execute(asked)}
            touched = {(row[0], row[1]): row[2] for row in await connection.execute(refusing)}
            for row in (await connection.execute(going.where(incidents.c.last > millis(at - WINDOW)))).all():
                place = (row.application, _listed(policy, row.host))
                share = f"{touched.get(place, 0)}/{heard[place]}" if place in heard else row.share
                if share != row.share:
                    await connection.execute(update(incidents).where(incidents.c.id == row.id).values(share=share))


def _listed(policy: Policy, host: str) -> str:
    """Return how heartbeats name a host: by the pattern of the policy's entry (``pinscher.reports.heartbeat``)."""
    entry = policy.lookup_canonical(host) if host else None
    return host if entry is None else entry.host
