"""The address that open pages listen at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.monitor.web.pages.visit import HEADERS, SESSION, page

if TYPE_CHECKING:
    from starlette.responses import Response

    from pinscher.monitor.web.pages.visit import Visit


async def news(visit: Visit) -> Response:
    """Tell a page when something changed, as long as its reader is logged in."""
    cookie = visit.desk.site.cookie(visit.request, SESSION)

    async def is_welcome() -> bool:
        """Tell whether the session goes on."""
        return await visit.desk.sessions.of(cookie, at=visit.monitor.now(), is_used=False) is not None

    response = visit.desk.live.response(is_welcome)
    response.headers.update(HEADERS)
    return response


ROUTES = (page("/news", news),)
"""The routes of this file."""
