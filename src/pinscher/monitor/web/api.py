"""The interface for operators and programs: endpoints, findings, incidents, clients; nothing of it for strangers."""

from __future__ import annotations

import re
from datetime import datetime  # noqa: TC003  (msgspec reads it)
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct
from starlette.routing import Route

from pinscher.errors import escaped
from pinscher.host import canonical_host
from pinscher.monitor.audit import Audit, Deed
from pinscher.monitor.clients import WINDOW, blast_radius
from pinscher.monitor.errors import MonitorError
from pinscher.monitor.tokens import Role
from pinscher.monitor.views import MOST_SHOWN, Views
from pinscher.monitor.web import shapes
from pinscher.monitor.web.guards import answer, body_of, monitor_of, require_operator
from pinscher.monitor.web.operations import Operation
from pinscher.monitor.wire import LARGEST_REPORT, certificate_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from pinscher.monitor.monitor import Monitor

    Handler = Callable[[Request, Monitor], Awaitable[Any]]

Body = TypeVar("Body")


class Reason(Struct, forbid_unknown_fields=True):
    """Why somebody acknowledges something."""

    reason: Annotated[str, Meta(max_length=500, pattern=r"\S")]


class Silence(Struct, forbid_unknown_fields=True):
    """Why, and until when, a finding is silenced."""

    reason: Annotated[str, Meta(max_length=500, pattern=r"\S")]
    until: Annotated[datetime, Meta(tz=True)]


class Application(Struct, forbid_unknown_fields=True):
    """An application that shall report."""

    name: Annotated[str, Meta(max_length=128)]


class Certificate(Struct, forbid_unknown_fields=True):
    """A chain that may go live, leaf first, each certificate as PEM, and the host it is for."""

    host: Annotated[str, Meta(max_length=256)]
    chain: Annotated[list[str], Meta(min_length=1, max_length=12)]


async def _endpoints(request: Request, monitor: Monitor) -> Any:
    after, most = _page(request)
    return _paged("endpoints", await Views(monitor.database).endpoints(after=after, most=most), most)


async def _endpoint(request: Request, monitor: Monitor) -> Any:
    return await Views(monitor.database).endpoint(_number(request))


async def _findings(request: Request, monitor: Monitor) -> Any:
    after, most = _page(request)
    state = request.query_params.get("state", "open")
    if state not in ("open", "all"):
        raise MonitorError("expected 'open' or 'all' for 'state'")
    rows = await Views(monitor.database).findings(after=after, most=most, with_closed=state == "all")
    return _paged("findings", rows, most)


async def _finding(request: Request, monitor: Monitor) -> Any:
    return await Views(monitor.database).finding(_number(request))


async def _acknowledge(request: Request, monitor: Monitor) -> Any:
    said = await _read(request, Reason)
    await monitor.ledger.acknowledge(_number(request), reason=said.reason, at=monitor.now())
    return await Views(monitor.database).finding(_number(request))


async def _silence(request: Request, monitor: Monitor) -> Any:
    said = await _read(request, Silence)
    await monitor.ledger.silence(_number(request), reason=said.reason, until=said.until, at=monitor.now())
    return await Views(monitor.database).finding(_number(request))


async def _incidents(request: Request, monitor: Monitor) -> Any:
    after, most = _page(request)
    return _paged("incidents", await Views(monitor.database).incidents(after=after, most=most), most)


async def _incident(request: Request, monitor: Monitor) -> Any:
    return await Views(monitor.database).incident(_number(request))


async def _acknowledge_incident(request: Request, monitor: Monitor) -> Any:
    said = await _read(request, Reason)
    await monitor.triage.acknowledge(_number(request), reason=said.reason)
    return await Views(monitor.database).incident(_number(request))


async def _clients(_: Request, monitor: Monitor) -> Any:
    return {"clients": await Views(monitor.database).clients(monitor.now(), WINDOW)}


async def _applications(_: Request, monitor: Monitor) -> Any:
    return {"applications": monitor.tokens.applications}


async def _make_application(request: Request, monitor: Monitor) -> Any:
    name = (await _read(request, Application)).name
    return {"name": name, "token": await monitor.tokens.make(Role.APPLICATION, name, at=monitor.now())}


async def _blast_radius(request: Request, monitor: Monitor) -> Any:
    asked = await _read(request, Certificate)
    host, chain = canonical_host(asked.host), [certificate_of(pem) for pem in asked.chain]
    clients = await monitor.clients.recent(monitor.now())
    radius = blast_radius(clients, host, chain, await monitor.clients.known_policies())
    return {
        "clients": radius.clients, "refusing": radius.refusing, "unknown": radius.unknown, "share": radius.share,
        "versions": radius.versions,
    }  # fmt: skip


async def _read(request: Request, body: type[Body]) -> Body:
    try:
        return msgspec.json.decode(await body_of(request, LARGEST_REPORT * 4), type=body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise MonitorError(escaped(str(error))) from None


def _number(request: Request) -> int:
    return int(request.path_params["number"])


def _page(request: Request) -> tuple[int, int]:
    """Return after which number a page begins, and how many rows it has."""
    after, most = (request.query_params.get(name, default) for name, default in (("after", "0"), ("limit", "100")))
    if not _NUMBER.fullmatch(after) or not _NUMBER.fullmatch(most):
        raise MonitorError("expected a number for 'after' and 'limit'")
    # So many digits and no more are read, and a number beyond the largest is taken for it.
    return min(max(int(after[:20]), 0), _LARGEST_NUMBER), min(max(int(most[:20]), 1), MOST_SHOWN)


_NUMBER = re.compile(r"-?[0-9]+")


_LARGEST_NUMBER = 2**63 - 1


def _paged(name: str, rows: list[dict[str, Any]], most: int) -> dict[str, Any]:
    return {name: rows, "next": rows[-1]["id"] if len(rows) == most else None}


def _route(operation: Operation, handler: Handler) -> Route:
    async def guarded(request: Request) -> Response:
        holder, monitor = require_operator(request), monitor_of(request)
        try:
            shown = await handler(request, monitor)
        except ValueError as error:
            # A host or a certificate that is none, found by the ground floor.
            raise MonitorError(str(error)) from None
        if operation.name in _CHANGES:
            address = request.client.host if request.client else ""
            deed = Deed(who=f"token of {holder}", what=operation.name, address=address, about=request.scope["path"])
            await Audit(monitor.database).note(deed, at=monitor.now())
        return answer(shown, operation.status)

    return Route(operation.path, guarded, methods=[operation.method])


_CHANGES = frozenset({"acknowledgeFinding", "silenceFinding", "acknowledgeIncident", "makeApplication"})
"""What is written into the audit log; the rest changes nothing."""
_PAGE: dict[str, dict[str, Any]] = {"after": {"type": "integer"}, "limit": {"type": "integer"}}
_STATE: dict[str, dict[str, Any]] = {"state": {"type": "string", "enum": ["open", "all"]}}

_TABLE: tuple[tuple[Operation, Handler], ...] = (
    (
        Operation(
            path="/api/endpoints", name="listEndpoints", said="What is watched.",
            answer=shapes.EndpointsShown, query=_PAGE,
        ),
        _endpoints,
    ),
    (
        Operation(
            path="/api/endpoints/{number:number}", name="showEndpoint", said="One endpoint with its history.",
            answer=shapes.EndpointHistoryShown,
        ),
        _endpoint,
    ),
    (
        Operation(
            path="/api/findings", name="listFindings", said="What somebody should know.",
            answer=shapes.FindingsShown, query=_PAGE | _STATE,
        ),
        _findings,
    ),
    (
        Operation(
            path="/api/findings/{number:number}", name="showFinding", said="One finding with what became of it.",
            answer=shapes.FindingHistoryShown,
        ),
        _finding,
    ),
    (
        Operation(
            path="/api/findings/{number:number}/acknowledge", name="acknowledgeFinding",
            said="Somebody looks after it.", method="POST", body=Reason, answer=shapes.FindingHistoryShown,
        ),
        _acknowledge,
    ),
    (
        Operation(
            path="/api/findings/{number:number}/silence", name="silenceFinding", said="It is quiet until a time.",
            method="POST", body=Silence, answer=shapes.FindingHistoryShown,
        ),
        _silence,
    ),
    (
        Operation(
            path="/api/incidents", name="listIncidents", said="What clients refused.",
            answer=shapes.IncidentsShown, query=_PAGE,
        ),
        _incidents,
    ),
    (
        Operation(
            path="/api/incidents/{number:number}", name="showIncident", said="One incident with its chain.",
            answer=shapes.IncidentChainShown,
        ),
        _incident,
    ),
    (
        Operation(
            path="/api/incidents/{number:number}/acknowledge", name="acknowledgeIncident",
            said="Somebody looks after it.", method="POST", body=Reason, answer=shapes.IncidentChainShown,
        ),
        _acknowledge_incident,
    ),
    (
        Operation(
            path="/api/clients", name="listClients", said="The installs of the last day.", answer=shapes.ClientsShown
        ),
        _clients,
    ),
    (
        Operation(
            path="/api/applications", name="listApplications", said="The applications that may report.",
            answer=shapes.ApplicationsShown,
        ),
        _applications,
    ),
    (
        Operation(
            path="/api/applications", name="makeApplication", said="Make an application's token, anew if it has one.",
            method="POST", body=Application, answer=shapes.ApplicationTokenShown,
        ),
        _make_application,
    ),
    (
        Operation(
            path="/api/blast-radius", name="weighCertificate", said="Who would refuse a certificate.",
            method="POST", body=Certificate, answer=shapes.BlastRadiusShown,
        ),
        _blast_radius,
    ),
)  # fmt: skip

OPERATIONS = tuple(operation for operation, _ in _TABLE)
"""What this file does, as the document of the interface says it."""
ROUTES = tuple(_route(operation, handler) for operation, handler in _TABLE)
"""The routes of this file."""
