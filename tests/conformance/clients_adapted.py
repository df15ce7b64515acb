"""Clients that take no context, by way of the file that puts the pinned one inside."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any

from .clients import BODY, HOST, SECRET, TIMEOUT, client

if TYPE_CHECKING:
    import pinscher


@client("redis-py", "redis", "`Redis(connection_pool=clients.redis.pool(context, host=host))`", protocol="redis")
def redis_pool(context: pinscher.PinnedContext, port: int) -> None:
    """Log in, with the retries that redis-py makes by default but without their pauses."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    from pinscher.clients.redis import pool

    connections = pool(context, host=HOST, port=port, password=SECRET, protocol=2, retry=Retry(NoBackoff(), 2))
    with redis.Redis(connection_pool=connections) as session:
        assert session.ping()
    connections.disconnect()


@client(
    "redis-py, asyncio",
    "redis",
    "`redis.asyncio.Redis(connection_pool=clients.redis.async_pool(...))`",
    protocol="redis",
)
async def redis_async_pool(context: pinscher.PinnedContext, port: int) -> None:
    """Log in."""
    import redis.asyncio
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    from pinscher.clients.redis import async_pool

    connections = async_pool(context, host=HOST, port=port, password=SECRET, protocol=2, retry=Retry(NoBackoff(), 2))
    async with redis.asyncio.Redis(connection_pool=connections) as session:
        assert await session.ping()
    await connections.disconnect()


MONGO: Any = {"appname": SECRET, "serverSelectionTimeoutMS": 700, "connectTimeoutMS": 5000}


@client("pymongo", "pymongo", "`clients.pymongo.client(context, address)`", protocol="mongodb", loses_errors=True)
def pymongo_client(context: pinscher.PinnedContext, port: int) -> None:
    """Ping as an application whose name is the secret; pyOpenSSL is installed, and pymongo would choose it."""
    from pinscher.clients.pymongo import client as pinned

    with pinned(context, f"mongodb://{HOST}:{port}", **MONGO) as session:
        assert 1 == session.admin.command("ping")["ok"]


@client("botocore", "botocore", "`clients.botocore.pin(client, context)`")
def botocore_client(context: pinscher.PinnedContext, port: int) -> None:
    """Store an item; boto3's clients are these."""
    import botocore.session
    from botocore import UNSIGNED
    from botocore.config import Config

    from pinscher.clients.botocore import pin

    made = botocore.session.get_session().create_client(
        "dynamodb", region_name="eu-lab-1", endpoint_url=f"https://{HOST}:{port}",
        config=Config(signature_version=UNSIGNED, retries={"max_attempts": 0}, connect_timeout=TIMEOUT),
    )  # fmt: skip
    with contextlib.closing(pin(made, context)) as session:
        stored = session.put_item(TableName="bank", Item={"secret": {"S": SECRET}})
        assert 200 == stored["ResponseMetadata"]["HTTPStatusCode"]


def _ldap(context: pinscher.PinnedContext, port: int, *, secured: bool) -> None:
    with warnings.catch_warnings():
        # It asks pyasn1 for names that pyasn1 has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        _bind(context, port, secured=secured)


def _bind(context: pinscher.PinnedContext, port: int, *, secured: bool) -> None:
    import ldap3

    from pinscher.clients.ldap3 import PinnedTls

    server = ldap3.Server(HOST, port, use_ssl=secured, tls=PinnedTls(context), get_info=ldap3.NONE)
    session = ldap3.Connection(server, "cn=ada", SECRET, receive_timeout=TIMEOUT)
    try:
        session.open()
        if not secured:
            assert session.start_tls()
        assert session.bind()
    finally:
        session.unbind()


@client(
    "ldap3",
    "ldap3",
    "`Server(host, use_ssl=True, tls=clients.ldap3.PinnedTls(context))`",
    protocol="ldaps",
    loses_errors=True,
)
def ldap3_implicit(context: pinscher.PinnedContext, port: int) -> None:
    """Bind."""
    _ldap(context, port, secured=True)


@client("ldap3, StartTLS", "ldap3", "`start_tls()` with `tls=clients.ldap3.PinnedTls(context)`", protocol="ldap")
def ldap3_upgraded(context: pinscher.PinnedContext, port: int) -> None:
    """Bind once the connection is upgraded."""
    _ldap(context, port, secured=False)


@client(
    "mysql-connector",
    "mysql-connector-python",
    "`clients.mysql_connector.PinnedConnection(context, ...)`",
    protocol="mysql",
)
def mysql_connector(context: pinscher.PinnedContext, port: int) -> None:
    """Connect as a user whose name is the secret."""
    from pinscher.clients.mysql_connector import PinnedConnection

    connection = PinnedConnection(context, host=HOST, port=port, user=SECRET, password="", connection_timeout=TIMEOUT)
    connection.close()


@client("requests, the adapter", "requests", '`session.mount("https://", clients.requests.PinnedAdapter(context))`')
def requests_adapter(context: pinscher.PinnedContext, port: int) -> None:
    """Post a form."""
    from pinscher.clients.requests import session

    with session(context) as made:
        assert 200 == made.post(f"https://{HOST}:{port}/", data=BODY, timeout=TIMEOUT).status_code


@client("google-auth, tokens", "google-auth", "`credentials.refresh(clients.google_auth.token_request(context))`")
def google_auth_request(context: pinscher.PinnedContext, port: int) -> None:
    """Ask for a token; google-auth makes a session of its own for this."""
    from pinscher.clients.google_auth import token_request

    request = token_request(context)
    with request.session:
        assert 200 == request(f"https://{HOST}:{port}/token", method="POST", body=BODY, timeout=TIMEOUT).status


@client("google-auth, requests", "google-auth", "`clients.google_auth.session(context, credentials)`")
def google_auth_session(context: pinscher.PinnedContext, port: int) -> None:
    """Post a form with a session whose tokens are fetched over the same pins."""
    from google.auth.credentials import AnonymousCredentials

    from pinscher.clients.google_auth import session

    with session(context, AnonymousCredentials()) as made:
        assert 200 == made.post(f"https://{HOST}:{port}/", data=BODY, timeout=TIMEOUT).status_code
        made._auth_request.session.close()
