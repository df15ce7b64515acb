"""The way in and out: the login, the one-time link, and the end of a session."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pinscher.monitor.errors import MonitorError, StrangerError
from pinscher.monitor.web.pages.visit import SESSION, VISITOR, Need, page

if TYPE_CHECKING:
    from starlette.responses import Response

    from pinscher.monitor.accounts import Account
    from pinscher.monitor.web.pages.visit import Visit

_A_PAGE = re.compile(r"/[a-z0-9]*(/[0-9]+)?")
"""What a login may lead to: a page of this site, and nothing that a browser could read as another one."""


async def show_login(visit: Visit) -> Response:
    """Ask for a name and a password."""
    return _login(visit, "")


def _login(visit: Visit, refused: str, status: int = 200) -> Response:
    then = visit.form.get("next") or visit.asked("next")
    return visit.page("login.html", title="Log in", refused=refused, next=_then(then), status=status)


def _then(path: str) -> str:
    return path if _A_PAGE.fullmatch(path) else "/"


async def log_in(visit: Visit) -> Response:
    """Begin a session for whoever knows a password."""
    name, password = visit.form.get("name", ""), visit.form.get("password", "")
    account = await visit.desk.accounts.log_in(name, password, address=visit.address, at=visit.now)
    if account is None:
        return _login(visit, "the name or the password is not right", StrangerError.status)
    return await _begun(visit, account, _then(visit.form.get("next", "")))


async def _begun(visit: Visit, account: Account, path: str) -> Response:
    site, sessions = visit.desk.site, visit.desk.sessions
    await sessions.end(site.cookie(visit.request, SESSION))
    response = visit.go(path)
    site.set_cookie(visit.request, response, SESSION, await sessions.begin(account, at=visit.now))
    site.set_cookie(visit.request, response, VISITOR, "")
    return response


async def log_out(visit: Visit) -> Response:
    """End the session."""
    site = visit.desk.site
    await visit.desk.sessions.end(site.cookie(visit.request, SESSION))
    await visit.note("logged out", "")
    response = visit.go("/login")
    site.set_cookie(visit.request, response, SESSION, "")
    return response


async def show_welcome(visit: Visit) -> Response:
    """Ask who follows a one-time link for a password; looking at the page does not use the link up."""
    secret = visit.request.path_params["secret"]
    invitation = await visit.desk.accounts.invitation(secret, address=visit.address, at=visit.now)
    return visit.page("welcome.html", title="Welcome", invitation=invitation, refused="", name="")


async def accept(visit: Visit) -> Response:
    """Make the account of a one-time link, and begin its first session."""
    accounts, form, secret = visit.desk.accounts, visit.form, visit.request.path_params["secret"]
    invitation = await accounts.invitation(secret, address=visit.address, at=visit.now)
    name = form.get("name", "")
    try:
        _check_same(form)
        account = await accounts.accept(
            invitation, name=name, password=form.get("password", ""), address=visit.address, at=visit.now
        )
    except MonitorError as error:
        return visit.page(
            "welcome.html", status=error.status, title="Welcome", invitation=invitation, refused=str(error), name=name
        )
    return await _begun(visit, account, "/")


def _check_same(form: dict[str, str]) -> None:
    if form.get("password", "") != form.get("again", ""):
        raise MonitorError("the two passwords differ")


ROUTES = (
    page("/login", show_login, need=Need.NOBODY),
    page("/login", log_in, method="POST", need=Need.NOBODY),
    page("/logout", log_out, method="POST"),
    page("/welcome/{secret}", show_welcome, need=Need.NOBODY),
    page("/welcome/{secret}", accept, method="POST", need=Need.NOBODY),
)
"""The routes of this file."""
