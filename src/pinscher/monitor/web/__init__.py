"""The monitor over HTTP: each file of this folder is a list of routes, and :func:`application` puts them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette

from pinscher.monitor.web import api, collecting, health, openapi, pages
from pinscher.monitor.web.guards import HANDLERS, HeadersMiddleware
from pinscher.monitor.web.pages.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import BaseRoute

    from pinscher.monitor.monitor import Monitor


def application(monitor: Monitor, more: Sequence[BaseRoute] = (), *, desk: Desk | None = None) -> Starlette:
    """
    Return the ASGI application of a monitor.

    *more* are the routes of other rooms, after those of this one; *desk* is the dashboard, where it is not a plain one.
    """
    role = monitor.settings.role
    routes: list[BaseRoute] = [*health.ROUTES, *(collecting.ROUTES if role.is_collecting else ())]
    if role.is_showing:
        routes += [*api.ROUTES, *openapi.ROUTES, *pages.ROUTES, *more]
    app = Starlette(routes=routes, exception_handlers=dict(HANDLERS))
    app.state.monitor = monitor
    app.state.desk = desk or Desk.of(monitor)
    app.add_middleware(HeadersMiddleware)
    return app
