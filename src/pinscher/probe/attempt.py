"""
One connection of many, on an event loop: to one address, within one deadline, with memory buffers around stock TLS.

Rules of this file:

1. What is seen is what ``observation`` would see: a verified handshake first, and a second, unverified one for showing
   only where verification refused.
2. Nothing is sent but what the handshake sends.
3. What blocks (the platform's resolver, the words before TLS) runs in a thread of its own, which holds nothing up when
   it hangs; how many there are at a time is bounded.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pinscher.errors import escaped
from pinscher.probe.connection import Deadline, NoAnswerError
from pinscher.probe.endpoint import Protocol
from pinscher.probe.observation import (
    ChainReader,
    Observation,
    handshake_failure,
    observation_of,
    showing_context,
    verifying_context,
)
from pinscher.probe.starttls import speak_preamble

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.probe.endpoint import Endpoint
    from pinscher.probe.trust import Trust

T = TypeVar("T")
Address = tuple[int, tuple[str, int]]
"""A family and what ``connect`` takes."""

_THREADS = 32
_AT_ONCE = 16_384
"""Octets received at once: those of one TLS record."""


@dataclass(slots=True)
class Prober:
    """What all connections of one run share: the contexts, the reader of chains, and the bound on threads."""

    trust: Trust
    chains: ChainReader
    seconds: float
    _verifying: ssl.SSLContext = field(init=False)
    _showing: ssl.SSLContext = field(init=False)
    _described: str = field(init=False)
    _threads: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        """Load the roots once."""
        self._verifying = verifying_context(self.trust)
        self._showing = showing_context()
        self._described = self.trust.describe()
        self._threads = asyncio.Semaphore(_THREADS)

    async def addresses(self, endpoint: Endpoint, family: socket.AddressFamily) -> list[Address]:
        """Return every address of an endpoint in the resolver's order; raise :class:`NoAnswerError` for none."""
        host = endpoint.connect_to or endpoint.host
        literal = _literal(host, endpoint.port, family)
        if literal is not None:
            return [literal]

        def look_up() -> list[Address]:
            """Ask the system, which cannot be asked without waiting."""
            answers = socket.getaddrinfo(host, endpoint.port, family=family, type=socket.SOCK_STREAM)
            return [(found, (str(address[0]), endpoint.port)) for found, _, _, _, address in answers]

        try:
            async with asyncio.timeout(self.seconds):
                return list(dict.fromkeys(await self._aside(look_up)))
        except TimeoutError:
            raise NoAnswerError(endpoint, f"its name was not looked up within {self.seconds:g} s") from None
        except (OSError, UnicodeError) as error:
            # Python encodes the name before it asks, and a label may be none.
            told = getattr(error, "strerror", None) or str(error)
            raise NoAnswerError(endpoint, escaped(told.lower())) from None

    async def observe(self, endpoint: Endpoint, address: Address) -> Observation:
        """Return what an endpoint shows at one address; raise what ``observe`` of one endpoint raises."""
        try:
            return await self._connection(endpoint, address, None)
        except ssl.SSLCertVerificationError as error:
            refusal = escaped(error.verify_message or str(error))
        return await self._connection(endpoint, address, refusal)

    async def _connection(self, endpoint: Endpoint, address: Address, refusal: str | None) -> Observation:
        family, where = address
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            async with asyncio.timeout(self.seconds):
                await self._reach(connection, endpoint, where)
                secured = await self._handshake(connection, endpoint, refusal)
        except TimeoutError:
            raise NoAnswerError(endpoint, f"{where[0]}: nothing within {self.seconds:g} s") from None
        finally:
            connection.close()
        return observation_of(
            secured, endpoint, address=where[0], chains=self.chains, trust=self._described, verification_error=refusal
        )

    async def _reach(self, connection: socket.socket, endpoint: Endpoint, where: tuple[str, int]) -> None:
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, where)
            if endpoint.protocol is not Protocol.TLS:
                deadline = Deadline.after(self.seconds)
                await self._aside(lambda: speak_preamble(connection, endpoint.protocol, left=deadline.left))
                connection.setblocking(False)
        except TimeoutError:
            raise
        except OSError as error:
            told = os.strerror(error.errno) if error.errno else str(error)
            raise NoAnswerError(endpoint, f"{where[0]}: {escaped(told.lower())}") from None

    async def _handshake(self, connection: socket.socket, endpoint: Endpoint, refusal: str | None) -> ssl.SSLObject:
        loop = asyncio.get_running_loop()
        incoming, outgoing, held = ssl.MemoryBIO(), ssl.MemoryBIO(), bytearray()
        context = self._verifying if refusal is None else self._showing
        secured = context.wrap_bio(incoming, outgoing, server_hostname=endpoint.host)
        try:
            while not _is_done(secured):
                await loop.sock_sendall(connection, outgoing.read())
                received = await loop.sock_recv(connection, _AT_ONCE)
                held += received
                whole = _whole_records(held) if received else len(held)
                incoming.write(held[:whole])
                del held[:whole]
                if not received:
                    # OpenSSL is told, and says in its own words what was missing.
                    incoming.write_eof()
            await loop.sock_sendall(connection, outgoing.read())
        except (ssl.SSLCertVerificationError, TimeoutError):
            raise
        except OSError as error:
            raise NoAnswerError(endpoint, handshake_failure(error)) from None
        return secured

    async def _aside(self, play: Callable[[], T]) -> T:
        """Run *play* in a daemon thread (rule 3); a cancelled wait leaves the thread to its own end."""
        async with self._threads:
            loop = asyncio.get_running_loop()
            done: asyncio.Future[T] = loop.create_future()
            threading.Thread(target=_play, args=(play, done, loop), daemon=True).start()
            return await done


def _literal(host: str, port: int, family: socket.AddressFamily) -> Address | None:
    """Return an address that is written out, which nobody has to look up."""
    for known in (socket.AF_INET, socket.AF_INET6):
        if family in (known, socket.AF_UNSPEC):
            try:
                socket.inet_pton(known, host)
            except (OSError, ValueError):
                # A text that cannot even be handed over is no address, and may be no name either.
                continue
            return known, (host, port)
    return None


def _whole_records(received: bytearray) -> int:
    """
    Return how many octets from the start are whole TLS records; OpenSSL judges them, and everything odd as well.

    For a record that is not whole OpenSSL would keep a buffer of 16 KB, in every probe that waits for the rest.
    """
    end = 0
    while end + 5 <= len(received):
        length = int.from_bytes(received[end + 3 : end + 5])
        if length > _LONGEST_RECORD:
            return len(received)
        if end + 5 + length > len(received):
            break
        end += 5 + length
    return end


_LONGEST_RECORD = 16_384 + 2048
"""Octets of a record after its header, at most (RFC 5246 section 6.2.3)."""


def _is_done(secured: ssl.SSLObject) -> bool:
    try:
        secured.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _play(play: Callable[[], T], done: asyncio.Future[T], loop: asyncio.AbstractEventLoop) -> None:
    try:
        answer = play()
    except BaseException as error:  # noqa: BLE001  (raised again where it is waited for)
        _tell(loop, _settle, done, None, error)
    else:
        _tell(loop, _settle, done, answer, None)


def _tell(loop: asyncio.AbstractEventLoop, *call: object) -> None:
    try:
        loop.call_soon_threadsafe(*call)  # type: ignore[arg-type]
    except RuntimeError:
        # The loop was closed while this thread still waited for its server: nobody wants the answer any more.
        return


def _settle(done: asyncio.Future[T], answer: T, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(answer)
    else:
        done.set_exception(error)
