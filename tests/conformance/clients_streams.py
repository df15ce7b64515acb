"""More loops, web sockets, web and mail clients that take a context."""

from __future__ import annotations

import asyncio
import contextlib
import ftplib
import functools
import poplib
from typing import TYPE_CHECKING, Any

from pinscher.lab.protocols.http import read_request, response

from .clients import BODY, HOST, SECRET, TIMEOUT, asyncio_start_tls, asyncio_streams, client

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from pinscher.lab.conversation import Conversation


def _on_uvloop(exchange: Callable[[ssl.SSLContext, int], Any]) -> Callable[[ssl.SSLContext, int], None]:
    def play(context: ssl.SSLContext, port: int) -> None:
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(exchange(context, port))

    return play


client("uvloop streams", "uvloop", "`open_connection(host, port, ssl=context)`", protocol="echo")(
    _on_uvloop(asyncio_streams)
)
client("uvloop start_tls", "uvloop", "`StreamWriter.start_tls(context, server_hostname=host)`", protocol="smtp")(
    _on_uvloop(asyncio_start_tls)
)


@client("tornado", "tornado", "`AsyncHTTPClient().fetch(url, ssl_options=context)`")
async def tornado_fetch(context: ssl.SSLContext, port: int) -> None:
    """Post a form."""
    from tornado.simple_httpclient import SimpleAsyncHTTPClient

    with contextlib.closing(SimpleAsyncHTTPClient(force_instance=True)) as session:
        answer = await session.fetch(f"https://{HOST}:{port}/", method="POST", body=BODY, ssl_options=context)
        assert 200 == answer.code


@client("tornado, TCPClient", "tornado", "`TCPClient().connect(host, port, ssl_options=context)`", protocol="echo")
async def tornado_stream(context: ssl.SSLContext, port: int) -> None:
    """Echo a line."""
    from tornado.tcpclient import TCPClient

    with contextlib.closing(await TCPClient().connect(HOST, port, ssl_options=context)) as stream:
        await stream.write(BODY)
        assert BODY == await stream.read_bytes(len(BODY))


@client(
    "websocket-client",
    "websocket-client",
    '`create_connection(url, sslopt={"context": context})`',
    protocol="websocket",
)
def websocket_client(context: ssl.SSLContext, port: int) -> None:
    """Echo a message."""
    import websocket

    url, options = f"wss://{HOST}:{port}/", {"context": context}
    with contextlib.closing(websocket.create_connection(url, TIMEOUT, sslopt=options)) as socket_:
        socket_.send(SECRET)
        assert SECRET == socket_.recv()


@client("poplib", "poplib", "`POP3_SSL(host, port, context=context)`", protocol="pop3s")
def pop3_implicit(context: ssl.SSLContext, port: int) -> None:
    """Log in."""
    with contextlib.closing(poplib.POP3_SSL(HOST, port, context=context, timeout=TIMEOUT)) as session:
        session.user("ada")
        session.pass_(SECRET)


@client("poplib, STLS", "poplib", "`stls(context=context)`", protocol="pop3")
def pop3_upgraded(context: ssl.SSLContext, port: int) -> None:
    """Log in once the connection is upgraded."""
    with contextlib.closing(poplib.POP3(HOST, port, timeout=TIMEOUT)) as session:
        session.stls(context=context)
        session.user("ada")
        session.pass_(SECRET)


@client("ftplib", "ftplib", "`FTP_TLS(context=context)`", protocol="ftp")
def ftp_upgraded(context: ssl.SSLContext, port: int) -> None:
    """Log in; ftplib asks for TLS before it says the name."""
    with contextlib.closing(ftplib.FTP_TLS(context=context, timeout=TIMEOUT)) as session:
        session.connect(HOST, port)
        session.login("ada", SECRET)


async def _aiosmtplib(context: ssl.SSLContext, port: int, **options: Any) -> None:
    import aiosmtplib

    session = aiosmtplib.SMTP(hostname=HOST, port=port, tls_context=context, timeout=TIMEOUT, **options)
    try:
        await session.connect()
        await session.execute_command(b"EHLO", BODY)
    finally:
        session.close()


client("aiosmtplib", "aiosmtplib", "`SMTP(use_tls=True, tls_context=context)`", protocol="smtps")(
    functools.partial(_aiosmtplib, use_tls=True)
)
client("aiosmtplib, STARTTLS", "aiosmtplib", "`SMTP(start_tls=True, tls_context=context)`", protocol="smtp")(
    functools.partial(_aiosmtplib, start_tls=True)
)


@client("IMAPClient", "IMAPClient", "`IMAPClient(host, ssl_context=context)`", protocol="imaps")
def imapclient_implicit(context: ssl.SSLContext, port: int) -> None:
    """Log in."""
    from imapclient import IMAPClient

    session = IMAPClient(HOST, port, ssl_context=context, timeout=TIMEOUT)
    try:
        session.login("ada", SECRET)
    finally:
        session.shutdown()


@client("IMAPClient, STARTTLS", "IMAPClient", "`starttls(ssl_context=context)`", protocol="imap")
def imapclient_upgraded(context: ssl.SSLContext, port: int) -> None:
    """Log in once the connection is upgraded."""
    from imapclient import IMAPClient

    session = IMAPClient(HOST, port, ssl=False, timeout=TIMEOUT)
    try:
        session.starttls(ssl_context=context)
        session.login("ada", SECRET)
    finally:
        session.shutdown()


def as_elasticsearch(conversation: Conversation) -> None:
    """Answer every request as an Elasticsearch server that has taken it."""
    conversation.secure()
    while read_request(conversation):
        named = {
            "x-elastic-product": "Elasticsearch",
            "content-type": "application/vnd.elasticsearch+json; compatible-with=9",
        }
        conversation.send(response(200, b'{"result": "created"}', **named))


@client("elasticsearch", "elasticsearch", "`Elasticsearch(url, ssl_context=context)`", protocol=as_elasticsearch)
def elasticsearch_index(context: ssl.SSLContext, port: int) -> None:
    """Store a document, with the retries that the client makes by default."""
    from elasticsearch import Elasticsearch

    with Elasticsearch(f"https://{HOST}:{port}", ssl_context=context, request_timeout=TIMEOUT) as session:
        assert "created" == session.index(index="bank", document={"secret": SECRET})["result"]


@client(
    "elasticsearch, asyncio",
    "elasticsearch",
    "`AsyncElasticsearch(url, ssl_context=context)`",
    protocol=as_elasticsearch,
)
async def elasticsearch_index_async(context: ssl.SSLContext, port: int) -> None:
    """Store a document."""
    from elasticsearch import AsyncElasticsearch

    async with AsyncElasticsearch(f"https://{HOST}:{port}", ssl_context=context, request_timeout=TIMEOUT) as session:
        assert "created" == (await session.index(index="bank", document={"secret": SECRET}))["result"]
