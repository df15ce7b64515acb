"""
One local connection, and the pinned one that carries it onward.

Rules of this file:

1. Nothing of what the local client sends is passed on before the upstream was judged, nor kept beyond one buffer.
2. Each direction is passed on by itself, block by block, and its end by itself.
3. An end that is not clean is passed on as a reset, not as an end: what the other side has may be incomplete. A socket
   in the file system knows no reset, and shows its end alone.
4. Whatever ends a connection is told once.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from pinscher.clients.forwarder.events import Event, Kind
from pinscher.clients.forwarder.secured import BLOCK, SecuredStream, Streams, TruncatedError, hold_nothing_back
from pinscher.diagnosis import Facts, diagnose, explain
from pinscher.errors import PinningError, escaped
from pinscher.tls import PinMismatchError, verdict_of
from pinscher.tls._standins import may_receive
from pinscher.verdict import Action, Outcome

try:
    import fcntl
    import termios
except ImportError:  # Windows, which does not say what waits to be sent
    fcntl = termios = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from pinscher.tls import PinnedContext
    from pinscher.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server, by the canonical name that TLS verifies; ``address`` replaces the one that DNS would give."""

    host: str
    port: int
    address: str | None = None

    def __str__(self) -> str:
        """Return host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What bounds one connection, in seconds."""

    opening: float = 10.0
    """For connecting and shaking hands, and for what was received to reach a client that is about to be reset."""
    lingering: float = 2.0
    """Of silence, until an upstream that was told by TLS that its client has ended is told so by TCP."""
    idle: float | None = None
    """Without a byte in either direction; None for no limit."""


Tell: TypeAlias = Callable[[Event], object]
Dial: TypeAlias = Callable[[Upstream], Awaitable[socket.socket]]
"""Returns a connected socket on which a ClientHello comes next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What the connections of one listening place share."""

    context: PinnedContext
    local: str
    upstream: Upstream
    limits: Limits
    tell: Tell
    dial: Dial | None


class Link:
    """A local connection on its way through; ``run`` carries it to its end."""

    def __init__(self, route: Route, number: int, streams: Streams) -> None:
        self._route = route
        self._number = number
        self._reader, self._writer = streams
        hold_nothing_back(self._writer)
        self._sent = self._received = 0
        self._secured: SecuredStream | None = None
        self._refused: PinMismatchError | None = None
        self._has_answered = asyncio.Event()
        self._idle: asyncio.Timeout | None = None
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Open the upstream connection, pass everything on, and tell how it ended."""
        # What is not expected is no clean end either.
        error: BaseException | None = asyncio.CancelledError()
        try:
            self._secured = await self._opened()
            self._tell_opened(self._secured)
            await self._pass_on(self._secured)
            error = None
        except (OSError, PinningError, asyncio.CancelledError) as raised:
            error = self._refused or raised
        except ExceptionGroup as group:
            expected, others = group.split((OSError, PinningError))
            if others is not None:
                raise
            error = self._refused or (expected or group).exceptions[0]
        finally:
            await self._end(error)
        self._tell_end(error)

    def judge_again(self) -> tuple[bool, bool]:
        """
        Look what a new policy made of this connection: whether it is cut, and whether it may only receive.

        One that is cut is reset at once, for the context itself ends it only when it is used.
        """
        tls = None if self._secured is None else self._secured.tls
        if tls is None or tls.gate is None or not tls.gate.is_refused:
            return False, False
        if may_receive(tls):
            return False, True
        try:
            tls.gate.before()
        except PinMismatchError as refused:
            self._refused = refused
        self.cut()
        return True, False

    def cut(self) -> bool:
        """End the connection now; tell whether it was not told to end before."""
        return self.task is not None and not self.task.cancelling() and self.task.cancel()

    async def _opened(self) -> SecuredStream:
        route = self._route
        try:
            async with asyncio.timeout(route.limits.opening) as limit:
                streams = await _connected(route)
                return await SecuredStream.open(route.context, route.upstream.host, streams)
        except TimeoutError:
            if not limit.expired():
                raise
            raise TimeoutError(f"no TLS connection within {route.limits.opening:g} s") from None

    async def _pass_on(self, secured: SecuredStream) -> None:
        try:
            async with asyncio.timeout(self._route.limits.idle) as self._idle, asyncio.TaskGroup() as both:
                both.create_task(self._outward(secured))
                both.create_task(self._inward(secured))
        except TimeoutError:
            raise TimeoutError(f"nothing moved for {self._route.limits.idle:g} s") from None

    async def _outward(self, secured: SecuredStream) -> None:
        while block := await self._reader.read(BLOCK):
            await secured.send(block)
            self._sent += len(block)
            self._moved()
        await secured.end()
        await self._linger(secured)

    async def _linger(self, secured: SecuredStream) -> None:
        """End TCP too, once the upstream was silent for a while: some (gRPC's) pass over close_notify, and wait."""
        seen = -1
        while not self._has_answered.is_set() and seen != self._received:
            seen = self._received
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._has_answered.wait(), self._route.limits.lingering)
        if not self._has_answered.is_set():
            secured.finish()

    async def _inward(self, secured: SecuredStream) -> None:
        while block := await secured.receive():
            self._writer.write(block)
            await self._writer.drain()
            self._received += len(block)
            self._moved()
        self._has_answered.set()
        self._writer.write_eof()

    def _moved(self) -> None:
        if self._idle is not None and self._route.limits.idle is not None:
            self._idle.reschedule(asyncio.get_running_loop().time() + self._route.limits.idle)

    async def _end(self, error: BaseException | None) -> None:
        """End both sides: cleanly where both directions ended so, otherwise by a reset (rule 3)."""
        if error is None and self._secured is not None:
            self._secured.close()
            self._writer.close()
            return
        if self._secured is not None:
            self._secured.abort()
        if isinstance(error, TruncatedError):
            with contextlib.suppress(asyncio.CancelledError):
                await _delivered(self._writer, self._route.limits.opening)
        reset(self._writer)

    def _tell_opened(self, secured: SecuredStream) -> None:
        verdict: Verdict = secured.tls.verdict
        self._tell(Kind.OPENED, f"{self._route.upstream} was let through: {verdict.outcome.value}", verdict=verdict)
        if verdict.outcome not in (Outcome.MATCH, Outcome.NOT_PINNED):
            explanation = explain(verdict, diagnose(verdict, Facts()))
            text = f"report-only: {self._route.upstream} was let through: {verdict.outcome.value}"
            self._tell(Kind.REPORTED, text, verdict=verdict, explanation=explanation)

    def _tell_end(self, error: BaseException | None) -> None:
        upstream = self._route.upstream
        if error is None or isinstance(error, asyncio.CancelledError):
            how = "both sides ended it" if error is None else "the forwarder stopped"
            self._tell(Kind.CLOSED, f"connection to {upstream} closed: {how}")
            return
        verdict = verdict_of(error)
        if verdict is None or verdict.action is not Action.BLOCK:
            self._tell(Kind.FAILED, f"connection to {upstream} failed: {_failure(error)}")
            return
        kind, what = (Kind.REFUSED, "refused") if self._secured is None else (Kind.WITHDRAWN, "withdrawn")
        text = f"connection to {upstream} {what}: {verdict.outcome.value}"
        self._tell(kind, text, verdict=verdict, explanation=_explanation(error))

    def _tell(self, kind: Kind, text: str, **more: Any) -> None:
        route = self._route
        self._route.tell(
            Event(kind=kind, text=text, local=route.local, upstream=str(route.upstream), connection=self._number,
                  sent=self._sent, received=self._received, **more)
        )  # fmt: skip


async def _connected(route: Route) -> Streams:
    upstream = route.upstream
    if route.dial is None:
        where = upstream.address or upstream.host
        streams = await asyncio.open_connection(where, upstream.port, limit=BLOCK, happy_eyeballs_delay=0.25)
    else:
        dialled = await route.dial(upstream)
        dialled.setblocking(False)
        streams = await asyncio.open_connection(sock=dialled, limit=BLOCK)
    # An upstream that vanished without a word is noticed some day.
    streams[1].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return streams


def _explanation(error: BaseException) -> str:
    if isinstance(error, PinMismatchError):
        return explain(error.verdict, error.diagnosis)
    return "\n".join(getattr(error, "__notes__", ()))


def _failure(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"TLS: {escaped(error.reason.lower().replace('_', ' '))}"
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return escaped(said[:1].lower() + said[1:])


_LINGER = struct.pack("ii", 1, 0)
_A_MOMENT = 0.02


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection so that its other side sees that it was cut."""
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    writer.transport.abort()


async def _delivered(writer: asyncio.StreamWriter, seconds: float) -> None:
    """Wait until a client has what was sent to it, for a reset takes away what still waits to be sent."""
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(seconds):
            # The operating system has no event for this.
            while not writer.transport.is_closing() and _unsent(writer):  # noqa: ASYNC110
                await asyncio.sleep(_A_MOMENT)


def _unsent(writer: asyncio.StreamWriter) -> int:
    connection = writer.get_extra_info("socket")
    if fcntl is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return 0
    count: int = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
    return count
