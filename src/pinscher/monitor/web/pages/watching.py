"""The endpoints, each with its history, and everything over time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.monitor.board import MOST_ROWS, NOT_YET, Board, Sought
from pinscher.monitor.errors import UnknownRecordError
from pinscher.monitor.web.pages.calendar import certificate_terms, in_order, policy_terms
from pinscher.monitor.web.pages.chain_drawing import compared
from pinscher.monitor.web.pages.timeline_drawing import Span, certificate_spells, drawn, key_spells
from pinscher.monitor.web.pages.visit import page
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from starlette.responses import Response

    from pinscher.monitor.web.pages.visit import Visit

OUTCOMES = (*(outcome.value for outcome in Outcome), "no-answer", NOT_YET)
"""What an endpoint may have shown last."""
SPANS = (30, 90, 365)
"""Days before and after today that a timeline may show."""
_MOST_DRAWN = 12
"""Endpoints of one timeline."""


async def endpoints(visit: Visit) -> Response:
    """List what is watched."""
    outcome, host = visit.asked("outcome"), visit.asked("host")
    board = Board(visit.monitor.database)
    rows = await board.endpoints(outcome=outcome, host=host, after=visit.asked_number("after", 0))
    return visit.page(
        "endpoints.html", title="Endpoints", rows=rows, outcome=outcome, host=host, outcomes=OUTCOMES,
        then=rows[-1][0] if len(rows) == MOST_ROWS else None,
    )  # fmt: skip


async def endpoint(visit: Visit) -> Response:
    """Show one endpoint: what it showed last, its findings, and its history."""
    board = Board(visit.monitor.database)
    found = await board.histories(after=0, most=1, only=visit.number)
    if not found:
        raise UnknownRecordError(f"no endpoint {visit.number}")
    history = found[0][1]
    latest = history.latest
    chain = () if latest is None else latest.validated or latest.presented
    return visit.page(
        "endpoint.html", title=str(history.endpoint), number=visit.number, latest=latest,
        comparison=compared(history.endpoint.host, chain, visit.monitor.policy),
        findings=await board.findings(Sought(subject=str(history.endpoint)), 20),
        sightings=tuple(reversed(history.sightings)), keys=key_spells(history),
    )  # fmt: skip


async def timeline(visit: Visit) -> Response:
    """Show keys, certificates, policies and what is due, over time."""
    days = visit.asked_number("days", 90)
    days = days if days in SPANS else 90
    at, only, board = visit.now, visit.asked_number("endpoint", 0) or None, Board(visit.monitor.database)
    found = await board.histories(after=visit.asked_number("after", 0), most=_MOST_DRAWN, only=only)
    histories, policies = [history for _, history in found], await board.policies()
    terms = in_order([*policy_terms(visit.monitor.policy), *certificate_terms(histories)])
    span = Span(at - timedelta(days=days), at + timedelta(days=days))
    return visit.page(
        "timeline.html", title="Timeline", days=days, spans=SPANS, only=only, policies=policies, terms=terms,
        then=found[-1][0] if len(found) == _MOST_DRAWN and only is None else None,
        drawing=drawn(span, at, histories, terms, policies),
        spells=[spell for history in histories for spell in (*key_spells(history), *certificate_spells(history))],
    )  # fmt: skip


ROUTES = (
    page("/endpoints", endpoints),
    page("/endpoints/{number:number}", endpoint),
    page("/timeline", timeline),
)
"""The routes of this file."""
