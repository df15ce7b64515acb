"""
The watch: endpoints that are due are looked at, and what they show becomes history and findings.

Rules of this file:

1. At most so many looks are under way as there are workers, and only as many endpoints are leased.
2. A look is recorded in one transaction: the history, the findings, and the end of the lease.
3. A look whose lease is over is dropped: somebody else looks.
4. Nothing that a server shows ends the watch.
5. A look that fails at the monitor's own end, whatever the reason, is recorded as one that failed: an endpoint that
   nobody can look at never keeps the verdict that it had.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from collections import OrderedDict
from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.diagnosis import Facts, diagnose
from pinscher.errors import PinningError, escaped
from pinscher.monitor.errors import MonitorError
from pinscher.monitor.findings import LASTING, RULES, History, Sighting
from pinscher.monitor.findings.history import NOT_LOOKED
from pinscher.monitor.ledger import Ledger
from pinscher.monitor.schedule import LEASE, Schedule
from pinscher.monitor.sightings import Sightings
from pinscher.monitor.vantage import DEFAULT_VANTAGE, subject_of
from pinscher.probe import NoAnswerError, ResponseInjectionError, StarttlsRefusedError
from pinscher.verdict import Outcome, evaluate, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import NoReturn

    from pinscher.chain import ValidatedChain
    from pinscher.monitor.database import Database
    from pinscher.monitor.schedule import Leased
    from pinscher.policy import Policy
    from pinscher.probe import Endpoint, Observation

    Look = Callable[[Endpoint], Observation]
    """Looks at one endpoint in a thread of its own, and raises what ``probe.observe`` raises."""

_NO_ANSWER = (NoAnswerError, StarttlsRefusedError, ResponseInjectionError)
_log = logging.getLogger("pinscher.monitor")


class Watch:
    """Looks at the endpoints of a database against one policy."""

    def __init__(
        self, database: Database, policy: Policy, look: Look, *, now: Callable[[], datetime],
        interval: timedelta, workers: int = 32, trust_named: bool = False, vantage: str = DEFAULT_VANTAGE,
        lease_time: timedelta = LEASE,
    ) -> None:  # fmt: skip
        """Set a watch up; *trust_named* says that the operator named the trust anchors."""
        self._database = database
        self.policy = policy
        self._look = look
        self.now = now
        self.workers = workers
        self._trust_named = trust_named
        self._ledger = Ledger(database)
        self._sightings = Sightings(database)
        self._accepted: OrderedDict[int, ValidatedChain] = OrderedDict()
        self.schedule = Schedule(database, interval=interval, vantage=vantage, lease_time=lease_time)
        self.looks = 0

    async def run(self) -> NoReturn:
        """Look at what is due, for ever."""
        with concurrent.futures.ThreadPoolExecutor(self.workers, "look") as pool:
            going: set[asyncio.Task[bool]] = set()
            try:
                while True:
                    going |= await self._begin(pool, self.workers - len(going))
                    going = await self._pause(going)
            finally:
                for task in going:
                    task.cancel()

    async def turn(self) -> int:
        """Look at what is due now, wait for the answers, and return how many there were."""
        with concurrent.futures.ThreadPoolExecutor(self.workers, "look") as pool:
            tasks = await self._begin(pool, self.workers)
            await asyncio.gather(*tasks)
        return len(tasks)

    async def _begin(self, pool: concurrent.futures.Executor, most: int) -> set[asyncio.Task[bool]]:
        leased = await self.lease(most) if most else ()
        return {asyncio.create_task(self.visit(pool, one)) for one in leased}

    async def lease(self, most: int) -> Sequence[Leased]:
        """Lease what is due, or nothing where the database does not answer."""
        try:
            return await self.schedule.lease(self.now(), most=most)
        except MonitorError as error:
            # A full disk or a database that restarts: what is due stays due.
            _log.warning("nothing was leased: %s", error)
            return ()

    async def _pause(self, going: set[asyncio.Task[bool]]) -> set[asyncio.Task[bool]]:
        """Wait for an answer, or for the time until something may be due."""
        if not going:
            await asyncio.sleep(_IDLE.total_seconds())
            return going
        _, pending = await asyncio.wait(going, timeout=_IDLE.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
        return pending

    async def visit(self, pool: concurrent.futures.Executor, leased: Leased) -> bool:
        """Look at an endpoint and record it, and tell whether there is nothing left to do under this lease."""
        loop = asyncio.get_running_loop()
        seen = await loop.run_in_executor(pool, self._seen, leased)
        try:
            await self._take(leased, seen)
        except MonitorError as error:
            _log.warning("a look at %s was not recorded, and is due again: %s", _place(leased), error)
            return False
        except Exception as error:  # noqa: BLE001  (the daemon's edge: one endpoint's fault is not the others')
            _log.warning("a look at %s cannot be recorded, and is due again: %s", _place(leased), _words(error))
            return False
        return True

    async def _take(self, leased: Leased, seen: Sighting) -> None:
        """Record a look, or that it failed where what it saw cannot be recorded (rule 5)."""
        try:
            await self._record(leased, seen)
        except MonitorError:
            raise
        except Exception as error:  # noqa: BLE001  (the daemon's edge: one endpoint's fault is not the others')
            failed = self._failed(leased, error)
            # Without the history, which may be what cannot be read.
            await self._record(leased, failed, History(leased.endpoint, (failed,)))

    def _seen(self, leased: Leased) -> Sighting:
        try:
            return self._judged(leased, self._look(leased.endpoint))
        except _NO_ANSWER as error:
            at = self.now()
            return Sighting(first=at, last=at, failure=str(error), vantage=self.schedule.vantage)
        except Exception as error:  # noqa: BLE001  (the daemon's edge: one endpoint's fault is not the others')
            return self._failed(leased, error)

    def _failed(self, leased: Leased, error: Exception) -> Sighting:
        """Return the sighting of a look that failed at this end (rule 5)."""
        failure = NOT_LOOKED + _words(error)
        _log.warning("%s %s", _place(leased), failure)
        at = self.now()
        return Sighting(first=at, last=at, failure=failure, vantage=self.schedule.vantage)

    def _judged(self, leased: Leased, observation: Observation) -> Sighting:
        """Give the verdict on what was observed, and its diagnosis."""
        at, host, chain = self.now(), observation.host, observation.validated
        if chain is None:
            detail = observation.verification_error or ""
            verdict = refusal(self.policy, host=host, at=at, detail=detail, port=observation.port)
        else:
            verdict = evaluate(chain, self.policy, host=host, at=at, port=observation.port)
        facts = Facts(
            last_accepted=self._accepted.get(leased.id),
            trust_named=self._trust_named,
            presented=observation.presented,
            openssl_error=observation.verification_error,
            verify_code=verify_code_of(observation.verification_error),
        )
        diagnosis = diagnose(verdict, facts)
        if verdict.outcome is Outcome.MATCH and chain is not None:
            self._remember(leased.id, chain)
        return Sighting(
            first=at,
            last=at,
            presented=observation.presented.certificates,
            validated=() if chain is None else chain.certificates,
            outcome=verdict.outcome,
            matched=verdict.matched,
            cause=diagnosis.cause.value,
            said=diagnosis.sentence,
            advice=diagnosis.next_action,
            vantage=self.schedule.vantage,
        )

    def _remember(self, endpoint: int, chain: ValidatedChain) -> None:
        self._accepted[endpoint] = chain
        self._accepted.move_to_end(endpoint)
        if len(self._accepted) > _MOST_REMEMBERED:
            self._accepted.popitem(last=False)

    async def _record(self, leased: Leased, seen: Sighting, history: History | None = None) -> None:
        outcome = "no-answer" if seen.outcome is None else seen.outcome.value
        async with self._database.writing() as connection:
            if not await self.schedule.finish(connection, leased, outcome, at=seen.last):
                return
            await self._sightings.add(connection, leased.id, seen)
            if history is None:
                history = await self._sightings.of(connection, leased.id, leased.endpoint, vantage=seen.vantage)
            found = [finding for rule in RULES if (finding := rule(history, self.policy, seen.last)) is not None]
            subject = subject_of(leased.endpoint, seen.vantage)
            await self._ledger.settle(connection, subject, found, at=seen.last, lasting=LASTING)
        self.looks += 1


def _place(leased: Leased) -> str:
    """Return where a look goes, of a row that may be no endpoint."""
    host, port, *_ = leased.named
    return f"{escaped(host)}:{port}"


def _words(error: Exception) -> str:
    """Return an error on one line, with its kind where it is none of this house's."""
    name = "" if isinstance(error, PinningError) else f"{type(error).__name__}: "
    return escaped(f"{name}{error}", limit=_LONGEST_FAILURE)


def verify_code_of(words: str | None) -> int | None:
    """Return the number (``X509_V_ERR_...``) of OpenSSL's words, for an observation keeps the words alone."""
    folded = (words or "").lower().replace("self signed", "self-signed")
    return next((code for phrase, code in _VERIFY_CODES if folded.startswith(phrase)), None)


_VERIFY_CODES = (
    ("certificate is not yet valid", 9),
    ("certificate has expired", 10),
    ("self-signed certificate in", 19),
    ("self-signed certificate", 18),
    ("unable to get local issuer", 20),
    ("unable to verify the first", 21),
    ("hostname mismatch", 62),
    ("ip address mismatch", 64),
)
_IDLE = timedelta(seconds=1)
"""How often it is asked whether something is due."""
_LONGEST_FAILURE = 400
_MOST_REMEMBERED = 10_000
"""Endpoints whose last accepted chain is kept in memory, for the diagnosis."""
