"""
Pinscher's own clients as contestants: one :class:`PinnedContext` on each kind of connection that Python has.

A blocking socket and memory buffers resume sessions whenever they have one, for whatever host: the context, and not
the client's good manners, has to see to it that this is safe.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.client
import socket
import ssl
import urllib.parse
from typing import TYPE_CHECKING, Any, cast

from pinscher.entry import Redirects
from pinscher.errors import PinningError
from pinscher.lab.client import SECRET, Client, Contestant, Reply
from pinscher.lab.scenario import Capability, Transport
from pinscher.lab.server import load
from pinscher.lab.talk import TalkError, Target, ask_for_tunnel, exchange
from pinscher.policy import Policy
from pinscher.probe import Protocol
from pinscher.probe.starttls import speak_preamble
from pinscher.tls import PinnedContext, verdict_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pinscher.lab.scenario import Visit
    from pinscher.lab.talk import Stream
    from pinscher.verdict import Verdict

TIMEOUT = 10.0
"""Seconds that an own client waits for a silent server."""
_MOST_REDIRECTS = 5


class PinnedClient:
    """A pinned context that is kept over the visits of a case, and one way to connect with it."""

    def __init__(self, connect: Callable[[PinnedClient, Visit], None]) -> None:
        self.connect = connect
        self.session: Any = None
        """The session of the last connection, which the next one offers."""
        self.kept: Any = None
        """What a kind of client keeps between visits; it is closed at the end."""
        self._context: PinnedContext | None = None
        self._configured: tuple[bytes, bytes | None] | None = None
        self._told: list[Verdict] = []

    @property
    def context(self) -> PinnedContext:
        """The context in force."""
        if self._context is None:
            raise PinningError("no visit has been made")
        return self._context

    def visit(self, visit: Visit) -> Reply:
        """Make one connection and say what came of it."""
        self._told.clear()
        try:
            self._configure(visit)
            self.connect(self, visit)
        except _REFUSALS as error:
            verdict = verdict_of(error)
            return Reply(accepted=False, verdict=self._last() if verdict is None else verdict, said=str(error))
        return Reply(accepted=True, verdict=self._last())

    def take(self, policy: str) -> None:
        """Put a policy into force at once."""
        self.context.policy = Policy.loads(policy)

    def close(self) -> None:
        """Forget the context, and close what was kept."""
        if self.kept is not None:
            self.kept.close()
        self._context = self.session = self.kept = None

    def _last(self) -> Verdict | None:
        return self._told[-1] if self._told else None

    def _configure(self, visit: Visit) -> None:
        """Make a context, or give the one there is the visit's policy while it runs."""
        policy = Policy.loads(visit.policy)
        configured = visit.trust, visit.client_certificate
        if self._context is not None and self._configured == configured:
            self._context.policy = policy
            return
        self._context = PinnedContext(policy, trust=visit.trust, on_verdict=self._told.append)
        self._configured, self.session = configured, None
        if self.kept is not None:
            self.kept.close()
            self.kept = None
        if visit.client_certificate is not None:
            load(self._context, visit.client_certificate)


_REFUSALS = (OSError, PinningError, http.client.HTTPException, EOFError, ValueError)
"""What a client that refuses, or was refused, raises; anything else is a defect of the client."""


def _over_socket(client: PinnedClient, visit: Visit) -> None:
    """Make connections on blocking sockets, following redirects."""
    target = Target.of(visit)
    for _ in range(_MOST_REDIRECTS):
        with reached(visit, target) as tcp:
            with client.context.wrap_socket(tcp, server_hostname=target.host, session=client.session) as secured:
                location = exchange(secured, visit, target)
                client.session = secured.session
        if location is None:
            return
        target = _redirected(client, target, location)
    raise TalkError(f"more than {_MOST_REDIRECTS} redirects")


def _redirected(client: PinnedClient, target: Target, location: str) -> Target:
    """Return where a redirect leads if the policy lets an application follow it."""
    found = target.after(location)
    if not found.is_secure:
        raise TalkError(f"a redirect to {location!r} leaves TLS")
    entry, onward = client.context.policy.lookup(target.host), client.context.policy.lookup(found.host)
    is_pinned = onward is not None and onward.pinset is not None
    if entry is not None and entry.redirects is Redirects.PINNED_ONLY and not is_pinned:
        raise TalkError(f"a redirect to {location!r} leads to a host without pins")
    return found


@contextlib.contextmanager
def reached(visit: Visit, target: Target) -> Iterator[socket.socket]:
    """Connect up to the point where a ClientHello comes next."""
    address = target.address if visit.proxy is None else _address(visit.proxy)
    with contextlib.closing(socket.create_connection(address, TIMEOUT)) as tcp:
        if visit.proxy is not None and visit.proxy.startswith("http:"):
            ask_for_tunnel(tcp, target)
        speak_preamble(tcp, _PROTOCOLS[visit.transport], left=lambda: TIMEOUT)
        tcp.settimeout(TIMEOUT)
        yield tcp


def _address(url: str) -> tuple[str, int]:
    return "127.0.0.1", urllib.parse.urlsplit(url).port or 443


_PROTOCOLS = {
    Transport.HTTPS: Protocol.TLS,
    Transport.SMTP: Protocol.SMTP,
    Transport.IMAP: Protocol.IMAP,
    Transport.POP3: Protocol.POP3,
    Transport.FTP: Protocol.FTP,
}


class _Buffered:
    """TLS over memory buffers, on any stream: a socket, or another of these."""

    def __init__(self, context: ssl.SSLContext, below: Stream, host: str, session: Any = None) -> None:
        self._below = below
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.secured = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host, session=session)
        self._until_done(self.secured.do_handshake)

    def sendall(self, content: bytes, /) -> None:
        """Send all of *content*."""
        self._until_done(functools.partial(self.secured.write, content))

    def recv(self, limit: int, /) -> bytes:
        """Return what comes next, nothing at the end."""
        return cast("bytes", self._until_done(functools.partial(self.secured.read, limit)))

    def _until_done(self, step: Callable[[], Any]) -> Any:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._flush()
                received = self._below.recv(65_536)
                self._incoming.write(received) if received else self._incoming.write_eof()
            except ssl.SSLZeroReturnError:
                return b""
            finally:
                self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._below.sendall(self._outgoing.read())


def _over_buffers(client: PinnedClient, visit: Visit) -> None:
    """Make a connection through memory buffers, inside the TLS of a proxy where there is one."""
    target = Target.of(visit)
    with reached(visit, target) as tcp:
        below: Stream = tcp
        if visit.proxy is not None and visit.proxy.startswith("https:"):
            below = _Buffered(client.context, tcp, urllib.parse.urlsplit(visit.proxy).hostname or "")
            ask_for_tunnel(below, target)
        secured = _Buffered(client.context, below, target.host, client.session)
        exchange(secured, visit, target)
        client.session = secured.secured.session


def _over_http_client(client: PinnedClient, visit: Visit) -> None:
    """Make a request with the standard library's HTTP client."""
    connection = http.client.HTTPSConnection(visit.host, visit.address[1], timeout=TIMEOUT, context=client.context)
    address = visit.address if visit.proxy is None else _address(visit.proxy)
    if visit.proxy is not None:
        connection = http.client.HTTPSConnection(*address, timeout=TIMEOUT, context=client.context)
        connection.set_tunnel(visit.host, visit.address[1])
    # The lab's names resolve to nothing: as a resolver would, this leads to the server.
    connection._create_connection = lambda *_: socket.create_connection(address, TIMEOUT)  # type: ignore[attr-defined]  # noqa: SLF001
    with contextlib.closing(connection):
        connection.request("POST", visit.path, SECRET, {"Connection": "close"})
        connection.getresponse().read()


def _over_asyncio(client: PinnedClient, visit: Visit) -> None:
    asyncio.run(asyncio.wait_for(_over_streams(client, visit), TIMEOUT))


async def _over_streams(client: PinnedClient, visit: Visit) -> None:
    """Make a connection with asyncio's streams."""
    options = {"ssl": client.context, "server_hostname": visit.host}
    reader, writer = await asyncio.open_connection(*visit.address, **options)  # type: ignore[arg-type]
    try:
        host = visit.host.encode("utf-8", "replace")
        writer.write(
            b"POST %b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
            % (visit.path.encode(), host, len(SECRET), SECRET.encode())
        )
        if not (await reader.readline()).startswith(b"HTTP/1.1 "):
            raise TalkError("expected an HTTP response")
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _over_httpx(client: PinnedClient, visit: Visit) -> None:
    """Make a request over HTTP/2, with one httpx client for all visits."""
    import httpx  # noqa: PLC0415  (only who has it plays with it)

    if client.kept is None:
        client.kept = httpx.Client(http2=True, verify=client.context, timeout=TIMEOUT, trust_env=False)
    try:
        client.kept.post(f"https://{visit.host}:{visit.address[1]}{visit.path}", content=SECRET)
    except httpx.HTTPError as error:
        raise TalkError(str(error)) from error


_EVERY_KIND = frozenset({
    Capability.NAMES, Capability.POLICY, Capability.SEVERAL_PINS, Capability.AUTHORITY_PINS,
    Capability.CERTIFICATE_PINS, Capability.SEVERAL_VISITS, Capability.NEW_POLICY, Capability.NEW_POLICY_MIDWAY,
    Capability.CLIENT_CERTIFICATE,
})  # fmt: skip


def _own(name: str, connect: Callable[[PinnedClient, Visit], None], *more: Capability) -> Contestant:
    def new() -> Client:
        return PinnedClient(connect)

    return Contestant(f"pinscher, {name}", _EVERY_KIND | set(more), new)


BLOCKING = _own("blocking socket", _over_socket, Capability.RESUMPTION, Capability.PROXY, Capability.STARTTLS,
                Capability.REDIRECTS)  # fmt: skip
BUFFERED = _own("memory buffers", _over_buffers, Capability.RESUMPTION, Capability.PROXY, Capability.SECURE_PROXY,
                Capability.STARTTLS)  # fmt: skip
ASYNCIO = _own("asyncio", _over_asyncio)
HTTP = _own("http.client", _over_http_client, Capability.PROXY)
HTTPX = Contestant("pinscher, httpx over HTTP/2", _EVERY_KIND - {Capability.NAMES} | {Capability.HTTP2},
                   functools.partial(PinnedClient, _over_httpx))  # fmt: skip
OWN = (BLOCKING, BUFFERED, ASYNCIO, HTTP)
"""One contestant of each kind that needs nothing but Python."""
