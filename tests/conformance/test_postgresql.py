"""asyncpg and a real PostgreSQL server: by the server's own log, an impostor gets neither a login nor a query."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import TYPE_CHECKING

import pytest

import pinscher

from .clients import HOST, SECRET, TIMEOUT
from .postgresql import PASSWORD, USER, Cluster, Server, cluster, programs
from .test_clients import World

if TYPE_CHECKING:
    from collections.abc import Iterator

WHERE = programs()
pytestmark = pytest.mark.skipif(WHERE is None and "CI" not in os.environ, reason="no PostgreSQL server is installed")


@pytest.fixture(scope="module")
def database() -> Iterator[Cluster]:
    """Return a database cluster."""
    assert WHERE is not None, "install a PostgreSQL server: Debian's package is postgresql"
    with cluster(WHERE) as made:
        yield made


@pytest.fixture
def world() -> World:
    """Return a world with fresh keys."""
    return World()


async def _asked(context: ssl.SSLContext, server: Server) -> tuple[str, bool]:
    import asyncpg

    connection = await asyncpg.connect(
        host=HOST, port=server.port, user=USER, password=PASSWORD, database="postgres", ssl=context, timeout=TIMEOUT,
        server_settings={"application_name": SECRET},
    )  # fmt: skip
    try:
        secured = await connection.fetchval("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        return await connection.fetchval(f"select '{SECRET}'"), secured
    finally:
        await connection.close()


def asked(context: ssl.SSLContext, server: Server) -> tuple[str, bool]:
    """Log in with a password, and return the answer to a query and whether the session is encrypted."""
    return asyncio.run(_asked(context, server))


@pytest.mark.parametrize("shown", ["genuine", "renewed", "rotated"])
def test_a_database_with_a_pinned_key_is_reached(database: Cluster, world: World, shown: str) -> None:
    """The pinned key, its renewed certificate and the backup key let the login and the query through."""
    held = {
        "genuine": world.genuine,
        "renewed": world.genuine.renew(),
        "rotated": world.root.issue(HOST, key=world.backup),
    }
    with database.serving(held[shown]) as server:
        assert (SECRET, True) == asked(world.context(), server)
    log = "".join(server.log)
    assert f"connection authorized: user={USER}" in log
    assert f"select '{SECRET}'" in log
    assert ["MATCH"] == world.outcomes()


def test_a_rogue_database_gets_neither_login_nor_query(database: Cluster, world: World) -> None:
    """A rogue key under the right authority: the server logs a connection, and no user, no query and no secret."""
    with database.serving(world.root.issue(HOST)) as server:
        with pytest.raises(pinscher.PinMismatchError) as caught:
            asked(world.context(), server)
    assert ["NO_MATCHING_PIN"] == world.outcomes()
    assert world.told[0].id == caught.value.verdict.id
    _assert_nothing_was_said(server)


def test_a_database_under_an_unknown_authority_gets_nothing(database: Cluster, world: World) -> None:
    """An authority that this machine does not trust: the server logs a connection and nothing that was said on it."""
    with database.serving(world.root.twin().issue(HOST)) as server:
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            asked(world.context(), server)
    verdict = pinscher.verdict_of(caught.value)
    assert verdict is not None
    assert ["CHAIN_NOT_VALIDATED"] == world.outcomes()
    assert world.told[0].id == verdict.id
    _assert_nothing_was_said(server)


def test_an_unpinned_client_tells_a_rogue_database_everything(database: Cluster, world: World) -> None:
    """The same client with the standard library's context logs in and asks: pins make the difference."""
    unpinned = ssl.create_default_context(cadata=world.root.pem.decode())
    with database.serving(world.root.issue(HOST)) as server:
        assert (SECRET, True) == asked(unpinned, server)
    assert f"select '{SECRET}'" in "".join(server.log)


def _assert_nothing_was_said(server: Server) -> None:
    log = "".join(server.log)
    assert "connection received: host=127.0.0.1" in log
    assert "connection authorized" not in log
    assert USER not in log
    assert SECRET not in log
