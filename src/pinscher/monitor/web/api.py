"""The interface for operators and programs: endpoints, findings, incidents, clients; nothing of it for strangers."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  (msgspec reads it)
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct
from starlette.routing import Route

from pinscher.errors import escaped
from pinscher.host import canonical_host
from pinscher.monitor.clients import WINDOW, blast_radius
from pinscher.monitor.errors import MonitorError
from pinscher.monitor.tokens import Role
from pinscher.monitor.views import MOST_SHOWN, Views
from pinscher.monitor.web.guards import answer, body_of, monitor_of, require_operator
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

    reason: Annotated[str, Meta(max_length=500)]


class Silence(Struct, forbid_unknown_fields=True):
    """Why, and until when, a finding is silenced."""

    reason: Annotated[str, Meta(max_length=500)]
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
    with_closed = request.query_params.get("state") == "all"
    rows = await Views(monitor.database).findings(after=after, most=most, with_closed=with_closed)
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
    return min(int(request.path_params["number"]), _LARGEST_NUMBER)


def _page(request: Request) -> tuple[int, int]:
    """Return after which number a page begins, and how many rows it has."""
    try:
        after = int(request.query_params.get("after", "0")[:20])
        most = int(request.query_params.get("limit", "100")[:20])
    except ValueError:
        raise MonitorError("expected a number for 'after' and 'limit'") from None
    return min(max(after, 0), _LARGEST_NUMBER), min(max(most, 1), MOST_SHOWN)


_LARGEST_NUMBER = 2**63 - 1


def _paged(name: str, rows: list[dict[str, Any]], most: int) -> dict[str, Any]:
    return {name: rows, "next": rows[-1]["id"] if len(rows) == most else None}


def _route(path: str, handler: Handler, method: str = "GET") -> Route:
    async def guarded(request: Request) -> Response:
        require_operator(request)
        try:
            return answer(await handler(request, monitor_of(request)), 200 if method == "GET" else 201)
        except ValueError as error:
            # A host or a certificate that is none, found by the ground floor.
            raise MonitorError(str(error)) from None

    return Route(path, guarded, methods=[method])


ROUTES = (
    _route("/api/endpoints", _endpoints),
    _route("/api/endpoints/{number:int}", _endpoint),
    _route("/api/findings", _findings),
    _route("/api/findings/{number:int}", _finding),
    _route("/api/findings/{number:int}/acknowledge", _acknowledge, "POST"),
    _route("/api/findings/{number:int}/silence", _silence, "POST"),
    _route("/api/incidents", _incidents),
    _route("/api/incidents/{number:int}", _incident),
    _route("/api/incidents/{number:int}/acknowledge", _acknowledge_incident, "POST"),
    _route("/api/clients", _clients),
    _route("/api/applications", _applications),
    _route("/api/applications", _make_application, "POST"),
    _route("/api/blast-radius", _blast_radius, "POST"),
)
"""The routes of this file."""
