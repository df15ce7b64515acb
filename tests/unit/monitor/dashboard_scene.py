"""A dashboard behind HTTP, and a browser without a screen: it keeps cookies, says where it comes from, fills in forms."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import httpx

from pinscher.monitor.accounts import Standing
from pinscher.monitor.monitor import Monitor
from pinscher.monitor.passwords import Cost
from pinscher.monitor.web import application
from pinscher.monitor.web.pages.desk import Desk
from pinscher.pin import Pin
from tests.unit.monitor.scene import AT, Clock, issue, policy_of, root

if TYPE_CHECKING:
    from pinscher.monitor.database import Database
    from pinscher.policy import Policy

URL = "http://127.0.0.1:8080"
CHEAP = Cost(iterations=1, memory=64, lanes=1)
"""A hash for tests: what is tested is who gets in, and not how long it takes."""
PASSWORD = "correct horse battery"
ROOT = root()
PINNED = issue(ROOT)


class Forms(HTMLParser):
    """Collects the forms of a page by their addresses, with what stands in their fields, and the links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self.links: list[str] = []
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form, a field or a link."""
        said = dict(attrs)
        if tag == "form":
            self._open = said.get("action") or ""
            self.forms[self._open] = {}
        elif tag in ("input", "textarea", "select") and said.get("name"):
            self.forms[self._open][str(said["name"])] = said.get("value") or ""
        elif tag == "a" and said.get("href"):
            self.links.append(str(said["href"]))


class Browser:
    """Somebody's browser at an address."""

    def __init__(self, scene: Dashboard, address: str = "127.0.0.1", url: str = URL) -> None:
        transport = httpx.ASGITransport(scene.app, client=(address, 40000))
        self.client = httpx.AsyncClient(transport=transport, base_url=url, follow_redirects=True)
        self.origin = url

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Load a page."""
        return await self.client.get(path, headers=headers)

    async def send(self, page: str, action: str, **fields: str) -> httpx.Response:
        """Load a page, fill in its form and send it."""
        shown = await self.get(page)
        form = Forms(shown.text).forms[action] | fields
        return await self.post(action, form)

    async def post(self, path: str, form: Any, **headers: str) -> httpx.Response:
        """Send a form as a page of this dashboard does, or with other headers."""
        return await self.client.post(path, data=form, headers={"Origin": self.origin} | headers)

    async def log_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        """Log in."""
        return await self.send("/login", "/login", name=name, password=password)


class Dashboard:
    """A monitor with a dashboard, its clock, and a second counter that the test moves."""

    def __init__(self, monitor: Monitor, clock: Clock, seconds: list[float], url: str | None = None) -> None:
        self.monitor, self.clock, self.seconds = monitor, clock, seconds
        self.desk = Desk.of(monitor, url=url, cost=CHEAP, clock=lambda: seconds[0])
        self.app = application(monitor, desk=self.desk)

    @classmethod
    async def of(cls, database: Database, *, policy: Policy | None = None, url: str | None = None) -> Dashboard:
        """Open a dashboard on a database."""
        clock, seconds = Clock(), [0.0]
        policy = policy or policy_of(Pin.of(PINNED.der))
        monitor = await Monitor.open(database, policy, _never, now=clock, clock=lambda: seconds[0])
        await monitor.begin()
        return cls(monitor, clock, seconds, url)

    async def link(self, name: str = "", role: Standing = Standing.OPERATOR) -> str:
        """Return the path of a one-time link."""
        return f"/welcome/{await self.desk.accounts.invite(name, role, by='pinscher serve', at=self.clock())}"

    async def account(self, name: str, role: Standing = Standing.OPERATOR) -> None:
        """Make an account."""
        path = await self.link(name, role)
        answer = await Browser(self).send(path, path, password=PASSWORD, again=PASSWORD)
        assert 200 == answer.status_code, answer.text

    async def logged_in(self, name: str, role: Standing = Standing.OPERATOR) -> Browser:
        """Return the browser of somebody new who is logged in."""
        await self.account(name, role)
        browser = Browser(self)
        await browser.log_in(name)
        return browser

    async def deeds(self) -> list[tuple[str, str, str]]:
        """Return who did what about what, the oldest first."""
        rows = await self.desk.audit.newest(before=2**62, most=100)
        return [(row["who"], row["what"], row["about"]) for row in reversed(rows)]


def _never(_: object) -> Any:
    raise AssertionError("nothing is looked at")


def said(page: str) -> str:
    """Return the text of a page, without its tags and with single spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


__all__ = ["AT", "PASSWORD", "PINNED", "ROOT", "URL", "Browser", "Dashboard", "Forms", "Standing", "said"]
