"""Pinned against plain: handshakes, a ping-pong of 64 bytes, and a download of 100 MB."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import socket
import ssl
import statistics
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from measuring import Series, compare, race, shuffled

import pinscher
from pinscher.lab.authority import Authority, HeldCertificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

HOST = "bank.test"
MEGABYTE = 1024 * 1024
DOWNLOAD = 100 * MEGABYTE
_BLOCK = bytes(MEGABYTE)


def _serve(pem: str, pipe: Connection, client_ca: bytes | None = None) -> None:
    """Run in another process: answer 64 bytes with 64, and 'D' with a download."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca.decode())
    context.num_tickets = 0
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        pipe.send(listener.getsockname())
        while True:
            tcp, _ = listener.accept()
            threading.Thread(target=_answer, args=(context, tcp), daemon=True).start()


def _answer(context: ssl.SSLContext, tcp: socket.socket) -> None:
    with contextlib.suppress(OSError), context.wrap_socket(tcp, server_side=True) as secured:
        while received := secured.recv(64):
            if received != b"D":
                secured.sendall(received)
            for _ in range(DOWNLOAD // MEGABYTE if received == b"D" else 0):
                secured.sendall(_BLOCK)


@dataclass
class Bank:
    """A server in a process of its own, and the contexts that reach it."""

    held: HeldCertificate
    address: tuple[str, int]
    trust: bytes
    process: int
    """The server's."""

    def plain(self) -> ssl.SSLContext:
        """Return a context without pins."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.trust.decode())
        return context

    def pinned(self) -> ssl.SSLContext:
        """Return a context that pins the server's key."""
        policy = pinscher.Policy.loads(
            f'format = 1\nname = "bank"\nversion = 1\n[hosts."{HOST}"]\npins = ["{pinscher.Pin.of(self.held.der)}"]\n'
        )
        return pinscher.PinnedContext(policy, trust=self.trust)


def run() -> bool:
    """Measure everything against one server, and tell whether all is in bounds."""
    root = Authority.root("Bench Root")
    held = root.intermediate("Bench Intermediate").issue(HOST)
    with served(held, root) as bank:
        is_good = all([_handshakes(bank), _asyncio_handshakes(bank), _threads(bank), _ping_pong(bank), _download(bank)])
    with served(held, root, asks=True) as bank:
        for version in ("TLSv1_2", "TLSv1_3"):
            is_good &= _client_certificates(bank, root, version)
    return is_good


@contextlib.contextmanager
def served(held: HeldCertificate, root: Authority, *, asks: bool = False) -> Iterator[Bank]:
    """Yield a bank that shows a certificate, in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    with tempfile.NamedTemporaryFile(suffix=".pem") as pem:
        pem.write(held.key_pem + held.chain_pem)
        pem.flush()
        client_ca = root.pem if asks else None
        server = multiprocessing.Process(target=_serve, args=(pem.name, theirs, client_ca), daemon=True)
        server.start()
        try:
            yield Bank(held, ours.recv(), root.pem, server.pid or 0)
        finally:
            server.terminate()
            server.join()


def connect(bank: Bank, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Return a connection that can carry data."""
    return context.wrap_socket(socket.create_connection(bank.address), server_hostname=HOST)


def _handshakes(bank: Bank) -> bool:
    """
    Measure from the TCP connection to a connection that can carry data, and close it off the clock.

    What ``close`` costs depends on whether the server already sleeps in ``recv`` and has to be woken: whoever
    finished the handshake later pays for that, pinned or not.
    """
    contexts = {"plain": bank.plain(), "plain again": bank.plain(), "pinned": bank.pinned()}
    contenders = {name: (lambda context=context: connect(bank, context)) for name, context in contexts.items()}
    series = race(contenders, rounds=1500, after=ssl.SSLSocket.close)
    return compare("full handshakes, blocking sockets", series, limit=1.02)


def _asyncio_handshakes(bank: Bank) -> bool:
    loop = asyncio.new_event_loop()

    async def connect(context: ssl.SSLContext) -> asyncio.StreamWriter:
        _, writer = await asyncio.open_connection(*bank.address, ssl=context, server_hostname=HOST)
        return writer

    async def close(writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()
        await asyncio.sleep(0)

    contexts = {"plain": bank.plain(), "plain again": bank.plain(), "pinned": bank.pinned()}
    contenders = {
        name: (lambda context=context: loop.run_until_complete(connect(context))) for name, context in contexts.items()
    }
    try:
        series = race(contenders, rounds=1000, after=lambda writer: loop.run_until_complete(close(writer)))
        return compare("full handshakes, asyncio streams", series, limit=1.02)
    finally:
        loop.close()


def _client_certificates(bank: Bank, root: Authority, version: str) -> bool:
    """Measure handshakes with a client certificate, which is shown after the judgement alone."""
    held = root.issue_client("alice")
    contexts = {"plain": bank.plain(), "plain again": bank.plain(), "pinned": bank.pinned()}
    with tempfile.NamedTemporaryFile(suffix=".pem") as pem:
        pem.write(held.key_pem + held.chain_pem)
        pem.flush()
        for context in contexts.values():
            context.load_cert_chain(pem.name)
            context.maximum_version = ssl.TLSVersion[version]
    contenders = {name: (lambda context=context: connect(bank, context)) for name, context in contexts.items()}
    series = race(contenders, rounds=800, after=ssl.SSLSocket.close)
    return compare(f"full handshakes with a client certificate, {version}", series, limit=1.10)


def _threads(bank: Bank) -> bool:
    """Measure eight threads that share a context; a lock in a handshake's way would have them wait for each other."""
    contexts = {"plain": bank.plain(), "plain again": bank.plain(), "pinned": bank.pinned()}

    def several(context: ssl.SSLContext) -> None:
        for _ in range(5):
            connect(bank, context).close()

    with ThreadPoolExecutor(8) as pool:
        contenders = {
            name: (lambda context=context: list(pool.map(several, [context] * 8))) for name, context in contexts.items()
        }
        return compare("forty full handshakes by eight threads", race(contenders, rounds=100), limit=1.03)


def _ping_pong(bank: Bank) -> bool:
    """
    Measure round trips on one processor, over connections that are made anew again and again.

    A thread of the server that shares the processor with the client answers four times as fast as one that does not,
    and each connection's thread stays where it began: that would be one connection's luck for the whole run.
    """
    contexts, message = _one_at_a_time(bank), bytes(64)

    def play(secured: ssl.SSLSocket) -> None:
        secured.send(message)
        secured.recv(64)

    total = {name: Series([], []) for name in contexts}
    for _ in range(40):
        with _on_one_processor(bank), contextlib.ExitStack() as stack:
            open_now = {name: stack.enter_context(connect(bank, contexts[name])) for name in shuffled(contexts)}
            contenders = {name: (lambda secured=secured: play(secured)) for name, secured in open_now.items()}
            for name, series in race(contenders, rounds=80, repeat=20).items():
                total[name].wall.append(statistics.median(series.wall))
                total[name].cpu.append(statistics.median(series.cpu))
    return compare("64 bytes there and back, on one processor", total, limit=1.03)


@contextlib.contextmanager
def _on_one_processor(bank: Bank) -> Iterator[None]:
    """Keep this thread and the server's later ones on one processor, where the system can be told so."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    for process in (0, bank.process):
        os.sched_setaffinity(process, {min(before)})
    try:
        yield
    finally:
        for process in (0, bank.process):
            os.sched_setaffinity(process, before)


def _one_at_a_time(bank: Bank) -> dict[str, ssl.SSLContext]:
    return {"plain": bank.plain(), "plain again": bank.plain(), "pinned": bank.pinned()}


def _download(bank: Bank) -> bool:
    buffer = bytearray(MEGABYTE)

    def play(context: ssl.SSLContext) -> None:
        with connect(bank, context) as secured:
            secured.send(b"D")
            left = DOWNLOAD
            while left:
                left -= secured.recv_into(buffer)

    contenders = {name: (lambda context=context: play(context)) for name, context in _one_at_a_time(bank).items()}
    with _on_one_processor(bank):
        series = race(contenders, rounds=20)
    return compare("a download of 100 MB, on one processor", series, limit=1.01)
