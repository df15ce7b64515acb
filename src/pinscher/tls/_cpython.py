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
6. A connection that a new policy withdraws gets its gate back into the slot. Where the answer to what was sent may
   still arrive, a :class:`Drain` stands there: it reads until somebody tries to send, and sends nothing.
"""

from __future__ import annotations

import contextlib
import errno
import math
import socket
import ssl
from typing import TYPE_CHECKING, Any, Protocol, cast

from pinscher.chain import EmptyChainError
from pinscher.tls._standins import BARRIER, HARMLESS, Barrier, Drain
from pinscher.tls.settings import GenuineObject, GenuineSocket, InsecureContextError

if TYPE_CHECKING:
    import weakref
    from collections.abc import Callable

_ssl = ssl._ssl  # type: ignore[attr-defined]  # noqa: SLF001
_DER: int = _ssl.ENCODING_DER
_getpeername = GenuineSocket.getpeername
_IS_STANDARD = GenuineSocket.__module__ == "ssl"
"""Whether the socket is the standard library's own; gevent's waits for its handshake in another way."""


def _der_of(certificate: Any) -> bytes:
    return cast("bytes", certificate.public_bytes(_DER))


def chains_of(connection: ssl.SSLSocket | ssl.SSLObject) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """
    Return what a plain connection's server presented and what was built from it, both as DER, the leaf first.

    Python has public methods for this from 3.13 on. The second is validated only under the conditions that
    :meth:`Gate.certificates_built` names.
    """
    inner = connection._sslobj  # type: ignore[union-attr]  # noqa: SLF001
    presented, built = inner.get_unverified_chain() or (), inner.get_verified_chain() or ()
    return tuple(map(_der_of, presented)), tuple(map(_der_of, built))


class Gate:
    """
    Stands for the C object of a connection until the connection was judged (rules 2 to 4).

    Who judges derives from it and sets every slot. What ``before`` and ``after`` raise is the refusal.
    """

    __slots__ = ("_discard", "_early", "_inner", "_must_ask", "_owner")
    _inner: Any
    _owner: weakref.ref[PinnedSocket | PinnedObject] | None
    _discard: Callable[[], object] | None
    _early: Any
    """What :meth:`refuse_early` has to say, if anything."""
    _must_ask: bool
    """Whether ``before`` has something to say: at first, and after a refusal."""

    def before(self) -> None:
        """Refuse before a byte is sent, or return; raise a refusal anew."""
        raise InsecureContextError("nobody judges this connection")

    def after(
        self,
        owner: PinnedSocket | PinnedObject | None,  # noqa: ARG002
        is_resumed: bool,  # noqa: ARG002, FBT001  (names cost a handshake more than the call itself)
        leaf: bytes | None,  # noqa: ARG002
    ) -> Callable[[], None] | None:
        """
        Refuse after the handshake, or return what is to be called once the connection is open, if anything.

        *is_resumed* says that the handshake resumed a session or used a pre-shared key, and verified no certificate.
        *leaf* is the server's certificate as DER, or None where it sent none.
        """
        raise InsecureContextError("nobody judges this connection")

    def failed(self, error: ssl.SSLCertVerificationError) -> None:
        """Hear that OpenSSL refused the chain or the name."""

    def is_early_enough(self) -> bool:
        """Judge before the client's last flight, and tell whether it may go out; never raise."""
        return False

    def refuse_early(self) -> None:
        """Raise the refusal of the early judgement, if it was one."""

    def offer(self, session: Any) -> ssl.SSLSession | None:  # noqa: ARG002
        """Return the session to resume on this connection, or None for a full handshake."""
        return None

    @property
    def is_refused(self) -> bool:
        """Whether the connection was refused, for good."""
        return True

    def certificates_built(self) -> tuple[bytes, ...]:
        """
        Return what OpenSSL built while verifying, as DER, the leaf first; empty where it verified nothing.

        It is a *validated* chain only when the handshake succeeded under ``CERT_REQUIRED`` and was not resumed. After a
        failed handshake it holds what was tried, and under ``CERT_NONE`` it is linked by names alone.
        """
        return tuple(map(_der_of, self._inner.get_verified_chain() or ()))

    def certificates_above(self) -> tuple[bytes, ...]:
        """Return what OpenSSL built above the leaf; raise where it verified nothing."""
        built = self.certificates_built()
        if not built:
            raise EmptyChainError("no certificate was verified in this handshake")
        return built[1:]

    def do_handshake(self) -> None:
        """Run the handshake, have the connection judged, and put the C object in its place, or refuse."""
        if self._must_ask:
            self.before()
        inner = self._inner
        try:
            inner.do_handshake()
        except BaseException as error:
            if self._early is not None or isinstance(error, ssl.SSLCertVerificationError):
                self._broken(error)
            raise
        reference = self._owner
        owner = None if reference is None else reference()
        try:
            opened = self.after(owner, inner.session_reused, inner.getpeercert(True))
        except BaseException:
            # What the handshake left to be sent (a client certificate, Finished) is not for a refused server.
            if self._discard is not None:
                self._discard()
            raise
        if opened is not None:
            opened()

    def _broken(self, error: BaseException) -> None:
        """Refuse where the handshake was broken off by the early judgement; hear of OpenSSL's own refusal."""
        try:
            self.refuse_early()
        except BaseException:
            if self._discard is not None:
                self._discard()
            raise
        if isinstance(error, ssl.SSLCertVerificationError):
            self.failed(error)

    def certificates_shown(self) -> tuple[bytes, ...]:
        """Return what the server sent so far, as DER, the leaf first; empty where it sent nothing in this handshake."""
        return tuple(map(_der_of, (self._inner and self._inner.get_unverified_chain()) or ()))

    def open(self, owner: PinnedSocket | PinnedObject) -> None:
        """Put the C object in this gate's place (rule 3)."""
        owner._sslobj = self._inner  # noqa: SLF001
        owner.gate = None

    def close(self, owner: PinnedSocket | PinnedObject) -> None:
        """Take the C object's place again, for good: every call raises the refusal (rules 4 and 6)."""
        owner._sslobj = owner.gate = self  # noqa: SLF001

    def cut(self, owner: PinnedSocket | PinnedObject) -> None:
        """End a connection that was let through, at once."""
        self._inner = _behind(owner._sslobj)  # noqa: SLF001
        self.close(owner)
        if isinstance(owner, PinnedSocket):
            with contextlib.suppress(OSError):
                # The standard library's own method would leave a clear text socket behind.
                socket.socket.shutdown(owner, socket.SHUT_RDWR)

    def drain(self, owner: PinnedSocket | PinnedObject) -> None:
        """Let what was asked for arrive, and refuse to send anything more (rule 6)."""
        self._inner = _behind(owner._sslobj)  # noqa: SLF001
        owner._sslobj = Drain(self._inner, self._drained)  # noqa: SLF001

    def _drained(self) -> None:
        """End a connection that tried to send more, for a client may otherwise wait for an answer to it."""
        owner = None if self._owner is None else self._owner()
        if owner is not None:
            self.cut(owner)
        self.before()

    def __getattr__(self, name: str) -> Any:
        """Answer harmless questions; for every other name, handshake and judge first."""
        if self.is_refused:
            self.before()
        if name not in HARMLESS:
            self._handshake_for_data()
        return getattr(self._inner, name)

    def _handshake_for_data(self) -> None:
        try:
            self.do_handshake()
        except ssl.SSLCertVerificationError:
            owner = None if self._owner is None else self._owner()
            if isinstance(owner, PinnedSocket):
                owner.close()
            raise

    @property
    def context(self) -> ssl.SSLContext:
        """The context of the connection, which cannot be exchanged: another context is another trust."""
        return cast("ssl.SSLContext", self._inner.context)

    @context.setter
    def context(self, _: ssl.SSLContext) -> None:
        raise InsecureContextError("the context of a pinned connection cannot be exchanged")

    @property
    def session(self) -> None:
        """No session before the judgement: there is no chain yet that it could be remembered with."""
        return

    @session.setter
    def session(self, session: object) -> None:
        raw = self.offer(session)
        if raw is not None:
            self._inner.session = raw


def _behind(slot: Any) -> Any:
    """Return the C object behind whatever stands in a slot."""
    return slot._inner if isinstance(slot, Drain | Gate) else slot  # noqa: SLF001


class Remembering(Protocol):
    """A context that remembers sessions together with the chains of their connections."""

    def remember(self, session: ssl.SSLSession | None, owner: PinnedSocket | PinnedObject) -> object:
        """Return what an application is given for a connection's session."""


class PinnedSocket(GenuineSocket):
    """The ``ssl.SSLSocket`` of a pinned context; ``verdict`` is what let its connection through."""

    _connected: bool
    _sslobj: Any
    _session: Any
    verdict: Any = None
    gate: Gate | None = None
    port_connecting: int | None = None
    """The port of the other side, or that ``connect`` is about to use; a session is offered to no other."""

    def getpeername(self) -> Any:
        """Return the other side's address, and remember its port: making a connection asks for it anyway."""
        try:
            peer = _getpeername(self)
        except OSError:
            if "_connected" not in self.__dict__:
                self._close_if_reset()
            raise
        if type(peer) is tuple:
            self.port_connecting = peer[1]
        return peer

    def _close_if_reset(self) -> None:
        """Close a socket whose peer was gone before TLS began: whoever makes a connection of it would leave it open."""
        try:
            socket.socket.recv(self, 1, socket.MSG_PEEK | getattr(socket, "MSG_DONTWAIT", 0))
        except (BlockingIOError, TimeoutError):
            return
        except OSError as error:
            if error.errno in (errno.ENOTCONN, errno.EINVAL):
                return
            socket.socket.close(self)
            raise

    def raise_barrier(self) -> None:
        """Fill an empty slot: with the refusal where there was one, else with a barrier."""
        if self._sslobj is None:
            self._sslobj = self.gate if self.gate is not None and self.gate.is_refused else BARRIER

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
        return self.remember(super().session)

    @session.setter
    def session(self, session: Any) -> None:
        self._session = session
        _set_session(self._sslobj, session)

    def remember(self, session: ssl.SSLSession | None) -> object:
        """Return what an application is given for this connection's session."""
        return cast("Remembering", self.context).remember(session, self)

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
            self.raise_barrier()

    def do_handshake(self, *block: bool) -> None:
        """Hand-shake and judge; a refusal closes the socket."""
        try:
            if _IS_STANDARD and not block and self._connected and isinstance(self._sslobj, Gate):
                # As the standard library does, without the change of the time limit that only block=True asks for.
                self._sslobj.do_handshake()
                return
            if self.gate is not None and self.gate.is_refused:
                self.gate.do_handshake()
            super().do_handshake(*block)
        except ssl.SSLCertVerificationError:
            self.close()
            raise

    def shutdown(self, how: int) -> None:
        """Shut the TCP connection down; nothing goes out in clear text afterwards."""
        try:
            super().shutdown(how)
        finally:
            self.raise_barrier()

    def _real_close(self) -> None:
        super()._real_close()  # type: ignore[misc]
        if self.gate is not None:
            self.raise_barrier()

    def unwrap(self) -> socket.socket:
        """End TLS and return to clear text, which the caller asks for by this very call."""
        if not self._sslobj:
            raise ValueError(f"no TLS connection stands on {self!r}")
        return super().unwrap()


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
        return self.remember(super().session)

    @session.setter
    def session(self, session: Any) -> None:
        _set_session(self._sslobj, session)

    def remember(self, session: ssl.SSLSession | None) -> object:
        """Return what an application is given for this connection's session."""
        return cast("Remembering", self.context).remember(session, self)


def seconds_to_wait(owner: PinnedSocket | PinnedObject | None) -> float:
    """
    Return how long the judgement of a connection may take: 0 where it must not wait.

    Memory buffers belong to an event loop, and so does a socket that never blocks. gevent's sockets run on one.
    """
    if not _IS_STANDARD or not isinstance(owner, PinnedSocket):
        return 0.0
    seconds = owner.gettimeout()
    return math.inf if seconds is None else seconds


class InjectedSocket(PinnedSocket):
    """A socket of somebody else's context, which became a pinned one when its TLS connection was made."""

    bench: Any = None

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute; where the standard library would empty the slot, put the gate or a barrier there."""
        if name == "_sslobj" and value is None:
            value = self.gate or BARRIER
        super().__setattr__(name, value)

    def remember(self, session: ssl.SSLSession | None) -> object:
        """Return what an application is given for this connection's session."""
        return None if session is None else self.bench.remember(session, self)

    def unwrap(self) -> socket.socket:
        """End TLS and return to clear text, which the caller asks for by this very call."""
        unwrapped = super().unwrap()
        super().__setattr__("_sslobj", None)
        return unwrapped


class InjectedObject(PinnedObject):
    """The same for memory buffers."""

    bench: Any = None

    def remember(self, session: ssl.SSLSession | None) -> object:
        """Return what an application is given for this connection's session."""
        return None if session is None else self.bench.remember(session, self)
