"""The interface over HTTP, asked as programs, strangers and attackers ask it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pinscher.lab.encoding import pem
from pinscher.monitor.errors import TooManyError, TooSlowError
from pinscher.monitor.findings import Finding, Severity
from pinscher.monitor.limits import MOST_SENDERS, Limiter, Rate
from pinscher.monitor.monitor import Monitor, Settings
from pinscher.monitor.tokens import Role
from pinscher.monitor.web import application
from pinscher.monitor.web.guards import body_of
from pinscher.monitor.wire import LARGEST_REPORT
from pinscher.pin import Pin
from tests.certificates import NOBODY_KNOWS, attribute, certificate, key_info
from tests.unit.monitor.scene import AT, DAY, HOST, Clock, chain_of, issue, policy_of, root

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pinscher.monitor.database import Database

pytestmark = pytest.mark.anyio
ROOT = root()
PINNED = issue(ROOT)
URL = "http://127.0.0.1:8080"
READS = ("endpoints", "endpoints/1", "findings", "findings/1", "incidents", "incidents/1", "clients", "applications")
WRITES = ("findings/1/acknowledge", "findings/1/silence", "incidents/1/acknowledge", "applications", "blast-radius")


class World:
    """A monitor behind HTTP, its tokens, and a second counter that the test moves."""

    def __init__(self, monitor: Monitor, operator: str, app: str, seconds: list[float]) -> None:
        self.monitor, self.operator, self.app, self.seconds = monitor, operator, app, seconds

    def client(self, address: str = "127.0.0.1", url: str = URL, token: str = "") -> httpx.AsyncClient:
        """Return a client at an address."""
        transport = httpx.ASGITransport(application(self.monitor), client=(address, 40000))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(transport=transport, base_url=url, headers=headers)

    async def get(self, path: str, **where: Any) -> httpx.Response:
        """Ask for a page."""
        async with self.client(**where) as client:
            return await client.get(path)

    async def post(self, path: str, body: Any, token: str | None = None, **headers: str) -> httpx.Response:
        """Send a body as the operator, or as who has *token*."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.client(token=self.operator if token is None else token) as client:
            return await client.post(
                path, content=content, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )


def _never(_: object) -> Any:
    raise AssertionError("nothing is looked at")


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """Return a monitor with an operator and an application."""
    seconds = [0.0]
    settings = Settings(application_rate=Rate(a_second=1, burst=5))
    monitor = await Monitor.open(
        database, policy_of(Pin.of(PINNED.der)), _never, settings=settings, now=Clock(), clock=lambda: seconds[0]
    )
    await monitor.begin()
    tokens = [await monitor.tokens.make(role, "bank-app", at=AT) for role in (Role.OPERATOR, Role.APPLICATION)]
    writing = asyncio.create_task(monitor.intake.run())
    yield World(monitor, *tokens, seconds)
    writing.cancel()


async def test_health_is_told_to_everybody(world: World) -> None:
    """Without a token, and without anything beside it."""
    answer = await world.get("/healthz", address="203.0.113.7", url="http://monitor.example")
    assert (200, {"status": "ok"}) == (answer.status_code, answer.json())


async def test_an_answer_cannot_be_run_framed_or_kept(world: World) -> None:
    """Every answer says so to browsers, refusals too."""
    for path in ("/healthz", "/api/findings", "/nowhere"):
        headers = (await world.get(path)).headers
        assert ("nosniff", "no-store") == (headers["x-content-type-options"], headers["cache-control"])
        assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("path", READS)
async def test_strangers_read_nothing(world: World, path: str) -> None:
    """Without the operator's token every page is a 401, with an application's token too."""
    for token in ("", world.app, "pinscher-operator-x", "\x00"):
        answer = await world.get(f"/api/{path}", token=token) if token != "\x00" else await world.get(f"/api/{path}")
        assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])


@pytest.mark.parametrize("path", WRITES)
async def test_strangers_change_nothing(world: World, path: str) -> None:
    """Without the operator's token nothing is even read."""
    assert 401 == (await world.post(f"/api/{path}", b"junk", token="")).status_code
    assert 401 == (await world.post(f"/api/{path}", b"junk", token=world.app)).status_code


async def test_who_guesses_is_slowed_down(world: World) -> None:
    """After twenty tokens that were none an address waits; another address does not."""
    answers = [(await world.get("/api/findings", token="x")) for _ in range(21)]
    assert [401] * 20 + [429] == [answer.status_code for answer in answers]
    assert "1" == answers[-1].headers["retry-after"]
    assert 401 == (await world.get("/api/findings", address="127.0.0.2")).status_code
    assert {401: 21, 429: 1} == world.monitor.refused


@pytest.mark.parametrize("url", [URL, "http://localhost:8080", "http://[::1]:8080"])
async def test_figures_are_for_this_machine(world: World, url: str) -> None:
    """Prometheus on the same machine needs no token."""
    address = "::1" if "[" in url else "127.0.0.1"
    answer = await world.get("/metrics", address=address, url=url)
    assert 200 == answer.status_code
    assert 'pinscher_policy_version{name="bank-app"} 1.0' in answer.text


@pytest.mark.parametrize(
    ("address", "url"), [("203.0.113.7", URL), ("127.0.0.1", "http://evil.example"), ("unknown", URL)]
)
async def test_figures_are_for_nobody_else_without_a_token(world: World, address: str, url: str) -> None:
    """Another machine, and a page whose name was pointed here, are strangers; with the token they are not."""
    assert 401 == (await world.get("/metrics", address=address, url=url)).status_code
    assert 200 == (await world.get("/metrics", address=address, url=url, token=world.operator)).status_code


async def test_a_proxy_on_this_machine_speaks_for_others(world: World) -> None:
    """What a proxy forwarded does not come from this machine."""
    async with world.client() as client:
        assert 401 == (await client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"})).status_code


async def test_figures_count_what_there_is(world: World) -> None:
    """Endpoints, findings, incidents, reports and refusals are counted, as aggregates."""
    await world.post("/v1/reports", {"hostname": HOST}, token=world.app)
    await world.monitor.group()
    await _found(world)
    await world.get("/api/findings")
    world.monitor.now.at += DAY / 2  # type: ignore[attr-defined]
    text = (await world.get("/metrics")).text
    for line in (
        'pinscher_endpoints{outcome="not-yet"} 1.0', "pinscher_endpoints_due 1.0", "pinscher_schedule_lag_seconds 43200.0",
        'pinscher_findings{rule="unreachable",severity="warning",state="open"} 1.0', 'pinscher_incidents{cause="unknown",state="open"} 1.0',
        'pinscher_reports_total{application="bank-app"} 1.0', 'pinscher_refused_total{status="401"} 1.0',
    ):  # fmt: skip
        assert line in text.splitlines(), text


async def _found(world: World) -> None:
    finding = Finding(rule="unreachable", severity=Severity.WARNING, said="gone", advice="look")
    async with world.monitor.database.writing() as connection:
        await world.monitor.ledger.settle(connection, f"{HOST}:443", [finding], at=AT)


async def test_a_finding_is_acknowledged_and_silenced(world: World) -> None:
    """With a reason; the answer is the finding as it is now, and its events tell what became of it."""
    await _found(world)
    number = (await world.get("/api/findings", token=world.operator)).json()["findings"][0]["id"]
    answer = await world.post(f"/api/findings/{number}/acknowledge", {"reason": "on it"})
    assert (201, "acknowledged", "on it") == (answer.status_code, answer.json()["state"], answer.json()["reason"])
    answer = await world.post(f"/api/findings/{number}/silence", {"reason": "moving", "until": (AT + DAY).isoformat()})
    assert ("silenced", "2026-11-22T12:00:00.000Z") == (answer.json()["state"], answer.json()["until"])
    events = (await world.get(f"/api/findings/{number}", token=world.operator)).json()["events"]
    assert ["opened", "acknowledged", "silenced"] == [event["what"] for event in events]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("findings/1/acknowledge", {}, 400), ("findings/1/acknowledge", b"\xff", 400), ("findings/99999999999999999999/acknowledge", {"reason": "x"}, 404),
        ("findings/1/silence", {"reason": "x", "until": "2026-11-22T12:00:00"}, 400), ("incidents/1/acknowledge", {"reason": "x" * 501}, 400),
        ("incidents/987654/acknowledge", {"reason": "x"}, 404), ("applications", {"name": "../x y"}, 400), ("applications", {"name": "a", "more": 1}, 400),
        ("blast-radius", {"host": "a b", "chain": ["x"]}, 400), ("blast-radius", {"host": HOST, "chain": ["AAAA"]}, 400), ("applications", b"[" * 50_000, 400),
    ],
)  # fmt: skip
async def test_a_request_that_makes_no_sense_is_told_so(world: World, path: str, body: Any, status: int) -> None:
    """Whatever was sent, the answer is a refusal in words, and no failure."""
    answer = await world.post(f"/api/{path}", body)
    assert (status, ["error"]) == (answer.status_code, list(answer.json()))


@pytest.mark.parametrize("query", ["after=x", "limit=", "after=1e3"])
async def test_a_page_that_is_none_is_refused(world: World, query: str) -> None:
    """A page begins after a number."""
    assert 400 == (await world.get(f"/api/endpoints?{query}", token=world.operator)).status_code


async def test_pages_follow_each_other(world: World) -> None:
    """The number in 'next' leads to the next page, and the last page has none."""
    await world.monitor.watch.schedule.watch([_endpoint(number) for number in range(3)], at=AT, is_anew=False)
    first = (await world.get("/api/endpoints?limit=2", token=world.operator)).json()
    second = (await world.get(f"/api/endpoints?limit=2&after={first['next']}", token=world.operator)).json()
    assert (2, 1, None) == (len(first["endpoints"]), len(second["endpoints"]), second["next"])
    assert (
        3
        == len(
            (await world.get("/api/endpoints?limit=-5&after=-99999999999999999999999", token=world.operator)).json()[
                "endpoints"
            ]
        )
        + 2
    )


def _endpoint(number: int) -> Any:
    from pinscher.probe import Endpoint

    return Endpoint(f"h{number}.example")


async def test_an_application_gets_its_token_once(world: World) -> None:
    """A new token of the same name replaces the one before, and the list shows names alone."""
    answer = (await world.post("/api/applications", {"name": "shop"})).json()
    again = (await world.post("/api/applications", {"name": "shop"})).json()
    assert {"applications": ["bank-app", "shop"]} == (await world.get("/api/applications", token=world.operator)).json()
    statuses = [
        (await world.post("/v1/reports", {"hostname": HOST}, token=one["token"])).status_code for one in (answer, again)
    ]
    assert [401, 201] == statuses
    await world.monitor.tokens.load()
    assert "shop" == world.monitor.tokens.holder(again["token"], Role.APPLICATION)
    assert world.monitor.tokens.has_operator


@pytest.mark.parametrize("kind", ["reports", "heartbeats"])
async def test_a_client_sends_with_its_token_in_the_head_or_the_path(world: World, kind: str) -> None:
    """Libraries that know no headers have the token in the address; without one nothing is taken."""
    body = {"hostname": HOST, "install": "abc"}
    answer = await world.post(f"/v1/{kind}", body, token=world.app, Idempotency_Key="k")
    assert (201, {"stored": "k"}) == (answer.status_code, answer.json())
    assert 201 == (await world.post(f"/v1/{kind}/{world.app}", body, token="")).status_code
    assert [401, 401] == [
        (await world.post(path, body, token="")).status_code for path in (f"/v1/{kind}", f"/v1/{kind}/x")
    ]
    assert 401 == (await world.post(f"/v1/{kind}", body, token=world.operator)).status_code
    assert 405 == (await world.get(f"/v1/{kind}")).status_code


async def test_a_flood_is_told_to_wait(world: World) -> None:
    """Beyond its burst an application waits, and is let in at its rate."""
    statuses = [(await world.post("/v1/reports", {"hostname": HOST}, token=world.app)).status_code for _ in range(7)]
    assert [201] * 5 + [429] * 2 == statuses
    world.seconds[0] += 1
    assert [201, 429] == [
        (await world.post("/v1/reports", {"hostname": HOST}, token=world.app)).status_code for _ in range(2)
    ]


async def test_an_oversized_body_is_refused_before_it_is_read(world: World) -> None:
    """By its length where it says so, and by its octets where it does not."""
    answer = await world.post("/v1/reports", b"x" * (LARGEST_REPORT + 1), token=world.app)
    assert (413, "close") == (answer.status_code, answer.headers["connection"])

    async def endless() -> AsyncIterator[bytes]:
        """Give octets for ever."""
        while True:
            yield b" " * 65536

    async with world.client(token=world.app) as client:
        assert 413 == (await client.post("/v1/reports", content=endless())).status_code


async def test_a_body_that_trickles_is_given_up() -> None:
    """A body has so long to arrive, and no longer."""

    class Slow:
        """A request whose body stops after its first octet."""

        headers: ClassVar[dict[str, str]] = {}

        async def stream(self) -> AsyncIterator[bytes]:
            """Give an octet, and nothing more."""
            yield b"{"
            await asyncio.Event().wait()

    with pytest.raises(TooSlowError):
        await body_of(Slow(), 10, seconds=0.01)  # type: ignore[arg-type]


async def test_a_forged_body_is_refused_in_words(world: World) -> None:
    """Junk is a 400 whose text is escaped, and no failure."""
    for body in (b"\xff\x00", b"{", b'{"hostname": "<script>alert(1)</script>"}'):
        answer = await world.post("/v1/reports", body, token=world.app)
        assert 400 == answer.status_code
        assert b"<" not in answer.content


async def test_markup_and_escapes_in_every_field_of_a_certificate_are_shown_as_text(world: World) -> None:
    """What an attacker wrote into names comes back without one letter that HTML, a terminal or a log would act on."""
    import base64

    evil = "<img src=x onerror=alert(1)>&'\"\x1b]0;x\x07\u202e"
    names = attribute(evil.encode()) + attribute(evil.encode(), kind="2.5.4.10")
    der = certificate(key_info(NOBODY_KNOWS, b"k"), subject=names, issuer=names, serial=b"<script>")
    body = {
        "hostname": HOST, "validated-certificate-chain": [base64.b64encode(der).decode()], "policy": evil, "library": evil, "id": evil,
        "cause": evil, "mode": evil, "version": 1,
    }  # fmt: skip
    assert 201 == (await world.post("/v1/reports", body, token=world.app)).status_code
    beat = {"install": evil[:60], "policy": evil, "log-head": evil}
    assert 201 == (await world.post("/v1/heartbeats", beat, token=world.app)).status_code
    await world.monitor.group()
    number = (await world.get("/api/incidents", token=world.operator)).json()["incidents"][0]["id"]
    for path in (f"incidents/{number}", "incidents", "clients"):
        answer = await world.get(f"/api/{path}", token=world.operator)
        assert answer.headers["content-type"] == "application/json"
        assert "img src" in answer.text
        assert set() == set(b"<>&'\x1b\x07") & set(answer.content)
        assert answer.text.isascii()


async def test_the_blast_radius_of_a_certificate(world: World) -> None:
    """Of two clients one has a policy that the monitor knows, which does not accept the chain."""
    for install, policy in (("one", "bank-app"), ("two", "other")):
        await world.post("/v1/heartbeats", {"install": install, "policy": policy, "version": 1}, token=world.app)
    chain = [pem("CERTIFICATE", der).decode() for der in chain_of(issue(ROOT))]
    answer = (await world.post("/api/blast-radius", {"host": HOST, "chain": chain})).json()
    assert {"clients": 2, "refusing": 1, "unknown": 1, "share": 1.0, "versions": {"bank-app 1": 1}} == answer


async def test_other_rooms_add_their_routes(world: World) -> None:
    """The application is put together from lists of routes."""
    app = application(world.monitor, [Route("/board", lambda _: PlainTextResponse("board"))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as client:
        assert "board" == (await client.get("/board")).text


def test_senders_are_forgotten_before_memory_is_full() -> None:
    """Of many senders the last ones are remembered."""
    limiter = Limiter(Rate(a_second=1, burst=1), lambda: 0.0)
    for number in range(MOST_SENDERS + 1):
        limiter.take(str(number))
    limiter.take("0")
    with pytest.raises(TooManyError):
        limiter.take(str(MOST_SENDERS))
