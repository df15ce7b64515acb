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
import socket
import ssl
from typing import TYPE_CHECKING, Any, cast

from pinscher.chain import EmptyChainError
from pinscher.tls._judged import Judged, MakesVerdict, Remembering
from pinscher.tls._standins import BARRIER, HARMLESS, Barrier, Drain
from pinscher.tls.settings import GenuineObject, GenuineSocket, InsecureContextError, wrap_in_public

if TYPE_CHECKING:
    import weakref
    from collections.abc import Callable

_ssl = ssl._ssl  # type: ignore[attr-defined]  # noqa: SLF001
_DER: int = _ssl.ENCODING_DER
_getpeername = GenuineSocket.getpeername
IS_STANDARD = GenuineSocket.__module__ == "ssl"
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


class Gate(MakesVerdict):
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
        """Raise the refusal of the early judgement, if it was one, or what the judgement failed with."""

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
        failed one it holds what was tried, and under ``CERT_NONE`` it is linked by names alone.
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
        # Read before the handshake, whose cryptography leaves every cache cold.
        inner, reference, after = self._inner, self._owner, self.after
        owner = None if reference is None else reference()
        try:
            inner.do_handshake()
        except BaseException as error:
            if self._early is not None or isinstance(error, ssl.SSLCertVerificationError):
                self._broken(error)
            raise
        try:
            if self._early is not None:
                self.refuse_early()
            opened = after(owner, inner.session_reused, inner.getpeercert(True))
        except BaseException:
            self._throw_away()
            raise
        if opened is not None:
            opened()

    def _broken(self, error: BaseException) -> None:
        """Refuse where the handshake was broken off by the early judgement; hear of OpenSSL's own refusal."""
        try:
            self.refuse_early()
        except BaseException:
            self._throw_away()
            raise
        if isinstance(error, ssl.SSLCertVerificationError):
            self.failed(error)

    def _throw_away(self) -> None:
        """Send nothing of what the handshake left: a client certificate and Finished are not for a refused server."""
        if self._discard is not None:
            self._discard()

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
        owner.judged = None
        self.close(owner)
        if isinstance(owner, PinnedSocket):
            with contextlib.suppress(OSError):
                # The standard library's own method would leave a clear text socket behind.
                socket.socket.shutdown(owner, socket.SHUT_RDWR)

    def drain(self, owner: PinnedSocket | PinnedObject) -> None:
        """Let what was asked for arrive, and refuse to send anything more (rule 6)."""
        self._inner = _behind(owner._sslobj)  # noqa: SLF001
        owner.judged, owner.gate, self._discard = None, self, getattr(owner, "discard", None)
        owner._sslobj = Drain(self._inner, self._drained, self._throw_away) if self._inner else self  # noqa: SLF001

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


class PinnedSocket(GenuineSocket, Judged):
    """The ``ssl.SSLSocket`` of a pinned context; ``verdict`` is what let its connection through."""

    _connected: bool
    _sslobj: Any
    _session: Any
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
        """Fill an empty slot."""
        if self._sslobj is None:
            self._sslobj = self._barrier

    @property
    def _barrier(self) -> Gate | Barrier:
        """What stands where there is no TLS connection: the refusal where there was one, else a barrier."""
        return self.gate if self.gate is not None and self.gate.is_refused else BARRIER

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

    def connect(self, addr: Any) -> None:
        """Connect, hand-shake and judge."""
        self._connect(super().connect, addr)

    def connect_ex(self, addr: Any) -> int:
        """Connect as :meth:`connect` does, returning an error number for a connection that failed."""
        return cast("int", self._connect(super().connect_ex, addr))

    def _connect(self, connect: Callable[[Any], Any], address: Any) -> Any:
        if self.gate is not None and self.gate.is_refused:
            self.gate.before()
        if isinstance(self._sslobj, Barrier) or not self._connected:
            # Here alone: the standard library makes a connection for an empty slot only, also when it is tried again.
            object.__setattr__(self, "_sslobj", None)
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

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  (the standard library's)
        """Hand-shake and judge; a refusal closes the socket."""
        try:
            gate = self.gate
            if gate is not None and self._sslobj is gate and self._connected and not block and IS_STANDARD:
                # As the standard library does, without the change of the time limit that only block=True asks for.
                gate.do_handshake()
                return
            if self.gate is not None and self.gate.is_refused:
                self.gate.do_handshake()
            super().do_handshake(*((True,) if block else ()))  # gevent's takes none
        except ssl.SSLCertVerificationError:
            self.close()
            raise

    def shutdown(self, how: int) -> None:
        """Shut the TCP connection down; nothing goes out in clear text meanwhile or afterwards."""
        # The standard library's method empties the slot, while another thread may be about to send.
        self._sslobj = self._barrier
        super(GenuineSocket, self).shutdown(how)

    def _real_close(self) -> None:
        self._sslobj = self._barrier
        super(GenuineSocket, self)._real_close()  # type: ignore[misc]
        if self.gate is None:
            object.__setattr__(self, "_sslobj", None)

    def unwrap(self) -> socket.socket:
        """End TLS and return to clear text, which the caller asks for by this very call."""
        if not self._sslobj:
            raise ValueError(f"no TLS connection stands on {self!r}")
        ended = self._sslobj.shutdown() if IS_STANDARD else super().unwrap()
        # A connection that was withdrawn, before or meanwhile, has no clear text behind it.
        is_refused = self.gate is not None and self.gate.is_refused
        object.__setattr__(self, "_sslobj", self._barrier if is_refused else None)
        return cast("socket.socket", ended)


new_socket: Callable[..., Any] = (
    PinnedSocket._create if IS_STANDARD else wrap_in_public  # type: ignore[attr-defined]  # noqa: SLF001
)
"""Makes a socket of a pinned context, as the context's ``wrap_socket`` does, without the way through it."""


def _set_session(slot: object, session: object) -> None:
    if isinstance(slot, Gate):
        slot.session = session
    elif not isinstance(slot, Barrier):
        raise ValueError("cannot set session after handshake")  # noqa: TRY004


class PinnedObject(GenuineObject, Judged):
    """The ``ssl.SSLObject`` of a pinned context; ``verdict`` is what let its connection through."""

    _sslobj: Any
    discard: Callable[[], object] | None = None
    """Throws away what waits to be sent."""

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


def is_standing(owner: PinnedSocket | PinnedObject) -> bool:
    """Tell whether a TLS connection is there: none is after a refusal, ``close`` or ``unwrap``."""
    slot = getattr(owner, "_sslobj", None)
    return bool(slot) and not (isinstance(slot, Gate) and slot.is_refused)


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


class InjectedObject(PinnedObject):
    """The same for memory buffers."""

    bench: Any = None

    def remember(self, session: ssl.SSLSession | None) -> object:
        """Return what an application is given for this connection's session."""
        return None if session is None else self.bench.remember(session, self)
