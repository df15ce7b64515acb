"""The incidents that clients told of, the findings of the monitor, and what a person says to them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.monitor.board import KINDS, MOST_ROWS, Board, Sought
from pinscher.monitor.errors import MonitorError
from pinscher.monitor.findings.finding import Severity
from pinscher.monitor.judging import IncidentCause
from pinscher.monitor.ledger import State
from pinscher.monitor.views import Views
from pinscher.monitor.web.pages.chain_drawing import compared
from pinscher.monitor.web.pages.visit import Need, page

if TYPE_CHECKING:
    from starlette.responses import Response

    from pinscher.monitor.web.pages.visit import Visit

SILENCES = (1, 4, 24, 72, 168, 720)
"""Hours that a finding may be silenced for."""
_NEWEST = 2**62


async def findings(visit: Visit) -> Response:
    """List findings."""
    sought = Sought(
        kind=visit.asked("kind"), state=visit.asked("state"), severity=visit.asked("severity"),
        rule=visit.asked("rule"), subject=visit.asked("subject"), before=visit.asked_number("before", _NEWEST),
    )  # fmt: skip
    rows = await Board(visit.monitor.database).findings(sought)
    return visit.page(
        "findings.html", title="Findings", rows=rows, sought=sought, kinds=KINDS,
        states=[state.value for state in State], severities=[one.word for one in Severity],
        then=rows[-1].id if len(rows) == MOST_ROWS and sought.state != "open" else None,
    )  # fmt: skip


async def finding(visit: Visit) -> Response:
    """Show one finding with what became of it."""
    found = await Views(visit.monitor.database).finding(visit.number)
    return visit.page("finding.html", title=f"{found['rule']}: {found['subject']}", found=found, hours=SILENCES)


async def acknowledge_finding(visit: Visit) -> Response:
    """Note that somebody looks after a finding."""
    reason = visit.form.get("reason", "")
    await visit.monitor.ledger.acknowledge(visit.number, reason=reason, at=visit.now)
    await visit.note("finding acknowledged", f"finding {visit.number}", reason)
    return visit.go(f"/findings/{visit.number}")


async def silence_finding(visit: Visit) -> Response:
    """Keep a finding quiet for some hours."""
    reason, hours = visit.form.get("reason", ""), visit.form.get("hours", "")
    if hours not in map(str, SILENCES):
        raise MonitorError(f"expected one of {', '.join(map(str, SILENCES))} hours, found '{escaped(hours, limit=20)}'")
    until = visit.now + timedelta(hours=int(hours))
    await visit.monitor.ledger.silence(visit.number, reason=reason, until=until, at=visit.now)
    await visit.note("finding silenced", f"finding {visit.number}", f"{hours} h: {reason}")
    return visit.go(f"/findings/{visit.number}")


async def incidents(visit: Visit) -> Response:
    """List incidents."""
    state, cause = visit.asked("state"), visit.asked("cause")
    before = visit.asked_number("before", _NEWEST)
    rows = await Board(visit.monitor.database).incidents(state=state, cause=cause, before=before)
    return visit.page(
        "incidents.html", title="Incidents", rows=rows, state=state, cause=cause,
        states=(State.OPEN.value, State.ACKNOWLEDGED.value), causes=[one.value for one in IncidentCause],
        then=rows[-1].id if len(rows) == MOST_ROWS else None,
    )  # fmt: skip


async def incident(visit: Visit) -> Response:
    """Show one incident: the chain beside the pins, and the reports behind it."""
    board = Board(visit.monitor.database)
    row = await board.incident(visit.number)
    chain = await board.chain(row)
    before = visit.asked_number("before", _NEWEST)
    reports = await board.reports(incident=visit.number, before=before)
    return visit.page(
        "incident.html", title=f"Incident {row.id}: {row.host or 'a host that was not named'}", row=row,
        versions=json.loads(row.versions), comparison=compared(row.host, chain, visit.monitor.policy),
        reports=reports, then=reports[-1].id if len(reports) == MOST_ROWS else None,
    )  # fmt: skip


async def acknowledge_incident(visit: Visit) -> Response:
    """Note that somebody looks after an incident."""
    reason = visit.form.get("reason", "")
    await visit.monitor.triage.acknowledge(visit.number, reason=reason)
    await visit.note("incident acknowledged", f"incident {visit.number}", reason)
    return visit.go(f"/incidents/{visit.number}")


async def reports(visit: Visit) -> Response:
    """List what clients reported, whatever incident it belongs to."""
    rows = await Board(visit.monitor.database).reports(incident=None, before=visit.asked_number("before", _NEWEST))
    then = rows[-1].id if len(rows) == MOST_ROWS else None
    return visit.page("reports.html", title="Reports", reports=rows, then=then)


ROUTES = (
    page("/findings", findings),
    page("/findings/{number:number}", finding),
    page("/findings/{number:number}/acknowledge", acknowledge_finding, method="POST", need=Need.OPERATOR),
    page("/findings/{number:number}/silence", silence_finding, method="POST", need=Need.OPERATOR),
    page("/incidents", incidents),
    page("/incidents/{number:number}", incident),
    page("/incidents/{number:number}/acknowledge", acknowledge_incident, method="POST", need=Need.OPERATOR),
    page("/reports", reports),
)
"""The routes of this file."""
