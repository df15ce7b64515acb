"""What the monitor's tests share: a database of each kind, a fixed moment, and a monitor that looks at nothing."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.authority import Authority
from pinscher.monitor.database import Database
from pinscher.monitor.tables import metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

from tests.conformance.postgresql import PASSWORD, USER, cluster, programs
from tests.unit.monitor.nats_server import NatsServer, nats_server, program


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run the tests of this room on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """Run a PostgreSQL server of one's own, and return the address of its database."""
    where = programs()
    if where is None:
        if "CI" in os.environ:
            pytest.fail("install a PostgreSQL server: Debian's package is postgresql")
        pytest.skip("no PostgreSQL server is installed")
    with cluster(where) as made, made.serving(Authority.root().issue("127.0.0.1")) as server:
        # Whoever does not read the log of every statement stops the server.
        stream = server._process.stderr
        assert stream is not None
        reader = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(stream.fileno(), 65536), b"")])
        reader.start()
        yield f"postgresql+asyncpg://{USER}:{PASSWORD}@127.0.0.1:{server.port}/postgres?ssl=require"
        server._process.send_signal(signal.SIGINT)
        reader.join()


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
