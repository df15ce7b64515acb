"""
The self-test: two handshakes in memory and a look at the hooks of the context in use, for a health check.

What it proves: with this interpreter, this OpenSSL and the code that is loaded now, a context of the same class lets a
pinned key in and refuses another that is valid in everything else, before an application byte is sent; and the context
in use has the methods, the gate and the settings that Pinscher gave it.

What it does not prove: that the policy names the right keys, that the application uses this context, or anything
against code in the same process that sets out to deceive it.
"""

from __future__ import annotations

import functools
import importlib.resources
import ssl
from typing import TYPE_CHECKING

from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.tls import data
from pinscher.tls.context import HOOKS, PinnedContext
from pinscher.tls.enforcement import PinMismatchError
from pinscher.tls.settings import InsecureContextError

if TYPE_CHECKING:
    from pinscher.tls._cpython import PinnedObject

HOST = "self-test.invalid"
"""The name that the shipped certificates are for; nobody can own it (RFC 6761 section 6.4)."""

MESSAGE = b"an application's bytes"


class SelfTestError(InsecureContextError):
    """What ought to stand between this process and a rogue server does not."""


def selftest(context: PinnedContext | None = None) -> None:
    """
    Play a genuine and a rogue server in memory, look at *context*, and raise :class:`SelfTestError` if anything is off.

    It takes a few milliseconds and touches no network. Its two verdicts are counted under :data:`HOST`.
    """
    _check_hooks()
    if context is not None:
        _check_live(context)
    kind = _sibling_class(context)
    policy, trust = _policy()
    _play_genuine(kind(policy, trust=trust))
    _play_rogue(kind(policy, trust=trust))


@functools.cache
def _policy() -> tuple[Policy, bytes]:
    """Return the policy that pins the genuine server's key, and the root that issued to both."""
    genuine = _shipped("genuine")
    pin = Pin.of(ssl.PEM_cert_to_DER_cert(genuine[: genuine.index(_END) + len(_END)]))
    policy = Policy.loads(f'format = 1\nname = "self-test"\nversion = 1\n[hosts."{HOST}"]\npins = ["{pin}"]\n')
    return policy, _shipped("root").encode()


_END = "-----END CERTIFICATE-----"


def _play_genuine(context: PinnedContext) -> None:
    try:
        client, server = _shake_hands(context, "genuine")
        client.write(MESSAGE)
        arrived = server.read(len(MESSAGE))
    except Exception as error:
        raise SelfTestError(f"a genuine server was refused: {type(error).__name__}: {error}") from error
    if arrived != MESSAGE:
        raise SelfTestError("the bytes for a genuine server did not arrive")


def _play_rogue(context: PinnedContext) -> None:
    try:
        client, _ = _shake_hands(context, "rogue")
        client.write(MESSAGE)
    except PinMismatchError:
        return
    except Exception as error:
        raise SelfTestError(f"a rogue server was refused by something else: {type(error).__name__}: {error}") from error
    raise SelfTestError("a rogue server with a valid certificate was let in: nothing is pinned here")


def _shake_hands(context: PinnedContext, name: str) -> tuple[PinnedObject, ssl.SSLObject]:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname=HOST)
    server = _server(name).wrap_bio(to_server, to_client, server_side=True)
    waiting: list[ssl.SSLObject] = [client, server]
    for _ in range(_MOST_FLIGHTS):
        for side in tuple(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    return client, server


_MOST_FLIGHTS = 8
"""Rounds of a handshake; TLS 1.3 needs two."""


@functools.cache
def _server(name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with importlib.resources.as_file(importlib.resources.files(data) / f"{name}.pem") as chain:
        context.load_cert_chain(chain)
    return context


def _shipped(name: str) -> str:
    return (importlib.resources.files(data) / f"{name}.pem").read_text("ascii")


def _sibling_class(context: PinnedContext | None) -> type[PinnedContext]:
    """Return the class to play with: that of the context, if it is made the way ours are."""
    kind = PinnedContext if context is None else type(context)
    return kind if kind.__init__ is PinnedContext.__init__ else PinnedContext


def _check_hooks() -> None:
    for (owner, name), genuine in HOOKS.items():
        if vars(owner).get(name) is not genuine:
            raise SelfTestError(f"{owner.__qualname__}.{name} was replaced since pinscher was imported")


def _check_live(context: PinnedContext) -> None:
    if not isinstance(context, PinnedContext):
        raise SelfTestError(f"a pinned context was expected, found {type(context).__name__}")
    for name in vars(context):
        if any(name in vars(owner) for owner in type(context).__mro__):
            raise SelfTestError(f"{name!r} of the context in use was replaced")
    for owner in type(context).__mro__:
        if owner is PinnedContext:
            break
        for name in vars(owner):
            if (PinnedContext, name) in HOOKS and not owner.__module__.startswith("pinscher."):
                raise SelfTestError(f"{owner.__qualname__} overrides {name!r}, which pins rest on")
    context.check_settings()
