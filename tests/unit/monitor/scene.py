"""A bank with one host, seen by a monitor whose clock the test sets."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pinscher.lab.authority import Authority, HeldCertificate
from pinscher.monitor.findings import History, Sighting
from pinscher.monitor.monitor import Monitor, Settings
from pinscher.policy import Policy
from pinscher.probe import Endpoint
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pinscher.monitor.database import Database
    from pinscher.pin import Pin

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOST = "api.bank.example"
ENDPOINT = Endpoint(HOST)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime = AT) -> None:
        self.at = at

    def __call__(self) -> datetime:
        """Return the moment it stands at."""
        return self.at


def policy_of(
    *pins: object, backups: tuple[object, ...] = (), host: str = HOST, more: str = "", top: str = "", version: int = 1
) -> Policy:
    """Return a policy of one host."""
    listed = ", ".join(f'"{pin}"' for pin in pins)
    backup = ", ".join(f'"{pin}"' for pin in backups)
    return Policy.loads(
        f'format = 1\nname = "bank-app"\nversion = {version}\n{top}\n[hosts."{host}"]\npins = [{listed}]\n'
        + (f"backup-pins = [{backup}]\n" if backups else "")
        + more
    )


def chain_of(held: HeldCertificate) -> tuple[bytes, ...]:
    """Return a validated path of a certificate, its root included."""
    return (*held.chain, held.authority.trust_anchor.certificate)


def sighting(
    held: HeldCertificate,
    *,
    at: datetime = AT,
    outcome: Outcome = Outcome.MATCH,
    matched: Pin | None = None,
    **rest: object,
) -> Sighting:
    """Return a sighting of a certificate that was validated."""
    chain = chain_of(held)
    return Sighting(first=at, last=at, presented=held.chain, validated=chain, outcome=outcome, matched=matched, **rest)  # type: ignore[arg-type]


def history(*sightings: Sighting) -> History:
    """Return a history of the bank's endpoint."""
    return History(ENDPOINT, sightings)


def root(name: str = "Bank Root") -> Authority:
    """Return an authority that was valid around the fixed moment."""
    return Authority.root(name, not_before=AT - 300 * DAY, not_after=AT + 3000 * DAY)


def issue(authority: Authority, *, days: float = 60, **rest: object) -> HeldCertificate:
    """Issue the host's certificate for so many days from the fixed moment on, 90 in all."""
    end = AT + days * DAY
    return authority.issue(HOST, not_before=end - 90 * DAY, not_after=end, **rest)  # type: ignore[arg-type]


def looks_at_nothing(_: object) -> Any:
    """Stand for a monitor's look in a test that has none."""
    raise AssertionError("nothing is looked at")


async def begun(database: Database, policy: Policy, **settings: Any) -> tuple[Monitor, Clock]:
    """Begin a monitor that looks at nothing, on a clock that the test sets."""
    clock = Clock()
    monitor = await Monitor.open(database, policy, looks_at_nothing, settings=Settings(**settings), now=clock)
    await monitor.begin()
    return monitor, clock


@contextlib.asynccontextmanager
async def taking_in(monitor: Monitor) -> AsyncIterator[None]:
    """Have a monitor's intake write until the block ends."""
    task = asyncio.create_task(monitor.intake.run())
    try:
        yield
    finally:
        task.cancel()
