"""
Pins beside what the clients bring themselves: one exchange on a new connection, plain, by fingerprint, and pinned.

A fingerprint of aiohttp takes the place of verification, and one of urllib3 that of the name: they do less, and what a
pin costs on top of a verified connection is the line 'pinned'.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import multiprocessing
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import urllib3
from measuring import compare, race

import pinscher
from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from pinscher.lab.authority import HeldCertificate

LIMIT = 1.05
ROUNDS = 300


def _serve(held: HeldCertificate, pipe: Connection) -> None:
    with TlsServer(held, tickets=False) as server:
        pipe.send(server.port)
        pipe.recv()


@contextlib.contextmanager
def _served(held: HeldCertificate) -> Iterator[int]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(held, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send(None)
        process.join()


def run() -> bool:
    """Measure both clients, and tell whether pins stay in bounds."""
    root = Authority.root("Bench Root")
    held = root.intermediate("Bench Intermediate").issue("localhost")
    policy = pinscher.Policy.loads(
        f'format = 1\nname = "b"\nversion = 1\n[hosts.localhost]\npins = ["{pinscher.Pin.of(held.der)}"]\n'
    )
    with _served(held) as port:
        pinned = pinscher.PinnedContext(policy, trust=root.pem)
        url, digest = f"https://localhost:{port}/", hashlib.sha256(held.der)
        told = _urllib3(url, root.pem, digest.hexdigest(), pinned), _aiohttp(url, digest.digest(), pinned, root)
        return all(told)


def _urllib3(url: str, trust: bytes, fingerprint: str, pinned: pinscher.PinnedContext) -> bool:
    def plain() -> ssl.SSLContext:
        return ssl.create_default_context(cadata=trust.decode())

    pools = {
        "plain": urllib3.PoolManager(ssl_context=plain()),
        "plain again": urllib3.PoolManager(ssl_context=plain()),
        "fingerprint": urllib3.PoolManager(ssl_context=plain(), assert_fingerprint=fingerprint),
        "pinned": urllib3.PoolManager(ssl_context=pinned),
    }
    header = {"Connection": "close"}
    contenders = {name: (lambda pool=pool: pool.request("GET", url, headers=header)) for name, pool in pools.items()}
    return compare("urllib3, a request on a new connection", race(contenders, rounds=ROUNDS), limit=LIMIT)


def _aiohttp(url: str, digest: bytes, pinned: pinscher.PinnedContext, root: Authority) -> bool:
    loop = asyncio.new_event_loop()
    plain = [ssl.create_default_context(cadata=root.pem.decode()) for _ in range(2)]
    ways: dict[str, Any] = dict(
        zip(
            ("plain", "plain again", "fingerprint", "pinned"),
            (*plain, aiohttp.Fingerprint(digest), pinned),
            strict=True,
        )
    )

    async def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))

    client = loop.run_until_complete(session())

    async def exchange(way: Any) -> None:
        async with client.get(url, ssl=way) as reply:
            await reply.read()

    contenders = {name: (lambda way=way: loop.run_until_complete(exchange(way))) for name, way in ways.items()}
    try:
        return compare("aiohttp, a request on a new connection", race(contenders, rounds=ROUNDS), limit=LIMIT)
    finally:
        loop.run_until_complete(client.close())
        loop.close()
