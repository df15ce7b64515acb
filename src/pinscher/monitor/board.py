"""What the dashboard asks the database: counts for the first screen, and the rows behind each of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from pinscher.monitor.certificates import fetched
from pinscher.monitor.clients import WINDOW
from pinscher.monitor.clocks import is_believed
from pinscher.monitor.errors import UnknownRecordError
from pinscher.monitor.findings.finding import Severity
from pinscher.monitor.ledger import State
from pinscher.monitor.schedule import endpoint_of
from pinscher.monitor.sightings import Sightings
from pinscher.monitor.tables import endpoints, findings, heartbeats, incidents, millis, policies, reports

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Row, Select

    from pinscher.monitor.database import Database
    from pinscher.monitor.findings.history import History

MOST_ROWS = 100
"""Rows of one page."""
NOT_YET = "not-yet"
"""The outcome of an endpoint that nobody has looked at."""
FORTHCOMING = ("certificate-ends", "policy-ends", "backup-only", "backup-never-rehearsed", "updates-lapse")
"""The rules about what still works and soon will not; every other rule is about what is wrong or new now."""
DOUBTFUL = ("clients-silent", "override-in-use", "report-only-too-long")
"""The rules after which it is not sure that pinning is on, wherever endpoints match."""
KINDS = ("broken", "coming", "new")
"""What a finding is to somebody who has one minute: wrong now, going to be, or merely new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Which findings are asked for; what is empty leaves nothing out."""

    kind: str = ""
    state: str = ""
    severity: str = ""
    rule: str = ""
    subject: str = ""
    before: int = 2**62


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of the first screen."""

    endpoints: dict[str, int]
    looked: int | None
    findings: dict[str, int]
    incidents: dict[str, int]
    reports: int
    doubtful: dict[str, int] = field(default_factory=dict)
    clients: list[Row[Any]] = field(default_factory=list)

    @property
    def watched(self) -> int:
        """How many endpoints there are."""
        return sum(self.endpoints.values())

    @property
    def installs(self) -> int:
        """How many installs were heard of in the last day."""
        return sum(row.installs for row in self.clients)


class Board:
    """The dashboard's questions to a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tally(self, at: datetime) -> Tally:
        """Count what the first screen shows."""
        watched = select(endpoints.c.outcome, func.count()).group_by(endpoints.c.outcome)
        going = select(incidents.c.state, func.count()).where(is_going_on(at)).group_by(incidents.c.state)
        unsure = select(findings.c.rule, func.count()).where(findings.c.closed.is_(None), findings.c.rule.in_(DOUBTFUL))
        unsure = unsure.where(findings.c.state != State.SILENCED.value).group_by(findings.c.rule)
        recent = select(func.count()).select_from(reports).where(reports.c.received > millis(at - WINDOW))
        async with self._database.reading() as connection:
            outcomes = {row[0] or NOT_YET: int(row[1]) for row in await connection.execute(watched)}
            looked = (await connection.execute(select(func.max(endpoints.c.looked)))).scalar()
            found = {
                kind: int((await connection.execute(_counted(_findings(Sought(kind=kind, state="open"))))).scalar_one())
                for kind in KINDS
            }
            cases = {row[0]: int(row[1]) for row in await connection.execute(going)}
            said = int((await connection.execute(recent)).scalar_one())
            doubtful = {row[0]: int(row[1]) for row in await connection.execute(unsure)}
            heard = (await connection.execute(_clients(at))).all()
        return Tally(outcomes, looked, found, cases, said, doubtful, list(heard))

    async def endpoints(self, *, outcome: str, host: str, after: int) -> list[tuple[int, str, Row[Any]]]:
        """Return endpoints by what they showed last: number, name and row."""
        asked = select(endpoints).where(endpoints.c.id > after).order_by(endpoints.c.id).limit(MOST_ROWS)
        if outcome:
            asked = asked.where(endpoints.c.outcome == ("" if outcome == NOT_YET else outcome))
        if host:
            asked = asked.where(endpoints.c.host.contains(host.lower(), autoescape=True))
        async with self._database.reading() as connection:
            rows = (await connection.execute(asked)).all()
        return [(row.id, str(endpoint_of(row)), row) for row in rows]

    async def histories(self, *, after: int, most: int, only: int | None = None) -> list[tuple[int, History]]:
        """Return the histories of some endpoints, with their numbers."""
        asked = select(endpoints).where(endpoints.c.id > after).order_by(endpoints.c.id).limit(most)
        if only is not None:
            asked = select(endpoints).where(endpoints.c.id == only)
        seen = Sightings(self._database)
        async with self._database.reading() as connection:
            rows = (await connection.execute(asked)).all()
            return [(row.id, await seen.of(connection, row.id, endpoint_of(row))) for row in rows]

    async def findings(self, sought: Sought, most: int = MOST_ROWS) -> list[Row[Any]]:
        """Return findings, the gravest first where they are open, and else the newest first."""
        order = [findings.c.id.desc()]
        if sought.state == "open":
            order = [findings.c.severity.desc(), *order]
        asked = _findings(sought).where(findings.c.id < sought.before).order_by(*order).limit(most)
        async with self._database.reading() as connection:
            return list((await connection.execute(asked)).all())

    async def incidents(self, *, state: str, cause: str, before: int, most: int = MOST_ROWS) -> list[Row[Any]]:
        """Return incidents, the newest first."""
        asked = select(incidents).where(incidents.c.id < before).order_by(incidents.c.id.desc()).limit(most)
        if state:
            asked = asked.where(incidents.c.state == state)
        if cause:
            asked = asked.where(incidents.c.cause == cause)
        async with self._database.reading() as connection:
            return list((await connection.execute(asked)).all())

    async def going_on(self, at: datetime, most: int) -> list[Row[Any]]:
        """Return the incidents that nobody looks after, of which there was a report within a day."""
        asked = select(incidents).where(is_going_on(at), incidents.c.state == State.OPEN.value)
        async with self._database.reading() as connection:
            rows = await connection.execute(asked.order_by(incidents.c.times.desc(), incidents.c.id).limit(most))
            return list(rows.all())

    async def incident(self, number: int) -> Row[Any]:
        """Return one incident."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(incidents).where(incidents.c.id == number))).first()
        if row is None:
            raise UnknownRecordError(f"no incident {number}")
        return row

    async def chain(self, incident: Row[Any]) -> list[bytes]:
        """Return the certificates of an incident's chain, the leaf first."""
        digests = incident.chain.split()
        async with self._database.reading() as connection:
            ders = await fetched(connection, digests)
        return [ders[digest] for digest in digests]

    async def reports(self, *, incident: int | None, before: int) -> list[Row[Any]]:
        """Return the reports of an incident, or of all, the newest first."""
        asked = select(reports).where(reports.c.id < before).order_by(reports.c.id.desc()).limit(MOST_ROWS)
        if incident is not None:
            asked = asked.where(reports.c.incident == incident)
        async with self._database.reading() as connection:
            return list((await connection.execute(asked)).all())

    async def clients(self, at: datetime) -> list[Row[Any]]:
        """Return how many installs were heard of by application, policy and version."""
        async with self._database.reading() as connection:
            return list((await connection.execute(_clients(at))).all())

    async def installs(self, at: datetime, *, application: str, version: str, before: int) -> list[Row[Any]]:
        """Return what heartbeats said in the last day, of one policy version, of ``none`` or of all."""
        asked = select(heartbeats).where(
            heartbeats.c.received > millis(at - WINDOW),
            heartbeats.c.application == application,
            heartbeats.c.id < before,
        )
        if version:
            number = int(version) if version.isascii() and version.isdecimal() and len(version) < 19 else None
            asked = asked.where(heartbeats.c.version.is_not_distinct_from(number))
        async with self._database.reading() as connection:
            rows = await connection.execute(asked.order_by(heartbeats.c.id.desc()).limit(MOST_ROWS))
            return list(rows.all())

    async def policies(self) -> list[Any]:
        """Return the policies that were in force, the newest first."""
        asked = select(policies.c.digest, policies.c.name, policies.c.version, policies.c.seen)
        async with self._database.reading() as connection:
            rows = await connection.execute(asked.order_by(policies.c.seen.desc()).limit(MOST_ROWS))
            return list(rows.all())


def is_going_on(at: datetime) -> Any:
    """Return the condition that an incident had a report within a day, or is of later than now and not looked after."""
    is_open = incidents.c.state == State.OPEN.value
    return (incidents.c.last > millis(at - WINDOW)) & (is_believed(incidents.c.last, at) | is_open)


def _findings(sought: Sought) -> Select[Any]:
    asked = select(findings)
    if sought.state == "open":
        asked = asked.where(findings.c.closed.is_(None), findings.c.state != State.SILENCED.value)
    elif sought.state:
        asked = asked.where(findings.c.state == sought.state)
    if sought.kind in KINDS:
        asked = asked.where(_is_of(sought.kind))
    if sought.severity:
        asked = asked.where(findings.c.severity.in_([one.value for one in Severity if one.word == sought.severity]))
    if sought.rule:
        asked = asked.where(findings.c.rule == sought.rule)
    if sought.subject:
        elsewhere = findings.c.subject.startswith(f"{sought.subject} from ", autoescape=True)
        asked = asked.where((findings.c.subject == sought.subject) | elsewhere)
    return asked


def _is_of(kind: str) -> Any:
    if kind == "coming":
        return findings.c.rule.in_(FORTHCOMING)
    is_notice = findings.c.severity == Severity.NOTICE.value
    return findings.c.rule.not_in(FORTHCOMING) & (is_notice if kind == "new" else ~is_notice)


def _counted(asked: Select[Any]) -> Select[Any]:
    return select(func.count()).select_from(asked.subquery())


def _clients(at: datetime) -> Select[Any]:
    place: Sequence[Any] = (heartbeats.c.application, heartbeats.c.policy, heartbeats.c.version)
    asked = select(*place, func.count(func.distinct(heartbeats.c.install)).label("installs"))
    asked = asked.where(heartbeats.c.received > millis(at - WINDOW)).group_by(*place).order_by(*place)
    return asked.limit(500)
