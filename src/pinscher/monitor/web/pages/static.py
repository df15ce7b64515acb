"""The stylesheet, the script and the sign of the dashboard: the only files that its pages refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from pinscher.monitor.web.guards import answer
from pinscher.monitor.web.pages.shown import asset

if TYPE_CHECKING:
    from starlette.requests import Request

KINDS = {
    "pinscher.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "pinscher.svg": "image/svg+xml",
}
"""Every file there is, and its media type."""


async def static(request: Request) -> Response:
    """Return a file; its address changes when it does, so a browser may keep it."""
    name = request.path_params["name"]
    if name not in KINDS:
        return answer({"error": "not found"}, 404)
    content, url = asset(name)
    kept = "public, max-age=31536000, immutable" if request.scope["path"] == url else "no-store"
    headers = {"Cache-Control": kept, "Cross-Origin-Resource-Policy": "same-origin"}
    return Response(content, 200, headers, KINDS[name])


ROUTES = (Route("/static/{digest}/{name}", static),)
"""The routes of this file."""
