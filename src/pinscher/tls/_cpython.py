"""
Everything Pinscher knows of CPython's private ``ssl`` internals, and nothing of pins.

Rules of this file:

1. Every private name of ``ssl`` and its C module is used here and nowhere else.
2. Until a connection was judged, a :class:`Gate` stands in the slot where the standard library keeps the C object of a
   connection. It lets a handshake run, answers harmless questions, and treats every name it does not know as data
   movement: first the handshake and the judgement, then the call. What a newer Python adds is gated unseen.
3. Once the connection was let through, the C object itself takes the slot: the data path is the standard library's.
4. A refusal is sticky. The gate stays in the slot, and every later call raises the refusal again.
5. The slot of a socket is never empty while bytes could go out: the standard library takes an empty slot for a clear
   text socket. A :class:`Barrier` stands there before ``connect`` and after ``shutdown``.
"""

from __future__ import annotations

import errno
import ssl
import weakref
from typing import TYPE_CHECKING, Any, Protocol, cast

from pinscher.tls.settings import GenuineObject, GenuineSocket, InsecureContextError, StrictSettings

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

_ssl = ssl._ssl  # type: ignore[attr-defined]  # noqa: SLF001
_DER: int = _ssl.ENCODING_DER


class Judge(Protocol):
    """What a gate asks about its connection; whatever these raise is the refusal."""

    def before(self) -> None:
        """Refuse before a byte is sent, or return."""

    def after(self, connection: Handshake) -> Callable[[], None]:
        """Refuse after the handshake, or return what is to be called once the connection is open."""

    def failed(self, connection: Handshake, error: ssl.SSLCertVerificationError) -> None:
        """Hear that OpenSSL refused the chain or the name."""

    def refused(self) -> BaseException | None:
        """Return a new exception for a connection that was refused, or None."""

    def offer(self, session: Any) -> ssl.SSLSession | None:
        """Return the session to resume on this connection, or None for a full handshake."""


class Handshake:
    """The public facts of a finished handshake, read from the C object of the connection."""

    __slots__ = ("_inner",)

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    @property
    def is_resumed(self) -> bool:
        """Whether the handshake resumed a session or used a pre-shared key: no certificate was verified in it."""
        return bool(self._inner.session_reused)

    @property
    def leaf(self) -> bytes | None:
        """The server's certificate, or None where it sent none."""
        return cast("bytes | None", self._inner.getpeercert(True))

    def certificates_built(self) -> Sequence[object]:
        """
        Return what OpenSSL built while verifying, the leaf first; :func:`der_of` turns each into bytes.

        It is a *validated* chain only when the handshake succeeded under ``CERT_REQUIRED`` and was not resumed. After
        a failed handshake it holds what was tried, and under ``CERT_NONE`` it is linked by names alone.
        """
        return self._inner.get_verified_chain() or ()


def der_of(certificate: Any) -> bytes:
    """Return the DER of a certificate that :meth:`Handshake.certificates_built` returned."""
    return cast("bytes", certificate.public_bytes(_DER))


def chains_of(connection: ssl.SSLSocket | ssl.SSLObject) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """
    Return what a plain connection's server presented and what was built from it, both as DER, the leaf first.

    Python has public methods for this from 3.13 on. The second is validated only under the conditions that
    :meth:`Handshake.certificates_built` names.
    """
    inner = connection._sslobj  # type: ignore[union-attr]  # noqa: SLF001
    presented, built = inner.get_unverified_chain() or (), inner.get_verified_chain() or ()
    return tuple(map(der_of, presented)), tuple(map(der_of, built))


class Gate:
    """Stands for the C object of a connection until the connection was judged (rules 2 to 4)."""

    __slots__ = ("_discard", "_inner", "_judge", "_owner")

    def __init__(
        self, inner: Any, owner: PinnedSocket | PinnedObject, judge: Judge, discard: Callable[[], object] | None = None
    ) -> None:
        object.__setattr__(self, "_inner", inner)
        object.__setattr__(self, "_owner", weakref.ref(owner))
        object.__setattr__(self, "_judge", judge)
        object.__setattr__(self, "_discard", discard)

    def do_handshake(self) -> None:
        """Run the handshake, have the connection judged, and put the C object in its place, or refuse."""
        self._check_refused()
        self._judge.before()
        connection = Handshake(self._inner)
        try:
            self._inner.do_handshake()
        except ssl.SSLCertVerificationError as error:
            self._judge.failed(connection, error)
            raise
        self._open(self._judged(connection))

    def _judged(self, connection: Handshake) -> Callable[[], None]:
        try:
            return cast("Callable[[], None]", self._judge.after(connection))
        except BaseException:
            # What the handshake left to be sent (a client certificate, Finished) is not for a refused server.
            if self._discard is not None:
                self._discard()
            raise

    def _open(self, opened: Callable[[], None]) -> None:
        owner = self._owner()
        if owner is not None:
            owner._sslobj = self._inner  # noqa: SLF001
            owner.gate = None
        opened()

    def _check_refused(self) -> None:
        refusal = self._judge.refused()
        if refusal is not None:
            raise refusal

    def __getattr__(self, name: str) -> Any:
        """Answer harmless questions; for every other name, handshake and judge first."""
        self._check_refused()
        if name not in _HARMLESS:
            self._handshake_for_data()
        return getattr(self._inner, name)

    def _handshake_for_data(self) -> None:
        try:
            self.do_handshake()
        except ssl.SSLCertVerificationError:
            owner = self._owner()
            if isinstance(owner, PinnedSocket):
                owner.close()
            raise

    @property
    def session(self) -> None:
        """No session before the judgement: there is no chain yet that it could be remembered with."""
        return

    @session.setter
    def session(self, session: object) -> None:
        raw = self._judge.offer(session)
        if raw is not None:
            self._inner.session = raw

    @property
    def is_refused(self) -> bool:
        """Whether the connection was refused, for good."""
        return self._judge.refused() is not None

    def __setattr__(self, name: str, value: object) -> None:
        """Let a session be set for the handshake to come, and refuse the rest: a changed context is another trust."""
        if name != "session":
            raise InsecureContextError(f"cannot set {name!r} on a connection whose pins were not checked yet")
        object.__setattr__(self, name, value)


_HARMLESS = frozenset(
    {
        "cipher",
        "compression",
        "context",
        "get_channel_binding",
        "get_unverified_chain",
        "get_verified_chain",
        "getpeercert",
        "group",
        "owner",
        "pending",
        "selected_alpn_protocol",
        "server_hostname",
        "server_side",
        "session_reused",
        "shared_ciphers",
        "uniqueid",
        "version",
    }
)
"""What may be asked of a connection before it was judged; none of it moves application data."""


class Barrier:
    """Stands in the slot of a socket that has no TLS connection, so that nothing goes out in clear text (rule 5)."""

    __slots__ = ()

    def __bool__(self) -> bool:
        """Be false, as the empty slot is."""
        return False

    def pending(self) -> int:
        """Return that nothing waits to be read."""
        return 0

    def __getattr__(self, name: str) -> Any:
        """Answer questions with None, and refuse to move data."""
        if name in ("session", "session_reused"):
            return None
        if name in _HARMLESS:
            return lambda *_: None
        raise OSError(errno.ENOTCONN, "no TLS connection stands on this socket, and it sends no clear text")


_BARRIER = Barrier()


class PinnedSocket(GenuineSocket):
    """The ``ssl.SSLSocket`` of a pinned context; ``verdict`` is what let its connection through."""

    _sslobj: Any
    _session: Any
    verdict: Any = None
    gate: Gate | None = None
    port_connecting: int | None = None
    """The port that ``connect`` is about to use, for a session is offered to no other."""

    @classmethod
    def _create(cls, *args: Any, **options: Any) -> PinnedSocket:
        created = cast("PinnedSocket", super()._create(*args, **options))  # type: ignore[misc]
        created._raise_barrier()  # noqa: SLF001
        return created

    def _raise_barrier(self) -> None:
        """Fill an empty slot: with the refusal where there was one, else with a barrier."""
        if self._sslobj is None:
            self._sslobj = self.gate if self.gate is not None and self.gate.is_refused else _BARRIER

    @property
    def context(self) -> ssl.SSLContext:
        """The pinned context; it cannot be exchanged."""
        return super().context

    @context.setter
    def context(self, _: ssl.SSLContext) -> None:
        raise InsecureContextError("the context of a pinned connection cannot be exchanged")

    @property
    def session(self) -> Any:
        """The session, remembered together with the chain that was validated when it was made."""
        context = cast("GatedContext", self.context)
        return context.remember(super().session, self)

    @session.setter
    def session(self, session: Any) -> None:
        self._session = session
        _set_session(self._sslobj, session)

    def connect(self, address: Any) -> None:
        """Connect, hand-shake and judge."""
        self._connect(super().connect, address)

    def connect_ex(self, address: Any) -> int:
        """Connect as :meth:`connect` does, returning an error number for a connection that failed."""
        return cast("int", self._connect(super().connect_ex, address))

    def _connect(self, connect: Callable[[Any], Any], address: Any) -> Any:
        if isinstance(self._sslobj, Barrier):
            self._sslobj = None
        self.port_connecting = address[1] if isinstance(address, tuple) else None
        try:
            return connect(address)
        except BlockingIOError:
            # The standard library empties the slot, and would send clear text once the connection stands.
            self._sslobj = self.gate
            raise
        except ssl.SSLCertVerificationError:
            self.close()
            raise
        finally:
            self._raise_barrier()

    def do_handshake(self, *block: bool) -> None:
        """Hand-shake and judge; a refusal closes the socket."""
        if isinstance(self._sslobj, Gate) and self._sslobj.is_refused:
            self._sslobj.do_handshake()
        try:
            super().do_handshake(*block)
        except ssl.SSLCertVerificationError:
            self.close()
            raise

    def shutdown(self, how: int) -> None:
        """Shut the TCP connection down; nothing goes out in clear text afterwards."""
        try:
            super().shutdown(how)
        finally:
            self._raise_barrier()

    def unwrap(self) -> socket.socket:
        """End TLS and return to clear text, which the caller asks for by this very call."""
        if not self._sslobj:
            raise ValueError(f"no TLS connection stands on {self!r}")
        return super().unwrap()

    def _real_close(self) -> None:
        super()._real_close()  # type: ignore[misc]
        self._raise_barrier()


def _set_session(slot: object, session: object) -> None:
    if isinstance(slot, Gate):
        slot.session = session
    elif not isinstance(slot, Barrier):
        raise ValueError("cannot set session after handshake")  # noqa: TRY004


class PinnedObject(GenuineObject):
    """The ``ssl.SSLObject`` of a pinned context; ``verdict`` is what let its connection through."""

    _sslobj: Any
    verdict: Any = None
    gate: Gate | None = None

    @property
    def context(self) -> ssl.SSLContext:
        """The pinned context; it cannot be exchanged."""
        return super().context

    @context.setter
    def context(self, _: ssl.SSLContext) -> None:
        raise InsecureContextError("the context of a pinned connection cannot be exchanged")

    @property
    def session(self) -> Any:
        """The session, remembered together with the chain that was validated when it was made."""
        context = cast("GatedContext", self.context)
        return context.remember(super().session, self)

    @session.setter
    def session(self, session: Any) -> None:
        _set_session(self._sslobj, session)


def _socket_behind(owner: Any) -> Any:
    """Return the TLS socket that a C object is made for; gevent names its own socket in the TLS socket's place."""
    if isinstance(owner, PinnedSocket):
        return owner
    reference = getattr(owner, "_sslsock", None)
    return reference() if callable(reference) else owner


def _port_of(connected: socket.socket) -> int | None:
    try:
        address = connected.getpeername()
    except OSError:
        return getattr(connected, "port_connecting", None)
    return address[1] if isinstance(address, tuple) else None


class GatedContext(StrictSettings):
    """A client context whose connections are gated; who judges them is for the class that derives from it."""

    def judge_for(
        self,
        host: str | None,  # noqa: ARG002
        port: int | None,  # noqa: ARG002
        owner: PinnedSocket | PinnedObject,  # noqa: ARG002
    ) -> Judge:
        """Return who judges a new connection to the host that TLS is going to verify."""
        raise InsecureContextError(f"{type(self).__name__} has nobody to judge its connections")

    def remember(
        self,
        session: ssl.SSLSession | None,  # noqa: ARG002
        owner: PinnedSocket | PinnedObject,  # noqa: ARG002
    ) -> object:
        """Return what an application is given for a connection's session."""
        raise InsecureContextError(f"{type(self).__name__} does not remember sessions")

    def _wrap_socket(
        self,
        sock: Any,
        server_side: bool,  # noqa: FBT001  (the private signature of the standard library)
        server_hostname: str | None = None,
        *,
        owner: Any = None,
        session: Any = None,
    ) -> Gate:
        secured = _socket_behind(owner)
        self._check_owner(server_side, secured, PinnedSocket)
        judge = self.judge_for(server_hostname, _port_of(secured), secured)
        raw = None if session is None else judge.offer(session)
        inner = super()._wrap_socket(sock, False, server_hostname, owner=owner, session=raw)  # type: ignore[misc]
        secured.gate = Gate(inner, secured, judge)
        return cast("Gate", secured.gate)

    def _wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002
        server_hostname: str | None = None,
        *,
        owner: Any = None,
        session: Any = None,
    ) -> Gate:
        self._check_owner(server_side, owner, PinnedObject)
        judge = self.judge_for(server_hostname, None, owner)
        raw = None if session is None else judge.offer(session)
        inner = super()._wrap_bio(  # type: ignore[misc]
            incoming, outgoing, server_side=False, server_hostname=server_hostname, owner=owner, session=raw
        )
        return Gate(inner, owner, judge, outgoing.read)

    def _check_owner(self, server_side: bool, owner: object, wanted: type) -> None:  # noqa: FBT001
        if server_side:
            raise InsecureContextError("a pinned context is a client's; a server needs a context of its own")
        if not isinstance(owner, wanted):
            raise InsecureContextError(
                f"a connection of a pinned context is a {wanted.__name__}, found {type(owner).__name__}; "
                "call the context's own wrap_socket or wrap_bio"
            )
        self.check_settings()

    @property
    def sslsocket_class(self) -> type[PinnedSocket]:
        """The class of this context's sockets; it cannot be exchanged."""
        return PinnedSocket

    @sslsocket_class.setter
    def sslsocket_class(self, _: type) -> None:
        raise InsecureContextError("sslsocket_class cannot be exchanged: the check lives in it")

    @property
    def sslobject_class(self) -> type[PinnedObject]:
        """The class of this context's memory connections; it cannot be exchanged."""
        return PinnedObject

    @sslobject_class.setter
    def sslobject_class(self, _: type) -> None:
        raise InsecureContextError("sslobject_class cannot be exchanged: the check lives in it")
