"""One monitor: a database, a policy, and everything that works on them, wired together."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn, Self

from sqlalchemy import delete, func, select

from pinscher.host import Reach
from pinscher.monitor.certificates import MOST_FORGOTTEN, forget
from pinscher.monitor.clients import Clients
from pinscher.monitor.collector import Collector
from pinscher.monitor.comparison import Comparison
from pinscher.monitor.errors import MonitorError
from pinscher.monitor.findings.others import OTHERS_RULES
from pinscher.monitor.findings.silence import silences
from pinscher.monitor.intake import Intake
from pinscher.monitor.ledger import Ledger
from pinscher.monitor.limits import APPLICATION_RATE, STRANGER_RATE, Limiter, Rate
from pinscher.monitor.oversight import OVERSIGHT_RULES, Oversight
from pinscher.monitor.reloading import RELOADING_RULES
from pinscher.monitor.roles import ProcessRole
from pinscher.monitor.schedule import LEASE
from pinscher.monitor.tables import events, findings, heartbeats, incidents, millis, policies, reports
from pinscher.monitor.tokens import Tokens
from pinscher.monitor.transparency.watching import TRANSPARENCY_RULES, LogSettings, Transparency
from pinscher.monitor.triage import MOST_TRIAGED, Triage
from pinscher.monitor.vantage import DEFAULT_VANTAGE, watched_of
from pinscher.monitor.watch import Watch
from pinscher.probe import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Select

    from pinscher.monitor.broker import JetStream, ProbeLine, ReportLine
    from pinscher.monitor.comparison import LookUp
    from pinscher.monitor.database import Database
    from pinscher.monitor.looking import Addresses, Look
    from pinscher.monitor.reloading import PolicyFile
    from pinscher.policy import Policy
    from pinscher.updates import Updater

MOST_REMOVED = 10_000
"""Incidents that one tidying removes."""
MOST_TURNS = 20
"""Transactions of one round of grouping, and rounds of one tidying; what is left waits for the next."""
_OF_NO_ENDPOINT = ("clients-silent", *TRANSPARENCY_RULES, *OVERSIGHT_RULES, *RELOADING_RULES, *OTHERS_RULES)
"""Rules of findings that stay when endpoints go."""
_log = logging.getLogger("pinscher.monitor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a monitor works."""

    interval: timedelta = timedelta(minutes=5)
    workers: int = 32
    kept: timedelta = timedelta(days=90)
    application_rate: Rate = APPLICATION_RATE
    stranger_rate: Rate = STRANGER_RATE
    trust_named: bool = False
    vantage: str = DEFAULT_VANTAGE
    transparency: LogSettings = field(default_factory=LogSettings)
    updater: Updater | None = None
    tlsa: LookUp | None = None
    addresses: Addresses | None = None
    policy_file: PolicyFile | None = None
    role: ProcessRole = ProcessRole.ALL
    takeover: timedelta = LEASE / 2
    """After how long somebody else does what a process was lost with."""


@dataclass(slots=True)
class Monitor:
    """What the interface and the chores work with."""

    database: Database
    policy: Policy
    settings: Settings
    now: Callable[[], datetime]
    watch: Watch
    intake: Intake
    collector: Collector
    tokens: Tokens
    applications: Limiter
    strangers: Limiter
    ledger: Ledger
    triage: Triage
    clients: Clients
    transparency: Transparency
    oversight: Oversight
    comparison: Comparison
    named: tuple[Endpoint, ...] = ()
    reports: ReportLine | None = None
    probes: ProbeLine | None = None
    brokers: Sequence[JetStream] = ()
    refused: dict[int, int] = field(default_factory=dict)

    @classmethod
    async def open(
        cls, database: Database, policy: Policy, look: Look, *, settings: Settings | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC), clock: Callable[[], float] = time.monotonic,
        broker: str | None = None,
    ) -> Self:  # fmt: skip
        """Wire a monitor together on an open database; *broker* is the address of a NATS server that others share."""
        settings = settings or Settings()
        intake = Intake(database)
        monitor = cls(
            database=database,
            policy=policy,
            settings=settings,
            now=now,
            watch=Watch(
                database, policy, look, now=now, interval=settings.interval, workers=settings.workers,
                trust_named=settings.trust_named, vantage=settings.vantage,
                lease_time=2 * settings.takeover, addresses=settings.addresses,
            ),
            intake=intake,
            collector=Collector(intake),
            tokens=Tokens(database),
            applications=Limiter(settings.application_rate, clock),
            strangers=Limiter(settings.stranger_rate, clock),
            ledger=Ledger(database),
            triage=Triage(database),
            clients=Clients(database),
            transparency=Transparency(database, settings.transparency, now=now),
            oversight=Oversight(database, settings.updater, now=now),
            comparison=Comparison(database, settings.transparency.logs, settings.tlsa, now=now),
        )  # fmt: skip
        await monitor.tokens.load()
        if broker is not None:
            await monitor._connect(broker)
        return monitor

    async def _connect(self, url: str) -> None:
        """Hand to others, and take from them, over a NATS server."""
        from pinscher.monitor.broker import ProbeLine, ReportLine  # noqa: PLC0415  (a package that few need)

        brokers = []
        if self.settings.role.is_collecting:
            stream, self.reports = ReportLine.at(url, self.intake.commit, patience=self.settings.takeover)
            self.intake = Intake(self.database, keep=self.reports.hand_in)
            self.collector = Collector(self.intake, most_recognised=0)
            brokers.append(stream)
        if self.settings.role.is_probing:
            stream, self.probes = ProbeLine.at(url, self.watch)
            brokers.append(stream)
        for stream in brokers:
            try:
                await stream.startup()
            except MonitorError:
                await self.close()
                raise
            self.brokers = [*self.brokers, stream]

    async def close(self) -> None:
        """Leave the broker."""
        for stream in self.brokers:
            await stream.shutdown()

    async def begin(self, named: Sequence[Endpoint] = ()) -> None:
        """Note the policy, and watch what it lists by its full name; an endpoint in *named* stands for its host."""
        at, self.named = self.now(), tuple(named)
        is_anew = await self._note_policy(at)
        wanted = endpoints_of(self.policy, named)
        if self.settings.role.is_probing:
            await self.watch.schedule.watch(wanted, at=at, is_anew=is_anew)
            await self._close_gone(wanted, at)

    async def replace_policy(self, policy: Policy) -> None:
        """Judge by another policy from now on, and watch what it lists."""
        self.policy = self.watch.policy = policy
        await self.begin(self.named)

    async def _note_policy(self, at: datetime) -> bool:
        """Note the policy in force and since when it is, and tell whether another one was in force before."""
        policy = self.policy
        row = {
            "digest": policy.digest,
            "name": policy.name,
            "version": policy.version,
            "seen": millis(at),
            "document": policy.to_json().decode(),
        }
        async with self.database.writing() as connection:
            newest = select(policies.c.digest).order_by(policies.c.seen.desc()).limit(1)
            before = (await connection.execute(newest)).scalar()
            if before == policy.digest:
                return False
            await connection.execute(delete(policies).where(policies.c.digest == policy.digest))
            await connection.execute(self.database.insert_new(policies), [row])
        return True

    async def _close_gone(self, wanted: Sequence[Endpoint], at: datetime) -> None:
        """Close what is open about endpoints that are watched no more."""
        watched = {str(endpoint) for endpoint in wanted}
        is_ours = findings.c.closed.is_(None) & findings.c.rule.not_in(_OF_NO_ENDPOINT)
        async with self.database.reading() as connection:
            subjects = set((await connection.execute(select(findings.c.subject).where(is_ours))).scalars())
        gone = sorted(subject for subject in subjects if watched_of(subject) not in watched)
        await self.ledger.close_gone(gone, at=at)

    async def work(self) -> NoReturn:
        """Look, write, group and tidy, as far as it is this process's part, for ever."""
        role = self.settings.role
        async with asyncio.TaskGroup() as tasks:
            if self.settings.policy_file is not None:
                tasks.create_task(self._often(timedelta(seconds=5), self.reload))
            tasks.create_task(self._often(timedelta(seconds=2), self.tokens.load))
            if role.is_collecting:
                tasks.create_task(self.intake.run())
            if role.is_probing:
                tasks.create_task((self.probes or self.watch).run())
            if self.reports is not None:
                tasks.create_task(self.reports.run())
            if role.is_showing:
                tasks.create_task(self._often(timedelta(seconds=1), self.group))
                tasks.create_task(self._often(timedelta(minutes=1), self.listen))
                tasks.create_task(self._often(timedelta(seconds=10), self.follow_logs))
                tasks.create_task(self._often(timedelta(minutes=1), self.oversee))
                tasks.create_task(self._often(timedelta(minutes=15), self.comparison.turn))
                tasks.create_task(self._often(timedelta(hours=1), self.tidy))
        raise AssertionError("the monitor's work does not end")

    async def _often(self, pause: timedelta, chore: Callable[[], Any]) -> NoReturn:
        while True:
            try:
                await chore()
            except MonitorError as error:
                _log.warning("a chore is put off: %s", error)
            await asyncio.sleep(pause.total_seconds())

    async def group(self) -> None:
        """Group the reports that wait into incidents."""
        for _ in range(MOST_TURNS):
            if await self.triage.turn(self.policy) < MOST_TRIAGED:
                return

    async def listen(self) -> None:
        """Find out which clients are silent, and which share of them the incidents touch."""
        at = self.now()
        found = {subject: [one] for subject, one in silences(await self.clients.habits(at), at).items()}
        await self.ledger.settle_in_parts(found, rules=["clients-silent"], at=at)
        await self.clients.share_out(self.policy, at)

    async def follow_logs(self) -> None:
        """Go on in the logs of Certificate Transparency."""
        await self.transparency.turn(self.policy)

    async def oversee(self) -> None:
        """Compare vantage points and clients' heads, and follow the repository."""
        await self.oversight.turn(self.policy)

    async def reload(self) -> None:
        """Take the policy file anew if it has changed."""
        if self.settings.policy_file is not None:
            await self.settings.policy_file.check(self)

    async def tidy(self) -> None:
        """
        Remove what is older than it is kept: reports, heartbeats, closed findings, incidents, and what only they named.

        The newest event and the newest incident stay: SQLite numbers on from the highest number that is left, and
        alerts would take a number that comes again for one that they have told.
        """
        at = self.now()
        oldest = millis(at - self.settings.kept)
        newest = select(events.c.finding).order_by(events.c.id.desc()).limit(1)
        gone = select(findings.c.id).where(findings.c.closed < oldest, findings.c.id.not_in(newest))
        async with self.database.writing() as connection:
            await connection.execute(delete(reports).where(reports.c.received < oldest))
            await connection.execute(delete(heartbeats).where(heartbeats.c.received < oldest))
            await self.transparency.memory.forget(connection, before=at - self.settings.kept)
            await connection.execute(delete(events).where(events.c.finding.in_(gone)))
            await connection.execute(delete(findings).where(findings.c.id.in_(gone)))
            await connection.execute(delete(incidents).where(incidents.c.id.in_(_ended_before(oldest))))
        for _ in range(MOST_TURNS):
            if await forget(self.database, before=at - self.settings.kept, at=at) < MOST_FORGOTTEN:
                return


def _ended_before(oldest: int) -> Select[tuple[int]]:
    """Return the query for incidents whose last report is older, but for the newest, and no more than are removed."""
    newest = select(func.max(incidents.c.id)).scalar_subquery()
    numbers = select(incidents.c.id).where(incidents.c.last < oldest, incidents.c.id < newest)
    return numbers.order_by(incidents.c.id).limit(MOST_REMOVED)


def endpoints_of(policy: Policy, named: Sequence[Endpoint] = ()) -> list[Endpoint]:
    """Return what to watch: *named*, and port 443 of every pinned host that stands in full and is not named."""
    hosts = {endpoint.host for endpoint in named}
    listed = [
        Endpoint(entry.pattern.name)
        for entry in policy.hosts
        if entry.pinset is not None and entry.pattern.reach is Reach.EXACT and entry.pattern.name not in hosts
    ]
    return [*named, *listed]
