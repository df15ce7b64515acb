"""
What no single look and no single report shows: places compared, clients' heads compared, the repository followed.

The repository is followed by an updater of the monitor's own, which takes what a client would take and refuses what a
client would refuse. What it takes changes nothing here: the monitor judges by the policy that it was given.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from pinscher.errors import PinningError
from pinscher.monitor.certificates import fetched
from pinscher.monitor.findings.heads import HEAD_RULES, log_forked, log_unproven, origin_of
from pinscher.monitor.findings.history import Sighting
from pinscher.monitor.findings.places import PLACE_RULES, vantage_points_differ
from pinscher.monitor.findings.repository import REPOSITORY_RULES, repository_findings
from pinscher.monitor.ledger import Ledger
from pinscher.monitor.schedule import endpoint_of
from pinscher.monitor.tables import endpoints, millis, moment, sightings
from pinscher.monitor.told_heads import contradicting_heads, head_against, smaller_heads
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pinscher.monitor.database import Database
    from pinscher.monitor.findings.finding import Finding
    from pinscher.monitor.findings.heads import ToldHead
    from pinscher.policy import Policy
    from pinscher.updates import Updater

OVERSIGHT_RULES = (*PLACE_RULES, *HEAD_RULES, *REPOSITORY_RULES)
"""The rules of findings that are about no single endpoint."""
WINDOW = timedelta(days=1)
"""How far back vantage points are compared."""
MOST_COMPARED = 20_000
"""Sightings that are compared at once, the newest first."""
MOST_PROVED = 256
"""Sizes of the repository's log whose roots are fetched in one turn; each is fetched once."""
_REPOSITORY = "repository of signed bundles"


class Oversight:
    """Compares what a database holds, and follows a repository where one is given."""

    def __init__(self, database: Database, updater: Updater | None, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._updater = updater
        self._now = now
        self._ledger = Ledger(database)
        self._roots: dict[int, bytes] = {}

    async def turn(self, policy: Policy) -> None:
        """Compare and follow once, and bring the findings to what holds now."""
        at = self._now()
        found = await self._repository(policy, at) | await self._places(at) | await self._heads(at)
        await self._ledger.settle_in_parts(found, rules=OVERSIGHT_RULES, at=at)

    async def _places(self, at: datetime) -> dict[str, list[Finding]]:
        seen = await self._seen(at)
        found = {}
        for endpoint, by_vantage in seen.items():
            finding = vantage_points_differ(by_vantage)
            if finding is not None:
                found[f"{endpoint}, all vantage points"] = [finding]
        return found

    async def _seen(self, at: datetime) -> dict[str, dict[str, list[Sighting]]]:
        """Return what each vantage point saw of the endpoints that more than one looks at."""
        recent = sightings.c.last > millis(at - WINDOW)
        several = select(sightings.c.endpoint).where(recent).group_by(sightings.c.endpoint)
        several = several.having(func.count(func.distinct(sightings.c.vantage)) > 1)
        asked = select(sightings, endpoints.c.host, endpoints.c.port, endpoints.c.protocol, endpoints.c.address)
        asked = asked.join_from(sightings, endpoints, sightings.c.endpoint == endpoints.c.id)
        asked = asked.where(recent, sightings.c.endpoint.in_(several)).order_by(sightings.c.id.desc())
        async with self._database.reading() as connection:
            rows = (await connection.execute(asked.limit(MOST_COMPARED))).all()
            ders = await fetched(connection, {row.presented.split()[0] for row in rows if row.presented})
        seen: dict[str, dict[str, list[Sighting]]] = {}
        for row in reversed(rows):
            shown = row.presented.split()[:1]
            one = Sighting(
                first=moment(row.first), last=moment(row.last), presented=tuple(ders[digest] for digest in shown),
                outcome=Outcome(row.outcome) if row.outcome else None, vantage=row.vantage,
            )  # fmt: skip
            seen.setdefault(str(endpoint_of(row)), {}).setdefault(row.vantage, []).append(one)
        return seen

    async def _heads(self, at: datetime) -> dict[str, list[Finding]]:
        """Compare every head that was told of, and what the repository's own follower has and can prove."""
        state = None if self._updater is None else self._updater.state
        own = None if state is None else state.log_head
        followed = None if own is None else origin_of(own)
        told = await self._ledger.told("log-forked")
        async with self._database.reading() as connection:
            heads = await contradicting_heads(connection, own, at)
        unproven: dict[str, list[Finding]] = {}
        # A repository that is refused or does not answer is told as that.
        if own is not None and followed is not None and state is not None and state.error is None:
            try:
                heads += await self._unlike_proven(own, followed, at)
            except PinningError as error:
                unproven = log_unproven(followed, error)
        forked = log_forked(heads, told, followed=followed)
        return {subject: [*forked.get(subject, ()), *unproven.get(subject, ())] for subject in forked | unproven}

    async def _unlike_proven(self, own: str, log: str, at: datetime) -> list[ToldHead]:
        """Return a head that clients tell of and the one that the log proves in its place, where they differ."""
        async with self._database.reading() as connection:
            lines = await smaller_heads(connection, own, at)
        by_size = {int(line[len(log) + 1 :].split(" ")[0]): line for line in lines}
        missing = [size for size in by_size if size not in self._roots][:MOST_PROVED]
        if missing and self._updater is not None:
            self._roots |= await asyncio.to_thread(self._updater.log_roots, missing)
        for size in by_size.keys() & self._roots.keys():
            line, proven = by_size[size], f"{log} {size} {base64.b64encode(self._roots[size]).decode()}"
            if line != proven:
                async with self._database.reading() as connection:
                    return await head_against(connection, line, proven, at)
        return []

    async def _repository(self, policy: Policy, at: datetime) -> dict[str, list[Finding]]:
        if self._updater is None:
            return {}
        # What was refused stands in the state, and is told from there.
        with contextlib.suppress(PinningError):
            await asyncio.to_thread(self._updater.refresh)
        return {_REPOSITORY: repository_findings(self._updater.state, policy, at)}
