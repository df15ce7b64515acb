"""A pinned socket, and one that injection pinned, take and say what the standard library's own does."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

import pinscher

from .conftest import HOST, connected, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Scene

KINDS = pytest.mark.parametrize("kind", ["plain", "pinned", "injected"])


@contextlib.contextmanager
def _context(scene: Scene, kind: str) -> Iterator[ssl.SSLContext]:
    """Yield a context whose sockets are the standard library's, a pinned context's, or injected ones."""
    if kind == "pinned":
        yield scene.context()
        return
    with pinscher.injected(scene.policy()) if kind == "injected" else contextlib.nullcontext():
        yield ssl.create_default_context(cadata=scene.root.pem.decode())


@KINDS
def test_parameters_may_be_named(scene: Scene, kind: str) -> None:
    """``do_handshake(block=True)`` and ``connect(addr=...)`` are called by the names that the standard library has."""
    server = scene.serve(scene.genuine)
    with _context(scene, kind) as context, connected(server) as plain:
        with context.wrap_socket(plain, server_hostname=HOST, do_handshake_on_connect=False) as secured:
            secured.setblocking(False)
            secured.do_handshake(block=True)
            assert "TLSv1.3" == secured.version()
        with context.wrap_socket(socket.socket(), server_hostname=HOST) as later:
            later.connect(addr=server.address)
            assert "TLSv1.3" == later.version()


def _said(call: Any) -> str:
    with pytest.raises((OSError, ValueError)) as caught:
        call()
    return type(caught.value).__name__


@KINDS
def test_a_closed_socket_says_what_any_does(scene: Scene, kind: str) -> None:
    """Reading and writing after ``close`` raise the standard library's errors."""
    with _context(scene, kind) as context, wrapped(context, scene.serve(scene.genuine)) as secured:
        secured.close()
        said = [_said(call) for call in (secured.read, lambda: secured.write(b"x"), lambda: secured.send(b"x"))]
    assert ["ValueError", "ValueError", "OSError"] == said


@pytest.mark.parametrize("kind", ["pinned", "injected"])
def test_whoever_sends_after_a_shutdown_is_told_of_a_broken_pipe(scene: Scene, kind: str) -> None:
    """A connection that was shut down is gone in the way that clients look for: a ``BrokenPipeError``."""
    with _context(scene, kind) as context, wrapped(context, scene.serve(scene.genuine)) as secured:
        secured.shutdown(socket.SHUT_RDWR)
        with pytest.raises(BrokenPipeError):
            secured.sendall(b"x")


def test_a_name_is_text_and_nothing_more(scene: Scene) -> None:
    """A server name of a class of one's own is the plain text that it holds."""

    class Name(str):
        __slots__ = ()

    with scene.context().wrap_socket(socket.socket(), server_hostname=Name(f"alike.{HOST}")) as secured:
        assert str is type(secured.server_hostname)
