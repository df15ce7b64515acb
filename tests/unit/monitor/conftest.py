"""What the monitor's tests share: a database of each kind, a fixed moment, and a monitor that looks at nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.authority import Authority
from pinscher.monitor.database import Database
from pinscher.monitor.tables import metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

from tests.conformance.postgresql import cluster
from tests.unit.monitor.nats_server import NatsServer, nats_server, program
from tests.unit.monitor.postgresql import address_of, installed


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run the tests of this room on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """Run a PostgreSQL server of one's own, and return the address of its database."""
    where = installed()
    with cluster(where) as made, made.serving(Authority.root().issue("127.0.0.1")) as server, server.unread():
        yield address_of(server)


@pytest.fixture(scope="session")
def nats() -> Iterator[NatsServer]:
    """Run a NATS server of one's own."""
    if program() is None:
        if "CI" in os.environ:
            pytest.fail("install a NATS server: Debian's package is nats-server")
        pytest.skip("no NATS server is installed")
    with nats_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """Return an empty database of each kind."""
    if request.param == "sqlite":
        opened = await Database.in_folder(tmp_path / "data")
    else:
        opened = await Database.open(request.getfixturevalue("postgresql_url"))
        async with opened.writing() as connection:
            for table in reversed(metadata.sorted_tables):
                await connection.execute(table.delete())
    yield opened
    await opened.close()
