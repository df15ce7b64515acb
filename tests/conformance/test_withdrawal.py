"""A withdrawn pin, and the connections that clients keep for the next request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.lab.server import TlsServer

from .clients import HOST, SECRET, to_its_end
from .test_clients import World

if TYPE_CHECKING:
    import ssl

Exchange = Callable[[], object]


@contextlib.contextmanager
def with_requests(context: ssl.SSLContext, url: str) -> Iterator[Exchange]:
    """Post with one requests session."""
    import requests
    from requests.adapters import HTTPAdapter

    class Pinned(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> Any:
            return super().init_poolmanager(*args, **options, ssl_context=context)

    with requests.Session() as session:
        session.mount("https://", Pinned())
        yield lambda: session.post(url, data=SECRET, timeout=10)


@contextlib.contextmanager
def with_httpx(context: ssl.SSLContext, url: str) -> Iterator[Exchange]:
    """Post with one httpx client."""
    import httpx

    with httpx.Client(verify=context, timeout=10) as session:
        yield lambda: session.post(url, content=SECRET)


@contextlib.contextmanager
def with_aiohttp(context: ssl.SSLContext, url: str) -> Iterator[Exchange]:
    """Post with one aiohttp session."""
    import aiohttp

    async def opened() -> aiohttp.ClientSession:
        """Open a session inside the loop."""
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))

    async def exchange() -> None:
        """Post once."""
        async with session.post(url, data=SECRET) as answer:
            await answer.read()

    with asyncio.Runner() as runner:
        session = runner.run(opened())
        yield lambda: runner.run(exchange())
        runner.run(to_its_end(session.close))


@pytest.mark.parametrize("client", [with_requests, with_httpx, with_aiohttp])
@pytest.mark.parametrize("denies", [True, False])
def test_a_connection_kept_alive_carries_no_request_after_a_withdrawal(client: Any, denies: bool) -> None:
    """Requests, httpx and aiohttp send nothing more over a connection that they keep, once its pin was withdrawn."""
    world = World()
    context = world.context()
    with TlsServer(world.genuine, protocol="http") as server:
        with client(context, f"https://{HOST}:{server.port}/") as exchange:
            exchange()
            exchange()
            assert (1, len(context.connections)) == (len(server.evidence), 1)
            before = server.application_bytes
            context.policy = _withdrawn(world, denies=denies)
            with pytest.raises(Exception) as caught:  # noqa: PT011  (whatever the client makes of it)
                exchange()
        server.wait_idle()
        assert before == server.application_bytes
    verdict = pinscher.verdict_of(caught.value)
    assert verdict is not None
    assert (pinscher.Outcome.DENIED_KEY if denies else pinscher.Outcome.NO_MATCHING_PIN) is verdict.outcome


def _withdrawn(world: World, *, denies: bool) -> pinscher.Policy:
    denied = f'denied-keys = ["{pinscher.Pin.of(world.genuine.der)}"]' if denies else ""
    return pinscher.Policy.loads(
        f'format = 1\nname = "b"\nversion = 9\n[hosts."{HOST}"]\n'
        f'pins = ["{pinscher.Pin.of(world.root.issue(HOST).der)}"]\n{denied}\n'
    )
