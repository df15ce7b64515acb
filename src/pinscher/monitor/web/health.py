"""``/healthz`` for everybody, and ``/metrics`` for this machine and for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import select
from starlette.responses import Response
from starlette.routing import Route

from pinscher.monitor.measures import metrics
from pinscher.monitor.tables import settings
from pinscher.monitor.web.guards import answer, is_local, monitor_of, require_operator
from pinscher.monitor.web.operations import Caller, Operation
from pinscher.monitor.web.shapes import HealthShown

if TYPE_CHECKING:
    from starlette.requests import Request


async def healthz(request: Request) -> Response:
    """Say whether the database answers, and nothing else."""
    async with monitor_of(request).database.reading() as connection:
        await connection.execute(select(settings.c.value).limit(1))
    return answer({"status": "ok"})


async def figures(request: Request) -> Response:
    """Return the figures for Prometheus."""
    if not is_local(request):
        require_operator(request)
    return Response(await metrics(monitor_of(request)), media_type=CONTENT_TYPE_LATEST)


_PROMETHEUS = CONTENT_TYPE_LATEST.partition(";")[0]

OPERATIONS = (
    Operation(
        path="/healthz", name="health", said="Whether the database answers.", answer=HealthShown,
        caller=Caller.EVERYBODY,
    ),
    Operation(
        path="/metrics", name="figures", said="Figures for Prometheus.", answer=str, media_type=_PROMETHEUS,
        caller=Caller.THIS_MACHINE,
    ),
)  # fmt: skip
"""What this file does, as the document of the interface says it; on this machine the figures need no token."""
ROUTES = (Route("/healthz", healthz), Route("/metrics", figures))
"""The routes of this file."""
