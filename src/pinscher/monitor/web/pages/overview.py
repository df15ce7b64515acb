"""The first screen: is pinning on, what broke, what will break next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.entry import Mode
from pinscher.monitor.board import NOT_YET, Board, Sought
from pinscher.monitor.tables import moment
from pinscher.monitor.web.pages.calendar import Term, policy_terms
from pinscher.monitor.web.pages.shown import counted
from pinscher.monitor.web.pages.visit import page
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from starlette.responses import Response

    from pinscher.monitor.board import Tally
    from pinscher.monitor.monitor import Monitor
    from pinscher.monitor.web.pages.visit import Visit
    from pinscher.policy import Policy

SOON = timedelta(days=90)
"""How far the first screen looks ahead."""
_SHOWN = 6
"""Rows under each question."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why pinning is not wholly on, and where to read on."""

    said: str
    link: str


@dataclass(frozen=True, slots=True)
class Reach:
    """How many hosts of a policy are held to their pins, and how many are not."""

    enforced: int
    reported: int
    expired: int
    excepted: int

    @classmethod
    def of(cls, policy: Policy, at: datetime) -> Reach:
        """Count the hosts of a policy."""
        enforced = reported = expired = excepted = 0
        for entry in policy.hosts:
            if entry.pinset is None:
                excepted += 1
            elif entry.expires is not None and entry.expires <= at:
                expired += 1
            elif entry.mode is Mode.REPORT_ONLY:
                reported += 1
            else:
                enforced += 1
        return cls(enforced, reported, expired, excepted)


def doubts(monitor: Monitor, tally: Tally, reach: Reach, at: datetime) -> Iterator[Doubt]:
    """Say what keeps pinning from being wholly on, as far as the monitor sees."""
    if reach.reported:
        yield Doubt(f"only reported, and nothing refused: {counted(reach.reported, 'host')}", "/timeline#policy")
    if reach.expired:
        yield Doubt(f"pins that have expired: {counted(reach.expired, 'host')}", "/timeline#policy")
    for outcome, count in sorted(tally.endpoints.items()):
        if outcome not in (Outcome.MATCH.value, NOT_YET):
            yield Doubt(f"{outcome}: {counted(count, 'endpoint')}", f"/endpoints?outcome={outcome}")
    if NOT_YET in tally.endpoints:
        unseen = counted(tally.endpoints[NOT_YET], "endpoint")
        yield Doubt(f"nobody has looked yet: {unseen}", f"/endpoints?outcome={NOT_YET}")
    for rule, count in sorted(tally.doubtful.items()):
        yield Doubt(f"{rule}: {counted(count, 'finding')}", f"/findings?rule={rule}&state=open")
    late = 3 * monitor.settings.interval + timedelta(minutes=2)
    if tally.looked is not None and at - moment(tally.looked) > late:
        yield Doubt(f"the monitor itself has not looked since {moment(tally.looked):%Y-%m-%d %H:%M} UTC", "/endpoints")
    behind = sum(row.installs for row in tally.clients if _is_behind(monitor.policy, row.policy, row.version))
    if behind:
        yield Doubt(f"an older policy: {counted(behind, 'client')}", "/clients")


def _is_behind(policy: Policy, name: str, version: int | None) -> bool:
    return name == policy.name and version is not None and version < policy.version


async def overview(visit: Visit) -> Response:
    """Answer the three questions."""
    monitor, at, board = visit.monitor, visit.now, Board(visit.monitor.database)
    tally, reach = await board.tally(at), Reach.of(monitor.policy, at)
    return visit.page(
        "overview.html",
        title="Overview",
        tally=tally,
        reach=reach,
        doubts=list(doubts(monitor, tally, reach, at)),
        outcomes=sorted(tally.endpoints.items()),
        broken=await board.findings(Sought(kind="broken", state="open"), _SHOWN),
        coming=await board.findings(Sought(kind="coming", state="open"), _SHOWN),
        incidents=await board.going_on(at, _SHOWN),
        terms=_soon(monitor.policy, at),
    )


def _soon(policy: Policy, at: datetime) -> list[Term]:
    return [term for term in policy_terms(policy) if term.at is not None and at - SOON < term.at < at + SOON][:_SHOWN]


ROUTES = (page("/", overview),)
"""The routes of this file."""
