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


ROUTES = (Route("/healthz", healthz), Route("/metrics", figures))
"""The routes of this file."""
