"""What the pages work with: the monitor, its accounts and sessions, and whatever runs while somebody looks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pinscher.monitor.accounts import Accounts
from pinscher.monitor.audit import Audit
from pinscher.monitor.sessions import Sessions
from pinscher.monitor.web.pages.live import Live
from pinscher.monitor.web.pages.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.monitor.monitor import Monitor
    from pinscher.monitor.passwords import Cost


@dataclass(frozen=True, slots=True)
class Desk:
    """One dashboard."""

    monitor: Monitor
    site: Site
    accounts: Accounts
    sessions: Sessions
    audit: Audit
    live: Live

    @classmethod
    def of(
        cls, monitor: Monitor, *, url: str | None = None, cost: Cost | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> Self:  # fmt: skip
        """Set the dashboard of a monitor up; *url* is how people reach it through a proxy that speaks TLS."""
        database = monitor.database
        return cls(
            monitor, Site(url), Accounts(database, clock, cost), Sessions(database), Audit(database), Live(database)
        )
