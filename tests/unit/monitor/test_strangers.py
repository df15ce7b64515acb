"""What strangers get whom nobody expected: other numbers, a proxy in between, and a failure of the monitor's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.routing import Route

from pinscher.monitor.monitor import Monitor
from pinscher.monitor.tokens import Role
from pinscher.monitor.web import application
from tests.unit.monitor.scene import AT, Clock, policy_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from pinscher.monitor.database import Database

pytestmark = pytest.mark.anyio
HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}


def _never(_: object) -> Any:
    raise AssertionError("nothing is looked at")


async def _fail(_: Request) -> Response:
    raise RuntimeError("the reason of a failure")


async def _monitor(database: Database) -> Monitor:
    return await Monitor.open(database, policy_of("sha256/" + "A" * 43 + "="), _never, now=Clock(), clock=lambda: 0.0)


def _client(monitor: Monitor, address: str = "127.0.0.1") -> httpx.AsyncClient:
    """Return a client, of this machine where nothing else is said, to which a failure is an answer."""
    app = application(monitor, [Route("/fail", _fail)])
    transport = httpx.ASGITransport(app, client=(address, 40000), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080")


@pytest.mark.parametrize("digits", [19, 20, 5000])
@pytest.mark.parametrize(
    "path",
    ["/endpoints/{}", "/findings/{}", "/incidents/{}", "/api/endpoints/{}", "/api/findings/{}", "/api/incidents/{}"],
)
async def test_numbers_of_thousands_of_digits(database: Database, path: str, digits: int) -> None:
    """A number that no row has, however long, is a page that is not there, to strangers and to operators."""
    monitor = await _monitor(database)
    token = await monitor.tokens.make(Role.OPERATOR, "ada", at=AT)
    async with _client(monitor) as client:
        for headers in ({}, {"Authorization": f"Bearer {token}"}):
            answer = await client.get(path.format("9" * digits), headers=headers)
            nowhere = await client.get("/nowhere", headers=headers)
            assert (404, nowhere.content) == (answer.status_code, answer.content)
            assert HEADERS.items() <= dict(answer.headers).items()


async def test_the_longest_number_is_looked_up(database: Database) -> None:
    """Eighteen digits are a number like any other: a stranger is asked for a token, and an operator told that it is none."""
    monitor = await _monitor(database)
    token = await monitor.tokens.make(Role.OPERATOR, "ada", at=AT)
    path = f"/api/endpoints/{'9' * 18}"
    async with _client(monitor) as client:
        assert 401 == (await client.get(path)).status_code
        answer = await client.get(path, headers={"Authorization": f"Bearer {token}"})
    assert (404, {"error": f"no endpoint {'9' * 18}"}) == (answer.status_code, answer.json())


async def test_a_failure_tells_nothing_and_has_the_headers_of_every_answer(database: Database) -> None:
    """What fails unexpectedly is one sentence: how it failed is for the monitor's own log."""
    async with _client(await _monitor(database)) as client:
        answer = await client.get("/fail")
    assert (500, {"error": "the monitor failed, and its log says how"}) == (answer.status_code, answer.json())
    assert HEADERS.items() <= dict(answer.headers).items()


@pytest.mark.parametrize(
    "header",
    [
        "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port",
        "X-Forwarded-Server", "X-Real-IP", "X-Client-IP", "X-Cluster-Client-IP", "X-Original-Host", "X-Envoy-External-Address",
        "CF-Connecting-IP", "CF-Ray", "CDN-Loop", "True-Client-IP", "Fastly-Client-IP", "X-Amzn-Trace-Id",
    ],
)  # fmt: skip
async def test_figures_are_not_for_whoever_comes_through_a_proxy(database: Database, header: str) -> None:
    """Any header that proxies add makes a stranger of who asks from this machine; the token is asked for."""
    async with _client(await _monitor(database)) as client:
        assert 401 == (await client.get("/metrics", headers={header: "127.0.0.1"})).status_code
        of_prometheus = {"X-Prometheus-Scrape-Timeout-Seconds": "10", "User-Agent": "Prometheus/3.0.0"}
        assert 200 == (await client.get("/metrics", headers=of_prometheus)).status_code


async def test_tokens_guessed_from_every_address_of_one_ipv6_network(database: Database) -> None:
    """Whoever has a network of 64 bits of IPv6 has no more guesses for it; who comes from another one still has them."""
    monitor, answers = await _monitor(database), []
    for address in (*(f"2001:db8::{n:x}" for n in range(21)), "2001:db8:0:1::1"):
        async with _client(monitor, address) as client:
            answers.append((await client.get("/api/endpoints")).status_code)
    assert [401] * 20 + [429, 401] == answers
