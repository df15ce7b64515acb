"""A forwarder: listening places, each with its upstream, and one pinned context for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING

from pinscher.clients.forwarder.events import Event, Kind
from pinscher.clients.forwarder.link import Dial, Limits, Link, Route, Tell, Upstream, reset
from pinscher.clients.forwarder.secured import BLOCK, Streams
from pinscher.errors import PinningError

if TYPE_CHECKING:
    from pinscher.clients.forwarder.listening import Listening, Place
    from pinscher.policy import Policy
    from pinscher.tls import PinnedContext


class UnpinnedUpstreamError(PinningError):
    """An upstream that the policy does not pin; ``host`` names it."""

    def __init__(self, policy: Policy, host: str) -> None:
        super().__init__(f"policy {policy.name!r} pins no key of '{host}': a pinned forwarder to it would pin nothing")
        self.host = host


class Forwarder:
    """
    Carries local connections onward over pinned TLS.

    Args:
        context: the pinned context of every upstream connection.
        limits: what bounds a connection.
        tell: called with every event, in the event loop; it must not block for long.
        dial: makes the TCP connection, for protocols that begin in clear; None for TLS from the first byte.

    It must be made and used inside one event loop.
    """

    def __init__(
        self, context: PinnedContext, *, tell: Tell, limits: Limits | None = None, dial: Dial | None = None
    ) -> None:
        self._context = context
        self._limits = limits or Limits()
        self._tell = tell
        self._dial = dial
        self._listening: list[Listening] = []
        self._servers: list[asyncio.Server] = []
        self._upstreams: list[Upstream] = []
        self._links: set[Link] = set()
        self._cut = 0
        self._is_stopping = False
        self._numbers = itertools.count(1)

    @property
    def connections(self) -> int:
        """How many local connections are open."""
        return len(self._links)

    async def listen(self, place: Place, upstream: Upstream) -> Place:
        """
        Listen on *place* and carry what connects there to *upstream*; return the place with its actual port.

        Raises :class:`ListenError` where nobody can listen, and :class:`UnpinnedUpstreamError` for an upstream whose
        keys the policy does not pin.
        """
        policy = self._context.policy
        if not _pins(policy, upstream.host):
            raise UnpinnedUpstreamError(policy, upstream.host)
        listening = place.listen()
        self._listening.append(listening)
        local = str(listening.place)
        route = Route(context=self._context, local=local, upstream=upstream, limits=self._limits, tell=self._tell,
                      dial=self._dial)  # fmt: skip

        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            """Begin to carry a connection."""
            self._begin(route, (reader, writer))

        starting = asyncio.start_unix_server if listening.place.port is None else asyncio.start_server
        self._servers.append(await starting(accepted, sock=listening.socket, limit=BLOCK, backlog=_BACKLOG))
        self._upstreams.append(upstream)
        text = f"listening on {local} for {upstream}"
        self._tell(Event(kind=Kind.LISTENING, text=text, local=local, upstream=str(upstream)))
        return listening.place

    def replace(self, policy: Policy) -> None:
        """
        Put another policy in force for what connects and for what is open.

        A connection whose key it denies is reset at once. One whose key it merely no longer lists may receive, and is
        reset when its client sends.
        """
        before = self._context.policy
        self._context.policy = policy
        judged = [link.judge_again() for link in self._links]
        cut, receiving = (sum(column) for column in zip((0, 0), *judged, strict=True))
        unpinned = sorted({one.host for one in self._upstreams if not _pins(policy, one.host)})
        text = f"policy {policy.name!r} version {policy.version} is in force after version {before.version}"
        text += f"; {cut} connections cut, {receiving} may only receive"
        text += f"; it pins no key of {', '.join(unpinned)}" if unpinned else ""
        self._tell(Event(kind=Kind.RELOADED, text=text))

    async def stop(self, seconds: float) -> int:
        """Take no more connections, give those that are open *seconds* to end, cut the rest; return how many."""
        self._is_stopping = True
        await self._accept_no_more()
        for server in self._servers:
            server.close()
        for listening in self._listening:
            listening.remove()
        open_now = [link.task for link in self._links if link.task is not None]
        pending = (await asyncio.wait(open_now, timeout=seconds))[1] if open_now else set()
        self.cut()
        if pending:
            await asyncio.wait(pending)
        # What was closed in this turn of the event loop is closed in the next.
        await asyncio.sleep(0)
        if self._upstreams:
            self._tell(Event(kind=Kind.STOPPED, text=f"stopped; {self._cut} open connections were cut"))
        return self._cut

    async def _accept_no_more(self) -> None:
        """
        Let what was accepted arrive before the servers are closed.

        asyncio forgets, open, a connection that it accepted in the turn of the loop in which its server is closed.
        """
        loop = asyncio.get_running_loop()
        for listening in self._listening:
            # Windows has no readers (NotImplementedError), another loop may keep them, a second stop finds none.
            with contextlib.suppress(RuntimeError, ValueError):
                loop.remove_reader(listening.socket)
        await asyncio.sleep(0)

    def cut(self) -> int:
        """Cut every open connection, and return how many."""
        count = sum(link.cut() for link in self._links)
        self._cut += count
        return count

    def _begin(self, route: Route, streams: Streams) -> None:
        if self._is_stopping:
            # What was accepted before the listening socket was closed arrives here after it, and nobody waits for it.
            reset(streams[1])
            return
        link = Link(route, next(self._numbers), streams)
        self._links.add(link)
        link.task = asyncio.get_running_loop().create_task(link.run())
        link.task.add_done_callback(lambda _: self._links.discard(link))


_BACKLOG = 1024


def _pins(policy: Policy, host: str) -> bool:
    entry = policy.lookup(host)
    return entry is not None and entry.pinset is not None
