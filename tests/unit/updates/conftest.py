"""What the tests of signed updates share: a publisher, its server, and a client that follows it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from publisher import Clock, Follower, Publisher, Server, policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def clock() -> Clock:
    """Return the clock of this test's world."""
    return Clock()


@pytest.fixture
def publisher(tmp_path: Path, clock: Clock) -> Publisher:
    """Return a repository that has published version 1."""
    made = Publisher(tmp_path / "publisher", clock)
    made.publish(policy(1))
    return made


@pytest.fixture
def server(publisher: Publisher) -> Iterator[Server]:
    """Return a server of the repository on the loopback."""
    serving = Server(publisher.repository.public)
    yield serving
    serving.close()


@pytest.fixture
def mirror(publisher: Publisher) -> Iterator[Server]:
    """Return a second server of the repository."""
    serving = Server(publisher.repository.public)
    yield serving
    serving.close()


@pytest.fixture
def follow(publisher: Publisher, server: Server, tmp_path: Path) -> Callable[..., Follower]:
    """Return what makes another start of the client, on the same folder unless told otherwise."""

    def made(*addresses: str, store: Path | None = None, **settings: Any) -> Follower:
        return Follower(publisher, list(addresses) or [server.address], store or tmp_path / "store", **settings)

    return made


@pytest.fixture
def client(follow: Callable[..., Follower]) -> Follower:
    """Return a client that has accepted version 1."""
    made = follow()
    made.updater.refresh()
    made.events.clear()
    return made
