"""
Where clients send reports and heartbeats.

The token stands in the Authorization header, or at the end of the path for a library that knows no headers: the tokens
of applications are no secrets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from pinscher.monitor.tokens import Role
from pinscher.monitor.web.guards import answer, bearer, body_of, holder_of, monitor_of
from pinscher.monitor.web.operations import Caller, Operation
from pinscher.monitor.web.shapes import StoredShown
from pinscher.monitor.wire import LARGEST_REPORT, HeartbeatBody, ReportBody

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def reports(request: Request) -> Response:
    """Take a report; 201 says that it is on the disk."""
    application, body = await _taken(request)
    monitor = monitor_of(request)
    key = await monitor.collector.take_report(body, application=application, at=monitor.now(), key=_key(request))
    return answer({"stored": key}, 201)


async def heartbeats(request: Request) -> Response:
    """Take a heartbeat; 201 says that it is on the disk."""
    application, body = await _taken(request)
    monitor = monitor_of(request)
    key = await monitor.collector.take_heartbeat(body, application=application, at=monitor.now(), key=_key(request))
    return answer({"stored": key}, 201)


def _key(request: Request) -> str:
    return str(request.headers.get("idempotency-key", ""))


async def _taken(request: Request) -> tuple[str, bytes]:
    """Return who sends, and the body; a stranger's body is not read."""
    application = holder_of(request, request.path_params.get("token") or bearer(request), Role.APPLICATION)
    monitor_of(request).applications.take(application)
    return application, await body_of(request, LARGEST_REPORT)


_TABLE = (
    (
        Operation(
            path="/v1/reports", name="report", said="Store a report.", method="POST", body=ReportBody,
            answer=StoredShown, caller=Caller.APPLICATION,
        ),
        reports,
    ),
    (
        Operation(
            path="/v1/reports/{token}", name="reportByPath", said="Store a report, the token being in the path.",
            method="POST", body=ReportBody, answer=StoredShown, caller=Caller.APPLICATION_IN_PATH,
        ),
        reports,
    ),
    (
        Operation(
            path="/v1/heartbeats", name="beat", said="Store a heartbeat.", method="POST", body=HeartbeatBody,
            answer=StoredShown, caller=Caller.APPLICATION,
        ),
        heartbeats,
    ),
    (
        Operation(
            path="/v1/heartbeats/{token}", name="beatByPath", said="Store a heartbeat, the token being in the path.",
            method="POST", body=HeartbeatBody, answer=StoredShown, caller=Caller.APPLICATION_IN_PATH,
        ),
        heartbeats,
    ),
)  # fmt: skip

OPERATIONS = tuple(operation for operation, _ in _TABLE)
"""What this file does, as the document of the interface says it."""
ROUTES = tuple(Route(operation.path, handler, methods=["POST"]) for operation, handler in _TABLE)
"""The routes of this file."""
