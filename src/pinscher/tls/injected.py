"""
Connections of contexts that are not ours, pinned all the same: what injection does in the standard library's class.

Rules of this file:

1. A host that the policy leaves alone (unlisted where that is allowed, or an exception with its reason) gets the very
   connection that it would have had.
2. For every other host the context has to verify the chain; one that does not is refused before a byte is sent. The
   name is verified whether the context does so by itself or leaves it to its client (urllib3 does in places).
3. A new policy reaches these connections as it reaches a pinned context's.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import weakref
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from pinscher.entry import UnlistedHosts
from pinscher.tls._cpython import InjectedObject, InjectedSocket
from pinscher.tls._early import hear_pinned, load_and_listen
from pinscher.tls.context import usable_name
from pinscher.tls.judgement import Bench, ConnectionGate
from pinscher.tls.record import VerdictRecord
from pinscher.tls.settings import (
    GenuineSocket,
    c_descriptor,
    checking_hostname,
    forbid_renegotiation,
    weakness_of,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from pinscher.policy import Policy
    from pinscher.verdict import Verdict

ORIGINALS = {name: c_descriptor(name) for name in ("_wrap_socket", "_wrap_bio", "load_cert_chain")}
"""The C level's own methods, which injection stands in front of."""


class InjectedGate(ConnectionGate):
    """A gate of a connection whose context is somebody else's, and may verify too little (rule 2)."""

    __slots__ = ("weakness",)
    weakness: str

    def before(self) -> None:
        """Refuse what a pinned context refuses, and a context that verifies too little."""
        super().before()
        if self.weakness:
            self._must_ask = True
            self._refuse(self._refusal(None, self.weakness))

    def making(self, context: ssl.SSLContext) -> contextlib.AbstractContextManager[None]:
        """Return what the connection is made within: it verifies the name, unless it will not be made at all."""
        refuses_anyway = bool(self.weakness) or self._host is None
        return contextlib.nullcontext() if refuses_anyway else checking_hostname(context)


_MAKING = threading.Lock()
"""Held while a connection is made, because a context's setting is another one for some of them."""


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
        self.bench = Bench(
            now=now or functools.partial(datetime.now, UTC), record=record, is_trust_named=None, gate=InjectedGate
        )
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
                return ORIGINALS["_wrap_socket"](context, sock, False, host, owner=owner, session=session)
        # gevent names its own socket here, and in it the TLS socket.
        secured = owner if isinstance(owner, GenuineSocket) else owner._sslsock()  # noqa: SLF001
        gate = self._gate(context, host, _port_of(secured), secured)
        raw = None if session is None else gate.offer(session)
        with _MAKING, gate.making(context):
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
                return make(session=session)
        gate = self._gate(context, host, None, owner)
        raw = None if session is None else gate.offer(session)
        with _MAKING, gate.making(context):
            gate._inner = make(session=raw)  # noqa: SLF001
        gate._discard = outgoing.read  # noqa: SLF001
        self._take(owner, InjectedObject, gate)
        return gate

    def _gate(self, context: ssl.SSLContext, host: str | None, port: int | None, owner: Any) -> InjectedGate:
        reference = weakref.ref(owner)
        self.bench.connections.add(reference)
        self.bench.connections.sweep_if_due()
        gate = InjectedGate(self.bench, usable_name(host), port, reference)
        gate.weakness = weakness_of(context)
        gate._must_ask = gate._must_ask or bool(gate.weakness)  # noqa: SLF001
        forbid_renegotiation(context)
        return gate

    def _take(self, owner: Any, kind: type, gate: InjectedGate) -> None:
        """Make a connection a pinned one, whatever class it had: that of its context goes before ours."""
        owner.__class__ = _pinned(type(owner), kind)
        owner.bench, owner.gate = self.bench, gate


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
