"""
An application whose clients make their contexts themselves; it prints what became of each exchange as JSON.

Usage: ``python injected_program.py NAME=PORT...``, with variables that have every client trust the lab's authority.
"""

import asyncio
import contextlib
import ftplib
import http.client
import imaplib
import json
import poplib
import smtplib
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

HOST = "localhost"
SECRET = "password=correct-horse-battery-staple"
BODY = SECRET.encode()
TIMEOUT = 30

CALLS: dict[str, tuple[str, Callable[[int], Any]]] = {}
"""Each client's exchange, with the protocol that its server speaks."""


def client(protocol: str = "http") -> Callable[[Callable[[int], Any]], Callable[[int], Any]]:
    """Put an exchange on the table."""

    def register(exchange: Callable[[int], Any]) -> Callable[[int], Any]:
        CALLS[exchange.__name__] = protocol, exchange
        return exchange

    return register


def url(port: int) -> str:
    """Return the URL of a server."""
    return f"https://{HOST}:{port}/"


@client()
def urllib_request(port: int) -> None:
    """Post by urllib."""
    urllib.request.urlopen(url(port), BODY, TIMEOUT).close()


@client()
def http_client(port: int) -> None:
    """Post by http.client."""
    with contextlib.closing(http.client.HTTPSConnection(HOST, port, timeout=TIMEOUT)) as connection:
        connection.request("POST", "/", BODY)
        connection.getresponse().read()


@client()
def urllib3(port: int) -> None:
    """Post by urllib3."""
    import urllib3 as package

    with package.PoolManager(timeout=TIMEOUT, retries=False) as pool:
        pool.request("POST", url(port), body=BODY)


@client()
def requests(port: int) -> None:
    """Post by requests."""
    import requests as package

    package.post(url(port), data=BODY, timeout=TIMEOUT)


@client()
def httpx(port: int) -> None:
    """Post by httpx."""
    import httpx as package

    package.post(url(port), content=BODY, timeout=TIMEOUT)


@client()
async def httpx_asyncio(port: int) -> None:
    """Post by httpx's asyncio client."""
    import httpx as package

    async with package.AsyncClient(timeout=TIMEOUT) as session:
        await session.post(url(port), content=BODY)


@client()
async def aiohttp(port: int) -> None:
    """Post by aiohttp, whose contexts are made when it is imported."""
    import aiohttp as package

    async with package.ClientSession() as session, session.post(url(port), data=BODY) as answer:
        await answer.read()


@client("echo")
async def asyncio_streams(port: int) -> None:
    """Echo over an asyncio stream."""
    reader, writer = await asyncio.open_connection(HOST, port, ssl=True)
    writer.write(BODY)
    await reader.readexactly(len(BODY))
    writer.close()


@client("websocket")
async def websockets(port: int) -> None:
    """Echo a message."""
    from websockets.asyncio.client import connect

    async with connect(f"wss://{HOST}:{port}/", proxy=None) as session:
        await session.send(SECRET)
        await session.recv()


@client()
async def tornado(port: int) -> None:
    """Post by tornado."""
    from tornado.simple_httpclient import SimpleAsyncHTTPClient

    await SimpleAsyncHTTPClient(force_instance=True).fetch(url(port), method="POST", body=BODY)


@client("smtps")
def smtplib_over_tls(port: int) -> None:
    """Send a mail."""
    import ssl

    with smtplib.SMTP_SSL(HOST, port, timeout=TIMEOUT, context=ssl.create_default_context()) as session:
        session.sendmail("a@a.test", ["b@b.test"], SECRET)


@client("imaps")
def imaplib_over_tls(port: int) -> None:
    """Log in."""
    import ssl

    session = imaplib.IMAP4_SSL(HOST, port, ssl_context=ssl.create_default_context(), timeout=TIMEOUT)
    session.login("alice", SECRET)
    session.logout()


@client("pop3s")
def poplib_over_tls(port: int) -> None:
    """Log in."""
    import ssl

    session = poplib.POP3_SSL(HOST, port, timeout=TIMEOUT, context=ssl.create_default_context())
    session.user(SECRET)
    session.quit()


@client("ftp")
def ftplib_over_tls(port: int) -> None:
    """Log in."""
    import ssl

    session = ftplib.FTP_TLS(timeout=TIMEOUT, context=ssl.create_default_context())
    session.connect(HOST, port)
    session.login("alice", SECRET)
    session.quit()


@client("redis")
def redis(port: int) -> None:
    """Set a value."""
    import redis as package
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    with package.Redis(
        HOST, port, ssl=True, protocol=2, retry=Retry(NoBackoff(), 0), socket_timeout=TIMEOUT
    ) as session:
        session.set("key", SECRET)


@client()
def boto3(port: int) -> None:
    """Put an item into a table."""
    import boto3 as package
    import botocore.config

    once = botocore.config.Config(retries={"total_max_attempts": 1})
    session = package.client(
        "dynamodb", endpoint_url=url(port), region_name="x", aws_access_key_id="a", aws_secret_access_key="b",
        config=once,
    )  # fmt: skip
    session.put_item(TableName="table", Item={"key": {"S": SECRET}})


@client()
def truststore(port: int) -> None:
    """Post over a context of truststore."""
    import ssl

    import truststore as package

    context = package.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    urllib.request.urlopen(url(port), BODY, TIMEOUT, context=context).close()


def play(exchange: Callable[[int], Any], port: int) -> str:
    """Play one exchange to its end, and return what an application would see."""
    try:
        result = exchange(port)
        if isinstance(result, Awaitable):
            asyncio.run(result)  # type: ignore[arg-type]
    except Exception as error:  # noqa: BLE001  (whatever the application would see)
        return f"{type(error).__name__}: {error}"
    return "sent"


if __name__ == "__main__":
    asked = dict(word.split("=") for word in sys.argv[1:])
    sys.stdout.write(json.dumps({name: play(CALLS[name][1], int(port)) for name, port in asked.items()}))
