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
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select, update

from pinscher.der import CertificateParseError
from pinscher.monitor.clocks import arrivals
from pinscher.monitor.hearing import Hearing
from pinscher.monitor.tables import heartbeats, incidents, millis, policies
from pinscher.policy import Policy
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from pinscher.monitor.database import Database
    from pinscher.monitor.findings.silence import Heard

WINDOW = timedelta(days=1)
"""How far back a client counts as one of today's."""
_ASKED_AT_ONCE = 10_000
_WRITTEN_AT_ONCE = 200
_MOST_COUNTED = 9_999_999
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
        self._hearing = Hearing(database)

    async def recent(self, at: datetime) -> list[Client]:
        """Return the clients of the last day, each with the policy it had last."""
        arrived = await arrivals(self._database, at)
        newest = (
            select(heartbeats.c.application, heartbeats.c.install, func.max(heartbeats.c.id).label("id"))
            .where(arrived.within(WINDOW))
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

    async def habits(self, at: datetime) -> Heard:
        """Return how applications, their hosts and their policy versions used to report."""
        return await self._hearing.habits(at)

    async def share_out(self, policy: Policy, at: datetime) -> None:
        """Write into each incident that is going on which share of the clients it touches: 'refusing/heard of'."""
        asked = select(incidents.c.id, incidents.c.application, incidents.c.host, incidents.c.share)
        async with self._database.reading() as connection:
            rows = (await connection.execute(asked.where(incidents.c.last > millis(at - WINDOW)))).all()
        places = {row.id: (row.application, _listed(policy, row.host)) for row in rows}
        counts = await self._counts(sorted({host for _, host in places.values()}), at)
        shares = {row.id: counts.get(places[row.id], row.share) for row in rows}
        await self._write_shares({row.id: shares[row.id] for row in rows if shares[row.id] != row.share})

    async def _counts(self, hosts: Sequence[str], at: datetime) -> dict[tuple[str, str], str]:
        """Return the share of installs that refuse, by application and host, of these hosts alone."""
        installs = func.count(func.distinct(heartbeats.c.install))
        is_refusing = heartbeats.c.outcome.not_in(_ACCEPTED)
        refusing = func.count(func.distinct(case((is_refusing, heartbeats.c.install))))
        asked = select(heartbeats.c.application, heartbeats.c.host, refusing, installs)
        asked = asked.where((await arrivals(self._database, at)).within(WINDOW))
        asked = asked.group_by(heartbeats.c.application, heartbeats.c.host)
        counts = {}
        async with self._database.reading() as connection:
            for start in range(0, len(hosts), _ASKED_AT_ONCE):
                some = asked.where(heartbeats.c.host.in_(hosts[start : start + _ASKED_AT_ONCE]))
                for application, host, touched, heard in await connection.execute(some):
                    counts[application, host] = _share(touched, heard)
        return counts

    async def _write_shares(self, shares: Mapping[int, str]) -> None:
        """Write them a part at a time, so that a report never waits long for its commit."""
        numbers = sorted(shares)
        for start in range(0, len(numbers), _WRITTEN_AT_ONCE):
            async with self._database.writing() as connection:
                for number in numbers[start : start + _WRITTEN_AT_ONCE]:
                    share = shares[number]
                    await connection.execute(update(incidents).where(incidents.c.id == number).values(share=share))


def _share(refusing: int, heard: int) -> str:
    """Return a share in at most 16 characters; installs are a number that can be made up."""
    return f"{min(refusing, _MOST_COUNTED)}/{min(heard, _MOST_COUNTED)}"


def _listed(policy: Policy, host: str) -> str:
    """Return how heartbeats name a host: by the pattern of the policy's entry (``pinscher.reports.heartbeat``)."""
    entry = policy.lookup_canonical(host) if host else None
    return host if entry is None else entry.host
