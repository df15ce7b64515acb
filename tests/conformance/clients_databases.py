"""Databases' clients that take a context; what an impostor would get is the name of a user."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from .clients import HOST, SECRET, TIMEOUT, client

if TYPE_CHECKING:
    import ssl


@client("PyMySQL", "PyMySQL", "`connect(..., ssl=context)`", protocol="mysql")
def pymysql_connection(context: ssl.SSLContext, port: int) -> None:
    """Connect as a user whose name is the secret."""
    import pymysql

    with contextlib.closing(
        pymysql.connect(host=HOST, port=port, user=SECRET, password="", ssl=context, connect_timeout=TIMEOUT)
    ) as connection:
        connection.ping(reconnect=False)


@client("aiomysql", "aiomysql", "`connect(..., ssl=context)`", protocol="mysql")
async def aiomysql_connection(context: ssl.SSLContext, port: int) -> None:
    """Connect as a user whose name is the secret."""
    import aiomysql

    connection = await aiomysql.connect(
        host=HOST, port=port, user=SECRET, password="", ssl=context, connect_timeout=TIMEOUT
    )
    await connection.ping(reconnect=False)
    connection.close()
