"""Pinned against plain, for every client of the table that takes a context: one whole exchange on a new connection."""

from __future__ import annotations

import contextlib
import importlib
import logging
import multiprocessing
import ssl
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring import race, ratio

import pinscher
from pinscher.lab.authority import Authority
from pinscher.lab.protocols.http2 import http2
from pinscher.lab.protocols.kafka import Kafka
from pinscher.lab.server import TlsServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

LIMIT = 1.02
SECONDS = 6.0
"""What a client may take for all its rounds."""
ROUNDS = 40, 1000
"""The fewest and the most rounds of a client."""

sys.path.insert(0, str(Path(__file__).parent.parent))


def _table() -> Any:
    rooms = "tests.conformance.by_hand", "tests.conformance.proxied", "tests.conformance.clients_streams"
    for name in (*rooms, *(f"tests.conformance.clients_{kind}" for kind in ("adapted", "databases", "messaging"))):
        importlib.import_module(name)
    return importlib.import_module("tests.conformance.clients")


def _serve(place: int, held: Any, pipe: Connection) -> None:
    """Run in another process: the server that one client of the table expects, until it is told to stop."""
    client = _table().CLIENTS[place]
    is_http2 = client.protocol == "http2"
    protocol = http2 if is_http2 else client.protocol
    with TlsServer(
        held, protocol=protocol, alpn=["h2"] if is_http2 else [], maximum_version=client.talks_at_most, tickets=False
    ) as server:
        if isinstance(protocol, Kafka):
            protocol.port = server.port
        pipe.send(server.port)
        pipe.recv()


@contextlib.contextmanager
def _served(place: int, held: Any) -> Iterator[int]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(place, held, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send(None)
        process.join()


def run(*names: str) -> bool:
    """Measure each client, or those named, print its ratio and its noise floor, and tell whether all are in bounds."""
    table = _table()
    logging.disable(logging.CRITICAL)
    root = Authority.root("Bench Root")
    held = root.intermediate("Bench Intermediate").issue(table.HOST)
    policy = pinscher.Policy.loads(
        f'format = 1\nname = "b"\nversion = 1\n[hosts.{table.HOST}]\npins = ["{pinscher.Pin.of(held.der)}"]\n'
    )
    print(f"\none exchange of each client, pinned against plain (limit {LIMIT}, or the client's own noise floor)")
    is_good = True
    for place, client in enumerate(table.CLIENTS):
        if names and str(client) not in names:
            continue
        contexts = {name: _plain(root) for name in ("plain", "plain again")}
        contexts["pinned"] = pinscher.PinnedContext(policy, trust=root.pem)
        with _served(place, held) as port:
            is_good &= _measured(client, contexts, port)
    return is_good


def _plain(root: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=root.pem.decode())
    return context


def _measured(client: Any, contexts: dict[str, ssl.SSLContext], port: int) -> bool:
    contenders = {name: (lambda context=context: client.exchange(context, port)) for name, context in contexts.items()}
    contenders["plain"]()
    began = time.perf_counter()
    contenders["plain"]()
    once = time.perf_counter() - began
    series = race(contenders, rounds=max(ROUNDS[0], min(ROUNDS[1], int(SECONDS / 3 / once))))
    again, pinned = (ratio(series[name].wall, series["plain"].wall) for name in ("plain again", "pinned"))
    floor = max(again[0], 1 / again[0], again[2])
    is_good = pinned[0] <= max(LIMIT, floor)
    print(
        f"  {client!s:34} {once * 1e3:7.2f} ms   {pinned[0]:.3f}  ({pinned[1]:.3f} to {pinned[2]:.3f})   "
        f"floor {floor:.3f}   {'' if is_good else 'ABOVE'}"
    )
    return is_good


if __name__ == "__main__":
    sys.exit(not run(*sys.argv[1:]))
