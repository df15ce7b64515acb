"""An injection that a keeper keeps: clients that nobody changed follow its updates, and their mismatches heal."""

from __future__ import annotations

import asyncio
import http.client
import ssl
import urllib.request
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests

import pinscher
from pinscher.clients.injection import _INJECTIONS
from pinscher.lab.server import TlsServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .conftest import World

HOST = "localhost"
LADDER = 'on-mismatch = ["refresh", "override"]'


@pytest.fixture
def bank(world: World) -> Iterator[TlsServer]:
    """Return a web server with key a of the bank, under a name that every client looks up by itself."""
    world.keys = {name: world.root.issue(HOST) for name in "abc"}
    with TlsServer(world.keys["a"], tickets=False) as server:
        publish(world, 2, "a")
        yield server


def publish(world: World, version: int, *names: str, more: str = LADDER) -> None:
    """Publish a policy of that host."""
    pins = ", ".join(f'"{world.pin(name)}"' for name in names)
    world.publisher.publish(
        pinscher.Policy.loads(
            f'format = 1\nname = "bank"\nversion = {version}\n[hosts."{HOST}"]\npins = [{pins}]\n{more}\n'
        )
    )


@pytest.fixture
def trust(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have every client trust the bank's authority, as a machine of the bank does."""
    path = world.folder / "roots.pem"
    path.write_bytes(world.root.pem)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(path))
    # The standard library keeps its opener, and from Python 3.12 on a context in it that trusts what was trusted then.
    monkeypatch.setattr(urllib.request, "_opener", None)
    return str(path)


def by_requests(url: str, _: str) -> int:
    """Ask with requests as it is."""
    return requests.get(url, timeout=20).status_code


def by_httpx(url: str, trust: str) -> int:
    """Ask with httpx as it is."""
    return httpx.get(url, timeout=20, verify=ssl.create_default_context(cafile=trust)).status_code


def by_urllib(url: str, _: str) -> int:
    """Ask with the standard library as it is."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert isinstance(answer, http.client.HTTPResponse)
        return answer.status


CLIENTS: dict[str, Callable[[str, str], int]] = {"requests": by_requests, "httpx": by_httpx, "urllib": by_urllib}


@pytest.mark.parametrize("ask", CLIENTS.values(), ids=CLIENTS)
def test_clients_as_they_are_follow_updates_and_heal(
    world: World, bank: TlsServer, trust: str, ask: Callable[[str, str], int]
) -> None:
    """A client that takes no context is refused what its policy refuses, follows the next policy, and heals by itself."""
    url = f"https://{HOST}:{bank.port}/"
    with world.keeper() as keeper, keeper.injected() as injection:
        assert 200 == ask(url, trust)
        bank.show(world.keys["b"])
        with pytest.raises((OSError, httpx.ConnectError)) as caught:
            ask(url, trust)
        refused = pinscher.verdict_of(caught.value)
        assert refused is not None
        assert (pinscher.Outcome.NO_MATCHING_PIN, 2) == (refused.outcome, refused.policy.version)
        assert refused.steps[0].startswith("refresh: nothing newer")
        publish(world, 3, "b")
        assert 200 == ask(url, trust)
        assert 3 == injection.policy.version == keeper.policy.version
        publish(world, 4, "c", more=f'denied-keys = ["{world.pin("b")}"]')
        assert asyncio.run(keeper.refreshed(20))
        with pytest.raises((OSError, httpx.ConnectError)):
            ask(url, trust)
    assert [3, 2] == sorted({told.policy.version for told in world.reported if told.steps}, reverse=True)
    assert [] == _INJECTIONS


def test_asyncio_clients_heal_the_next_time(world: World, bank: TlsServer, trust: str) -> None:
    """An asyncio client as it is does not wait: it is refused once, and gets through after the refresh."""

    async def play() -> list[Any]:
        """Ask until it heals."""
        told: list[Any] = []
        async with (
            world.keeper() as keeper,
            httpx.AsyncClient(verify=ssl.create_default_context(cafile=trust)) as client,
        ):
            with keeper.injected():
                bank.show(world.keys["b"])
                publish(world, 3, "b")
                for _ in range(2):
                    try:
                        told.append((await client.get(f"https://{HOST}:{bank.port}/")).status_code)
                    except httpx.ConnectError as error:
                        told.append(pinscher.verdict_of(error))
                        assert await keeper.refreshed()
        return told

    refused, status = asyncio.run(play())
    assert "refresh: asked in the background, this connection does not wait" == refused.steps[0]
    assert 200 == status


def test_an_injection_outlives_its_keeper(world: World, bank: TlsServer, trust: str) -> None:
    """Closing a keeper takes no pins away: its injection stays with the policy that it has, until it is undone."""
    url = f"https://{HOST}:{bank.port}/"
    keeper = world.keeper()
    assert pinscher.Outcome.UNLISTED_HOST is _outcome(lambda: _with(keeper, url, trust))
    keeper.start()
    injection = keeper.inject()
    keeper.close()
    bank.show(world.keys["b"])
    try:
        assert pinscher.Outcome.NO_MATCHING_PIN is _outcome(lambda: by_requests(url, trust))
    finally:
        injection.undo()
    assert 200 == by_requests(url, trust)


def _with(keeper: pinscher.Keeper, url: str, trust: str) -> int:
    """Ask before there is a policy."""
    with keeper.injected():
        return by_requests(url, trust)


def _outcome(ask: Callable[[], int]) -> pinscher.Outcome:
    with pytest.raises(requests.exceptions.SSLError) as caught:
        ask()
    verdict = pinscher.verdict_of(caught.value)
    assert verdict is not None
    return verdict.outcome


def test_an_injection_and_a_newer_policy_meet(world: World, bank: TlsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that comes into force while an injection is being made is that injection's too."""
    import pinscher.keeper.keeper as module

    keeper = world.keeper()
    keeper.updater.refresh()
    publish(world, 3, "a")
    inject = module.inject_kept

    def slowly(*about: Any, **more: Any) -> Any:
        """Let a newer policy in between."""
        made = inject(*about, **more)
        assert asyncio.run(keeper.refreshed(20))
        return made

    monkeypatch.setattr(module, "inject_kept", slowly)
    with keeper.injected() as injection:
        assert 3 == injection.policy.version == keeper.policy.version
    assert bank.port


def test_every_verdict_of_an_injection_is_told(world: World, bank: TlsServer, trust: str) -> None:
    """The keeper's ``on_verdict`` hears of an injection's verdicts as of the context's."""
    told: list[pinscher.Verdict] = []
    with world.keeper(on_verdict=told.append) as keeper, keeper.injected():
        by_requests(f"https://{HOST}:{bank.port}/", trust)
    assert [pinscher.Outcome.MATCH] == [verdict.outcome for verdict in told]
