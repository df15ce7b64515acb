"""
Connections of contexts that are not ours, pinned all the same: what injection does in the standard library's class.

Rules of this file:

1. A host that the policy leaves alone (unlisted where that is allowed, or an exception with its reason) gets the very
   connection that it would have had.
2. For every other host the context has to verify the chain; one that does not is refused before a byte is sent. The
   name is verified whether the context does so by itself or leaves it to its client (urllib3 does in places).
3. A new policy reaches these connections as it reaches a pinned context's.
4. While a connection is made, nobody changes the settings that it is made with: whoever sets or reads one waits. So no
   other thread weakens what was just looked at, and what an application sets meanwhile is not lost.
"""

from __future__ import annotations

import contextlib
import functools
import os
import ssl
import threading
import weakref
from typing import TYPE_CHECKING, Any, cast

from pinscher.entry import UnlistedHosts
from pinscher.tls._cpython import InjectedObject, InjectedSocket
from pinscher.tls._early import hear_pinned, load_and_listen
from pinscher.tls.bench import Bench
from pinscher.tls.context import usable_name
from pinscher.tls.judgement import ConnectionGate
from pinscher.tls.record import VerdictRecord
from pinscher.tls.sessions import RememberedSession
from pinscher.tls.settings import (
    GenuineContext,
    GenuineSocket,
    c_descriptor,
    checking_hostname,
    forbid_renegotiation,
    weakness_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from pinscher.policy import Policy
    from pinscher.verdict import Verdict

ORIGINALS = {name: c_descriptor(name) for name in ("_wrap_socket", "_wrap_bio", "load_cert_chain")}
"""The C level's own methods, which injection stands in front of."""


class InjectedGate(ConnectionGate):
    """A gate of a connection whose context is somebody else's, and may verify too little (rule 2)."""

    __slots__ = ("weakness",)
    weakness: str

    def offer(self, session: object) -> ssl.SSLSession | None:
        """Return the session to resume; one that was kept across an injection or its end is none, and no error."""
        is_elsewhere = isinstance(session, RememberedSession) and session.context_id != id(self._bench)
        return None if is_elsewhere or isinstance(session, ssl.SSLSession) else super().offer(session)

    def before(self) -> None:
        """Refuse what a pinned context refuses, and a context that verifies too little."""
        super().before()
        if self.weakness:
            self._must_ask = True
            self._refuse(self._refusal(None, self.weakness))

    @contextlib.contextmanager
    def making(self, context: ssl.SSLContext) -> Iterator[None]:
        """Have the connection made with the settings it needs, which nobody changes meanwhile (rule 4)."""
        with _MAKING:
            self.weakness = weakness_of(context)
            forbid_renegotiation(context)
            # One that is refused anyway is made as it is: some contexts refuse a missing name by themselves.
            refuses_anyway = bool(self.weakness) or self._host is None
            with contextlib.nullcontext() if refuses_anyway else checking_hostname(context):
                yield
            # Read again, for code of this process can reach the C level past every setting.
            self.weakness = self.weakness or weakness_of(context)
            self._must_ask = self._must_ask or bool(self.weakness)


_MAKING = threading.RLock()
"""Held while a connection is made, because a context's setting is another one for some of them."""
if hasattr(os, "register_at_fork"):
    # Else a child that is made at the wrong moment would wait for a thread that it does not have.
    os.register_at_fork(before=_MAKING.acquire, after_in_parent=_MAKING.release, after_in_child=_MAKING.release)


def _waiting(name: str) -> property:
    """Return a setting of contexts that waits while a connection is made (rule 4)."""
    original = vars(GenuineContext).get(name) or c_descriptor(name)

    def read(context: ssl.SSLContext) -> Any:
        with _MAKING:
            return original.__get__(context)

    def write(context: ssl.SSLContext, value: Any) -> None:
        with _MAKING:
            original.__set__(context, value)

    return property(read, write, doc=original.__doc__)


SETTINGS = {name: _waiting(name) for name in ("verify_mode", "check_hostname", "options")}
"""What stands in front of a context's settings while an injection is in force."""


class Injector:
    """Makes pinned connections of contexts that are not ours."""

    def __init__(
        self,
        policy: Policy,
        *,
        on_verdict: Callable[[Verdict], object] | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        record = VerdictRecord(on_verdict)
        # Trust anchors are the contexts' own, and may be anybody's.
        self.bench = Bench(given_now=now, record=record, is_trust_named=None, gate=InjectedGate)
        self.bench.replace(policy)

    def leaves_alone(self, host: str | None) -> bool:
        """Tell whether the policy leaves connections to a host as they are (rule 1); a missing name is no such host."""
        policy, canonical = self.bench.policy, usable_name(host)
        if canonical is None:
            return False
        entry = policy.lookup_canonical(canonical)
        if entry is None:
            return policy.unlisted_hosts is UnlistedHosts.ALLOW
        return entry.pinset is None

    def wrap_socket(self, context: ssl.SSLContext, sock: Any, host: str | None, owner: Any, session: Any) -> Any:
        """Return what goes into the slot of a socket: a gate, or the C object of a connection that is left alone."""
        if self.leaves_alone(host):
            with _MAKING:
                return ORIGINALS["_wrap_socket"](context, sock, False, host, owner=owner, session=own_session(session))
        # gevent names its own socket here, and in it the TLS socket.
        secured = owner if isinstance(owner, GenuineSocket) else owner._sslsock()  # noqa: SLF001
        gate = self._gate(host, _port_of(secured), secured)
        raw = None if session is None else gate.offer(session)
        with gate.making(context):
            gate._inner = ORIGINALS["_wrap_socket"](context, sock, False, host, owner=owner, session=raw)  # noqa: SLF001
        self._take(secured, InjectedSocket, gate)
        return gate

    def wrap_bio(
        self, context: ssl.SSLContext, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO,
        host: str | None, owner: Any, session: Any,
    ) -> Any:  # fmt: skip
        """Return what goes into the slot of a connection over memory buffers, likewise."""
        make = functools.partial(
            ORIGINALS["_wrap_bio"], context, incoming, outgoing, server_side=False, server_hostname=host, owner=owner
        )
        if self.leaves_alone(host):
            with _MAKING:
                return make(session=own_session(session))
        gate = self._gate(host, None, owner)
        raw = None if session is None else gate.offer(session)
        with gate.making(context):
            gate._inner = make(session=raw)  # noqa: SLF001
        self._take(owner, InjectedObject, gate)
        owner.discard = gate._discard = outgoing.read  # noqa: SLF001
        return gate

    def _gate(self, host: str | None, port: int | None, owner: Any) -> InjectedGate:
        reference = weakref.ref(owner)
        live = self.bench.connections
        live.add(reference)
        if len(live.references) >= live.sweep_at:
            live.sweep()
        return InjectedGate(self.bench, usable_name(host), port, reference)

    def _take(self, owner: Any, kind: type, gate: InjectedGate) -> None:
        """Make a connection a pinned one, whatever class it had: that of its context goes before ours."""
        owner.__class__ = _pinned(type(owner), kind)
        owner.bench, owner.gate = self.bench, gate


def own_session(session: Any) -> Any:
    """Return the standard library's own session; one that was remembered with a chain is not for who judges none."""
    return None if isinstance(session, RememberedSession) else session


def load_client_certificate(context: ssl.SSLContext, *certificate: Any, **options: Any) -> None:
    """Load a client's certificate into a context that is not ours, and judge before it is sent."""
    load_and_listen(context, hear_pinned, *certificate, **options)


def _port_of(secured: Any) -> int | None:
    try:
        peer = secured.getpeername()
    except OSError:
        return None
    return cast("int", peer[1]) if type(peer) is tuple else None


_KINDS: weakref.WeakValueDictionary[type, type] = weakref.WeakValueDictionary()
"""The pinned counterparts of classes that contexts make connections of, while there are connections."""


def _pinned(original: type, kind: type) -> type:
    if issubclass(original, kind):
        return original
    if original in kind.__mro__:
        return kind
    found = _KINDS.get(original)
    if found is None:
        found = _KINDS[original] = type(f"Injected{original.__name__}", (original, kind), {"__module__": __name__})
    return found
