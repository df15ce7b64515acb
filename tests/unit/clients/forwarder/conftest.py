"""A forwarder in the test's own event loop, between local clients and the lab's servers."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.clients.forwarder import Event, Forwarder, Kind, Limits, Place, Upstream
from pinscher.lab.authority import Authority, HeldCertificate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOST = "bank.test"


@dataclass
class World:
    """An authority, a genuine certificate, and what a forwarder tells."""

    root: Authority = field(default_factory=lambda: Authority.root("Lab Root"))
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.genuine = self.root.issue(HOST)
        self.other = self.root.issue(HOST)
        self._waiting: list[tuple[Kind, asyncio.Event]] = []

    def policy(self, more: str = "", *, held: HeldCertificate | None = None, version: int = 1) -> pinscher.Policy:
        """Return a policy that pins one key."""
        pin = pinscher.Pin.of((held or self.genuine).der)
        head = f'format = 1\nname = "bank"\nversion = {version}\n[hosts."{HOST}"]\n'
        return pinscher.Policy.loads(f'{head}pins = ["{pin}"]\n{more}\n')

    def tell(self, event: Event) -> None:
        """Take an event, and wake who waits for its kind."""
        self.events.append(event)
        for kind, told in self._waiting:
            if kind is event.kind:
                told.set()

    async def wait_for(self, kind: Kind) -> Event:
        """Return the first event of a kind, waiting for it."""
        told = asyncio.Event()
        self._waiting.append((kind, told))
        if not self.of(kind):
            await asyncio.wait_for(told.wait(), 20)
        return self.of(kind)[0]

    def of(self, kind: Kind) -> list[Event]:
        """Return the events of a kind."""
        return [event for event in self.events if event.kind is kind]

    @contextlib.asynccontextmanager
    async def forwarding(
        self, port: int, *, place: str = "127.0.0.1:0", policy: pinscher.Policy | None = None, **options: Any
    ) -> AsyncIterator[tuple[Forwarder, Place]]:
        """Run a forwarder to a port of the loopback until the block ends."""
        context = pinscher.PinnedContext(policy or self.policy(), trust=self.root.pem)
        forwarder = Forwarder(context, tell=self.tell, **({"limits": Limits(opening=20)} | options))
        try:
            async with asyncio.timeout(60):
                yield forwarder, await forwarder.listen(Place.parse(place), Upstream(HOST, port, "127.0.0.1"))
        finally:
            await forwarder.stop(0)

    @contextlib.asynccontextmanager
    async def client(self, place: Place) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Connect to a forwarder in clear."""
        if place.port is None:
            reader, writer = await asyncio.open_unix_connection(place.address)
        else:
            reader, writer = await asyncio.open_connection(place.address, place.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


@pytest.fixture
def world() -> World:
    """Return a world with fresh keys."""
    return World()
