"""The document of the interface, and the real application held against it."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import urllib.request
from typing import TYPE_CHECKING, Any

import hypothesis
import msgspec
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from pinscher.monitor.database import Database
from pinscher.monitor.findings import Finding, Severity
from pinscher.monitor.limits import Rate
from pinscher.monitor.monitor import Monitor, Settings
from pinscher.monitor.tokens import Role
from pinscher.monitor.web import api, application, collecting, health, openapi
from pinscher.monitor.web.server import listening, serve, server_of
from pinscher.pin import Pin
from tests.unit.monitor.scene import AT, ENDPOINT, HOST, Clock, issue, policy_of, root, sighting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schemathesis import Case

HELD = issue(root())
SCHEMA = schemathesis.openapi.from_dict(openapi.document())
CHECKS = (
    not_a_server_error, checks.status_code_conformance, checks.content_type_conformance, checks.response_headers_conformance,
    checks.response_schema_conformance, checks.negative_data_rejection, checks.missing_required_header,
)  # fmt: skip


class Serving:
    """A monitor that answers on the loopback, and the tokens for it."""

    url, operator, application = "", "", ""


async def _serve(serving: Serving, folder: Path, ready: threading.Event, ended: asyncio.Event) -> None:
    rate = Rate(a_second=1e9, burst=1e9)
    settings = Settings(application_rate=rate, stranger_rate=rate)
    database = await Database.in_folder(folder)

    def never(_: object) -> Any:
        raise AssertionError("nothing is looked at")

    monitor = await Monitor.open(database, policy_of(Pin.of(HELD.der)), never, settings=settings, now=Clock())
    await monitor.begin()
    serving.operator = await monitor.tokens.make(Role.OPERATOR, "operator", at=AT)
    serving.application = await monitor.tokens.make(Role.APPLICATION, "bank-app", at=AT)
    await _fill(monitor)

    async def work() -> None:
        writing = asyncio.create_task(monitor.intake.run())
        await ended.wait()
        writing.cancel()

    with listening("127.0.0.1", 0) as listener:
        serving.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        ready.set()
        await serve(server_of(application(monitor)), listener, work())
    await database.close()


async def _fill(monitor: Monitor) -> None:
    """Let there be one of everything."""
    leased = (await monitor.watch.schedule.lease(AT, most=1))[0]
    finding = Finding(rule="pin-mismatch", severity=Severity.CRITICAL, said="it is", advice="look", cause="unknown")
    async with monitor.database.writing() as connection:
        await monitor.watch.schedule.finish(connection, leased, "match", at=AT)
        await monitor.watch._sightings.add(connection, leased.id, sighting(HELD))
        await monitor.ledger.settle(connection, str(ENDPOINT), [finding], at=AT)
    writing = asyncio.create_task(monitor.intake.run())
    body = {"hostname": HOST, "validated-certificate-chain": [base64.b64encode(HELD.der).decode()], "version": 1}
    await monitor.collector.take_report(json.dumps(body).encode(), application="bank-app", at=AT)
    await monitor.collector.take_heartbeat(b'{"install": "one", "policy": "bank-app"}', application="bank-app", at=AT)
    await monitor.group()
    writing.cancel()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Run the real application on its real server, with one of everything."""
    answering, ready = Serving(), threading.Event()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()
    main = _serve(answering, tmp_path_factory.mktemp("monitor"), ready, ended)
    thread = threading.Thread(target=loop.run_until_complete, args=(main,))
    thread.start()
    assert ready.wait(timeout=60)
    yield answering
    loop.call_soon_threadsafe(ended.set)
    thread.join(timeout=30)
    loop.close()


@SCHEMA.parametrize()
@hypothesis.settings(
    max_examples=6, derandomize=True, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
)
def test_every_answer_is_as_the_document_says(case: Case, serving: Serving) -> None:
    """Whatever is asked, well formed or not: the status is one that is listed, and the body has the form of its status."""
    token = serving.application if case.path.startswith("/v1") else serving.operator
    case.call_and_validate(base_url=serving.url, headers={"Authorization": f"Bearer {token}"}, checks=list(CHECKS))


@pytest.mark.parametrize("operation", api.OPERATIONS, ids=lambda operation: operation.name)
def test_a_good_answer_has_its_form(serving: Serving, operation: Any) -> None:
    """What there is one of is answered in the form of the document, with every field and no other."""
    bodies = {
        "Reason": {"reason": "on it"}, "Silence": {"reason": "moving", "until": "2027-01-01T00:00:00Z"}, "Application": {"name": "shop"},
        "Certificate": {"host": HOST, "chain": [base64.b64encode(HELD.der).decode()]},
    }  # fmt: skip
    data = None if operation.body is None else json.dumps(bodies[operation.body.__name__]).encode()
    path = operation.path.replace("{number:number}", "1")
    request = urllib.request.Request(serving.url + path, data, {"Authorization": f"Bearer {serving.operator}"})
    with urllib.request.urlopen(request, timeout=30) as response:
        content = response.read()
    assert operation.status == response.status
    assert msgspec.json.decode(content) == msgspec.json.decode(content, type=operation.answer)


def test_the_document_is_for_operators(serving: Serving) -> None:
    """Strangers and applications get 401; an operator gets what the tests of this file are made from."""
    for token in ("", serving.application):
        request = urllib.request.Request(serving.url + openapi.PATH, headers={"Authorization": f"Bearer {token}"})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=30)
        assert 401 == caught.value.code
        caught.value.close()
    request = urllib.request.Request(
        serving.url + openapi.PATH, headers={"Authorization": f"Bearer {serving.operator}"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        assert openapi.document() == json.load(response)


@pytest.mark.parametrize("operation", api.OPERATIONS, ids=lambda operation: operation.name)
def test_everything_under_api_is_a_401_for_strangers(serving: Serving, operation: Any) -> None:
    """Before its body is read or its record looked for."""
    path = operation.path.replace("{number:number}", "999")
    data = None if operation.body is None else b"junk"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(serving.url + path, data), timeout=30)
    assert (401, "Bearer") == (caught.value.code, caught.value.headers["WWW-Authenticate"])
    caught.value.close()


def test_the_document_has_every_route() -> None:
    """What is served under /api and /v1 is described, and what is described is served."""
    routes = (*health.ROUTES, *collecting.ROUTES, *api.ROUTES, *openapi.ROUTES)
    served = {(route.path.replace(":number", ""), next(iter((route.methods or set()) - {"HEAD"}))) for route in routes}
    described = {(path, method.upper()) for path, item in openapi.document()["paths"].items() for method in item}
    assert served == described
