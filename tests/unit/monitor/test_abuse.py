"""What attackers do to a monitor, each under its name: bounded, refused or resumed, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from pinscher.monitor import triage
from pinscher.monitor.alerts import tables
from pinscher.monitor.alerts.alerting import Alerts
from pinscher.monitor.alerts.outbox import Outbox
from pinscher.monitor.alerts.plan import Plan
from pinscher.monitor.database import Database
from pinscher.monitor.limits import Rate
from pinscher.monitor.monitor import Monitor, Settings
from pinscher.monitor.tables import endpoints, incidents, reports
from pinscher.monitor.tokens import Role
from pinscher.monitor.web import application, server
from pinscher.monitor.web.server import PatientProtocol, listening, serve, server_of
from pinscher.monitor.wire import LARGEST_REPORT
from pinscher.pin import Pin
from tests.certificates import NOBODY_KNOWS, attribute, certificate, key_info
from tests.unit.monitor.scene import AT, HOST, Clock, issue, policy_of, root

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio
PINNED = issue(root())
EVIL = "<img src=x onerror=alert(1)>&'\"[a](https://evil.example)@everyone\x1b]0;x\x07\u202e"


class Impatient(PatientProtocol):
    """Waits for the head of a request for a moment only."""

    head_seconds = 0.3


class Site:
    """A monitor on its real server, and raw connections to it."""

    def __init__(self, monitor: Monitor, address: tuple[str, int]) -> None:
        self.monitor, self.address = monitor, address
        self.tokens: dict[str, str] = {}

    async def make(self, role: Role, name: str) -> None:
        """Make a token; it replaces the one before."""
        self.tokens[name] = await self.monitor.tokens.make(role, name, at=AT)

    async def say(self, octets: bytes) -> bytes:
        """Send octets over a connection of their own, and return the status line of the first answer."""
        reader, writer = await asyncio.open_connection(*self.address)
        async with asyncio.timeout(30):
            writer.write(octets)
            line = await reader.readline()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        return line.split(b" ")[1] if line else b""

    async def post(self, body: Any, *, token: str, path: str = "/v1/reports", **headers: str) -> int:
        """Send a body, and return the status."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"Host": "x", "Authorization": f"Bearer {token}", "Content-Length": len(content), **headers}
        lines = [f"POST {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in told.items())]
        return int(await self.say("\r\n".join(lines).encode() + b"\r\n\r\n" + content))

    async def count(self, table: Any) -> int:
        """Return how many rows a table has."""
        async with self.monitor.database.reading() as connection:
            return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


def _never(_: object) -> Any:
    raise AssertionError("nothing is looked at")


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Run a monitor that takes eight connections at once, with an operator and two applications."""
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 8)
    database = await Database.in_folder(tmp_path)
    settings = Settings(application_rate=Rate(a_second=0.001, burst=50))
    monitor = await Monitor.open(database, policy_of(Pin.of(PINNED.der)), _never, settings=settings, now=Clock())
    with listening("127.0.0.1", 0) as listener:
        running = server_of(application(monitor), Impatient)
        serving = asyncio.create_task(serve(running, listener, monitor.intake.run()))
        made = Site(monitor, listener.getsockname())
        for role, name in ((Role.OPERATOR, "operator"), (Role.APPLICATION, "bank-app"), (Role.APPLICATION, "shop")):
            await made.make(role, name)
        yield made
        running.should_exit = True
        async with asyncio.timeout(30):
            await serving
    await database.close()


async def test_report_flood(site: Site) -> None:
    """Every report that got 201 is stored, every other got 429 or 503, and another application is heard all the same."""
    token = site.tokens["bank-app"]
    statuses = await asyncio.gather(*(site.post({"hostname": HOST, "id": str(n)}, token=token) for n in range(120)))
    assert {201, 429, 503} >= set(statuses)
    assert 50 >= statuses.count(201) == await site.count(reports)
    while (status := await site.post({"hostname": HOST}, token=site.tokens["shop"])) == 503:
        continue
    assert 201 == status


async def test_flood_of_forged_hosts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts that a client made up make no flood of incidents: beyond a bound they are one more."""
    monkeypatch.setattr(triage, "MOST_OF_APPLICATION", 10)
    for number in range(25):
        body = json.dumps({"hostname": f"h{number}.example"}).encode()
        writing = asyncio.create_task(site.monitor.collector.take_report(body, application="bank-app", at=AT))
        await writing
    await site.monitor.group()
    await site.monitor.group()
    async with site.monitor.database.reading() as connection:
        rows = (await connection.execute(select(incidents).order_by(incidents.c.id))).all()
    assert (11, "many", "many", 15) == (len(rows), rows[-1].host, rows[-1].key, rows[-1].reports)


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b'{"hostname": "a.example"}'), b'{"hostname": "a.example"' + b" " * 1000, b"[" * 100_000, b'{"hostname": {"a": 1}}', b"\x00" * 100,
        b'{"hostname": "a.example", "version": 1e999}', b'{"hostname": "a.example", "times": -1}', b'{"hostname": "a.example", "port": 65536}',
        json.dumps({"hostname": "a.example", "served-certificate-chain": ["x"] * 17}).encode(), b'{"hostname": "\\ud800"}', b'{"hostname": "a..example"}',
        json.dumps({"hostname": "a.example", "served-certificate-chain": [base64.b64encode(b"\x30\x84\xff\xff\xff\xff").decode()]}).encode(),
    ],
)  # fmt: skip
async def test_forged_body(site: Site, body: bytes) -> None:
    """It is a 400, nothing is unpacked, and nothing is stored."""
    more = {"Content_Encoding": "gzip"} if body.startswith(b"\x1f") else {}
    assert 400 == await site.post(body, token=site.tokens["bank-app"], **more)
    assert 0 == await site.count(reports)


async def test_oversized_body_and_head(site: Site) -> None:
    """Refused before they are read, whichever way their size is told."""
    token = site.tokens["bank-app"].encode()
    head = b"POST /v1/reports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + b"\r\n"
    assert b"413" == await site.say(head + b"Content-Length: %d\r\n\r\n" % (LARGEST_REPORT + 1))
    chunk = b"%x\r\n" % (LARGEST_REPORT + 1) + b" " * (LARGEST_REPORT + 1) + b"\r\n"
    assert b"413" == await site.say(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
    assert b"400" == await site.say(head + b"Content-Length: 99999999999999999999999999\r\n\r\n")
    assert b"400" == await site.say(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000)
    assert 0 == await site.count(reports)


async def test_request_smuggling(site: Site) -> None:
    """A request with two lengths is one that nobody takes."""
    head = b"POST /v1/reports HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    assert b"400" == await site.say(head + b"Content-Length: 6\r\n\r\nhello!")
    assert b"400" == await site.say(head + b" folded: x\r\nTransfer-Encoding: identity\r\n\r\nhello")


async def test_replayed_tokens(site: Site) -> None:
    """A token that was replaced, one of the other role, one in a query and one that was cut are those of strangers."""
    former = dict(site.tokens)
    for role, name in ((Role.OPERATOR, "operator"), (Role.APPLICATION, "bank-app")):
        await site.make(role, name)
    body = {"hostname": HOST}
    assert [401, 401, 201] == [
        await site.post(body, token=former["bank-app"]),
        await site.post(body, token=site.tokens["operator"]),
        await site.post(body, token=site.tokens["bank-app"]),
    ]
    for token in (former["operator"], site.tokens["bank-app"], site.tokens["operator"][:-1], ""):
        assert 401 == await site.post({"name": "x"}, token=token, path="/api/applications")
    query = f"/api/applications?token={site.tokens['operator']}"
    assert 401 == await site.post({"name": "x"}, token="", path=query)


async def test_replayed_report(site: Site) -> None:
    """The same key again changes nothing of what is stored, and the key of one application is not that of another."""
    for application_name, host in (
        ("bank-app", "first.example"),
        ("bank-app", "second.example"),
        ("shop", "third.example"),
    ):
        body = {"hostname": host, "id": "the-same"}
        assert 201 == await site.post(body, token=site.tokens[application_name])
    async with site.monitor.database.reading() as connection:
        hosts = (await connection.execute(select(reports.c.host).order_by(reports.c.id))).scalars().all()
    assert ["first.example", "third.example"] == hosts


async def test_ssrf_by_report(site: Site) -> None:
    """A host that a report names is looked at by nobody and looked up by nobody, whatever it is."""
    before = await site.count(endpoints)
    for host in ("169.254.169.254", "localhost", "[::1]", "10.0.0.1", "metadata.google.internal"):
        await site.post({"hostname": host, "port": 80, "url": f"http://{host}/"}, token=site.tokens["bank-app"])
    await site.monitor.group()
    assert (before, 0) == (await site.count(endpoints), await site.monitor.watch.turn())


async def test_slow_loris(site: Site) -> None:
    """Clients that send no whole request hold every connection for a moment, others are told to wait, and then served."""
    slow = [await asyncio.open_connection(*site.address) for _ in range(8)]
    for _, writer in slow:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
    asked = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert b"503" == await site.say(asked)
    async with asyncio.timeout(30):
        for reader, writer in slow:
            assert b"" == await reader.read()
            writer.close()
    assert b"200" == await site.say(asked)


async def test_markup_in_every_field_of_a_certificate_on_its_way_to_an_alert(site: Site) -> None:
    """From a report to what people get by mail or chat, nothing of it is a tag, a link, a mention or an escape."""
    names = attribute(EVIL.encode()) + attribute(EVIL.encode(), kind="2.5.4.10")
    der = certificate(key_info(NOBODY_KNOWS, b"k"), subject=names, issuer=names, serial=b"<script>")
    body = {"hostname": HOST, "validated-certificate-chain": [base64.b64encode(der).decode()], "library": EVIL}
    assert 201 == await site.post(body, token=site.tokens["bank-app"])
    await site.monitor.group()
    database = site.monitor.database
    plan = Plan.loads(b'format = 1\n[routes.team]\nurls = ["json://alerts.example"]', {})
    alerts = Alerts(database, plan, now=Clock(), courier=_Nobody(), outbox=Outbox(database, plan))  # type: ignore[arg-type]
    await alerts.turn()
    async with database.reading() as connection:
        told = (await connection.execute(select(tables.messages.c.title + tables.messages.c.body))).scalar_one()
    assert "img src" in told
    assert set() == set("<>&[]@`\x1b\x07\u202e") & set(told)
    assert "https://" not in told


class _Nobody:
    """Takes no message."""

    async def carry(self, parcels: list[Any], told: Any) -> None:
        """Say so."""
        for parcel in parcels:
            await told(parcel.id, "nobody is there")
