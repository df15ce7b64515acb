"""
What stands between a request and a page: who asks, whether they may, and what a browser may do with the answer.

Rules of this file:

1. Without a session there is the login and what a one-time link leads to, and nothing else.
2. A change needs the role for it, the origin of the dashboard, and the token of a form that was made for the very
   session.
3. A page runs one script and one stylesheet of its own address, talks to nobody else, and cannot be framed.
"""

from __future__ import annotations

import enum
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, quote

from starlette.responses import HTMLResponse, RedirectResponse
from starlette.routing import Route

from pinscher.monitor.accounts import Standing
from pinscher.monitor.audit import Deed
from pinscher.monitor.errors import MonitorError, TooManyError
from pinscher.monitor.sessions import form_token, is_form_token
from pinscher.monitor.web.guards import body_of
from pinscher.monitor.web.pages.shown import templates
from pinscher.monitor.web.pages.site import ForgedRequestError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from pinscher.monitor.monitor import Monitor
    from pinscher.monitor.sessions import Session
    from pinscher.monitor.web.pages.desk import Desk

    Handler = Callable[["Visit"], Awaitable[Response]]

LARGEST_FORM = 16 * 1024
"""Octets of a form."""
SESSION, VISITOR = "session", "visitor"
"""The cookie of somebody who is logged in, and of somebody who is about to be."""


class NotAllowedError(MonitorError):
    """Something that the role of an account does not include."""

    status: ClassVar[int] = 403


class Need(enum.Enum):
    """Who may see a page, or send its form."""

    NOBODY = "no account"
    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(slots=True)
class Visit:
    """One request to a page, and who makes it."""

    request: Request
    desk: Desk
    session: Session | None
    form: dict[str, str] = field(default_factory=dict)
    visitor: str = ""

    @property
    def monitor(self) -> Monitor:
        """The monitor whose dashboard this is."""
        return self.desk.monitor

    @property
    def now(self) -> datetime:
        """The moment of the visit."""
        return self.monitor.now()

    @property
    def who(self) -> str:
        """The name of whoever is logged in."""
        return "" if self.session is None else self.session.account.name

    @property
    def address(self) -> str:
        """Where the request comes from."""
        return self.request.client.host if self.request.client else ""

    @property
    def is_operator(self) -> bool:
        """Whether whoever is logged in may change something."""
        return self.session is not None and self.session.account.role is Standing.OPERATOR

    @property
    def number(self) -> int:
        """The number in the path."""
        return min(int(self.request.path_params["number"]), 2**63 - 1)

    def asked(self, name: str) -> str:
        """Return a parameter of the address, bounded, or nothing."""
        return str(self.request.query_params.get(name, ""))[:320]

    def asked_number(self, name: str, otherwise: int) -> int:
        """Return a whole number of the address, or what is to be taken where there is none."""
        text = self.asked(name)
        return min(int(text), 2**63 - 1) if text.isascii() and text.isdecimal() and len(text) < 20 else otherwise

    async def note(self, what: str, about: str, said: str = "") -> None:
        """Write into the audit log what whoever is logged in did."""
        deed = Deed(who=self.who, what=what, address=self.address, about=about, said=said)
        await self.desk.audit.note(deed, at=self.now)

    def page(self, template: str, *, status: int = 200, **shown: Any) -> Response:
        """Return a page of a template."""
        cookie = self.desk.site.cookie(self.request, SESSION) if self.session else self.visitor
        frame = {
            "visit": self,
            "now": self.now,
            "here": self.request.scope["path"],
            "form_token": form_token(cookie),
            "policy": self.monitor.policy,
            # What answers a form cannot be asked for again.
            "is_live": self.session is not None and self.request.method == "GET" and status == 200,
        }
        text = templates().get_template(template).render(frame | shown)
        response = HTMLResponse(text, status, dict(HEADERS))
        if not self.session:
            self.desk.site.set_cookie(self.request, response, VISITOR, self.visitor)
        if self.desk.site.is_secure(self.request):
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        return response

    def go(self, path: str) -> Response:
        """Lead the browser to another page, by GET."""
        return RedirectResponse(path, 303, dict(HEADERS))


HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Frame-Options": "DENY",
    # A form must be able to say where it comes from; other sites hear nothing.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""What every page says to the browser (rule 3); the monitor's own headers stand beside it."""


def page(path: str, handler: Handler, *, method: str = "GET", need: Need = Need.VIEWER) -> Route:
    """Return the route of a page or of a form that a role is needed for."""

    async def guarded(request: Request) -> Response:
        """Answer a request, or say what is refused."""
        desk: Desk = request.app.state.desk
        visit = Visit(request, desk, None, visitor=desk.site.cookie(request, VISITOR) or secrets.token_urlsafe(32))
        try:
            return await _let_in(visit, handler, method, need)
        except MonitorError as error:
            return _refused(visit, error)

    return Route(path, guarded, methods=[method])


async def _let_in(visit: Visit, handler: Handler, method: str, need: Need) -> Response:
    site, request = visit.desk.site, visit.request
    site.check_name(request)
    cookie = site.cookie(request, SESSION)
    is_used = "x-pinscher-live" not in request.headers
    visit.session = await visit.desk.sessions.of(cookie, at=visit.now, is_used=is_used)
    if visit.session is None and need is not Need.NOBODY:
        return visit.go(f"/login?next={quote(request.scope['path'])}" if method == "GET" else "/login")
    if method != "GET":
        await _check_form(visit, cookie)
    if need is Need.OPERATOR and not visit.is_operator:
        raise NotAllowedError("a viewer looks, and an operator changes: ask one")
    return await handler(visit)


async def _check_form(visit: Visit, cookie: str) -> None:
    """Read a form, and refuse one that was not made for this visit (rule 2)."""
    visit.desk.site.check_origin(visit.request)
    if not visit.request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise ForgedRequestError("expected a form of this dashboard, found something else")
    body = await body_of(visit.request, LARGEST_FORM)
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise MonitorError("expected a form, found something else") from None
    visit.form = {name: values[0] for name, values in fields.items()}
    # Without a session there was a page before the form all the same, and it gave a cookie.
    known = cookie if visit.session else visit.desk.site.cookie(visit.request, VISITOR)
    if not is_form_token(visit.form.get("token", ""), known):
        raise ForgedRequestError("this form was made for another session: load the page again")


def _refused(visit: Visit, error: MonitorError) -> Response:
    response = visit.page("refused.html", status=error.status, error=str(error), title="That did not work")
    if isinstance(error, TooManyError):
        response.headers["Retry-After"] = str(error.seconds)
    refused = visit.monitor.refused
    refused[error.status] = refused.get(error.status, 0) + 1
    return response
