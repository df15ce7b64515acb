"""The clients by what policy they have, the people who may use the dashboard, and the log of what they did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.monitor.accounts import Standing
from pinscher.monitor.board import MOST_ROWS, Board
from pinscher.monitor.errors import MonitorError
from pinscher.monitor.tokens import Role
from pinscher.monitor.web.pages.visit import SESSION, Need, page

if TYPE_CHECKING:
    from starlette.responses import Response

    from pinscher.monitor.web.pages.visit import Visit

_NEWEST = 2**62


async def clients(visit: Visit) -> Response:
    """Show how many clients have which policy, and what the chosen ones said."""
    board, application, version = Board(visit.monitor.database), visit.asked("application"), visit.asked("version")
    before = visit.asked_number("before", _NEWEST)
    beats = (
        await board.installs(visit.now, application=application, version=version, before=before) if application else []
    )
    rows = await board.clients(visit.now)
    return visit.page(
        "clients.html", title="Clients", rows=rows, most=max((row.installs for row in rows), default=1), beats=beats,
        application=application, version=version, then=beats[-1].id if len(beats) == MOST_ROWS else None,
        applications=visit.monitor.tokens.applications,
    )  # fmt: skip


async def make_application(visit: Visit) -> Response:
    """Let an application report, and show its token, once."""
    name = visit.form.get("name", "")
    token = await visit.monitor.tokens.make(Role.APPLICATION, name, at=visit.now)
    await visit.note("application token made", name)
    return visit.page(
        "secret.html", title=f"The token of {name}", secret=token, back="/clients",
        said="The application sends this with every report. It is shown this once; a new one replaces it.",
    )  # fmt: skip


async def accounts(visit: Visit) -> Response:
    """Show one's own account and, to an operator, everybody's."""
    everybody = await visit.desk.accounts.all() if visit.is_operator else []
    roles = [standing.value for standing in Standing]
    return visit.page("accounts.html", title="Accounts", rows=everybody, roles=roles)


async def invite(visit: Visit) -> Response:
    """Show a link, once, with which somebody makes an account or sets a new password."""
    name, role = visit.form.get("name", ""), visit.form.get("role", "")
    if role not in [standing.value for standing in Standing] or not name:
        raise MonitorError(f"expected a name and a role, found '{escaped(name)}' and '{escaped(role)}'")
    by, address = visit.who, visit.address
    secret = await visit.desk.accounts.invite(name, Standing(role), by=by, address=address, at=visit.now)
    return visit.page(
        "secret.html", title=f"A link for {name}", back="/accounts",
        secret=f"{visit.desk.site.origin(visit.request)}/welcome/{secret}",
        said="Whoever opens this chooses the password. It is good once, for an hour, and shown this once.",
    )  # fmt: skip


async def remove(visit: Visit) -> Response:
    """Remove an account."""
    await visit.desk.accounts.remove(visit.number, by=visit.who, address=visit.address, at=visit.now)
    return visit.go("/accounts")


async def change_password(visit: Visit) -> Response:
    """Give oneself another password; every session ends, and this one goes on as a new one."""
    session, form = visit.session, visit.form
    if session is None or form.get("password", "") != form.get("again", ""):
        raise MonitorError("the two passwords differ")
    await visit.desk.accounts.change_password(
        session.account, old=form.get("old", ""), new=form.get("password", ""), address=visit.address, at=visit.now
    )
    response = visit.go("/accounts")
    cookie = await visit.desk.sessions.begin(session.account, at=visit.now)
    visit.desk.site.set_cookie(visit.request, response, SESSION, cookie)
    return response


async def audit(visit: Visit) -> Response:
    """List what was done, the newest first."""
    rows = await visit.desk.audit.newest(before=visit.asked_number("before", _NEWEST), most=MOST_ROWS)
    then = rows[-1]["id"] if len(rows) == MOST_ROWS else None
    return visit.page("audit.html", title="Audit log", rows=rows, then=then)


ROUTES = (
    page("/clients", clients),
    page("/clients/applications", make_application, method="POST", need=Need.OPERATOR),
    page("/accounts", accounts),
    page("/accounts/password", change_password, method="POST"),
    page("/accounts/invite", invite, method="POST", need=Need.OPERATOR),
    page("/accounts/{number:number}/remove", remove, method="POST", need=Need.OPERATOR),
    page("/audit", audit, need=Need.OPERATOR),
)
"""The routes of this file."""
