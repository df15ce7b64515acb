"""No application byte moves before the pins were checked, on any path; and a refusal is sticky."""

from __future__ import annotations

import io
import select
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

import pinscher

from .conftest import HOST, SECRET, connected, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Scene


def _sendfile(secured: ssl.SSLSocket) -> None:
    with open("/dev/null", "rb") as nothing:
        secured.sendfile(nothing)
    secured.sendfile(io.BytesIO(SECRET))


def _write_to_file(secured: ssl.SSLSocket) -> None:
    with secured.makefile("rwb", buffering=0) as file:
        file.write(SECRET)


def _read_from_file(secured: ssl.SSLSocket) -> None:
    with secured.makefile("rb") as file:
        file.read(1)


SENDING: dict[str, Callable[[ssl.SSLSocket], object]] = {
    "send": lambda secured: secured.send(SECRET),
    "sendall": lambda secured: secured.sendall(SECRET),
    "write": lambda secured: secured.write(SECRET),
    "sendfile": _sendfile,
    "makefile": _write_to_file,
    "C object": lambda secured: secured._sslobj.write(SECRET),
}
RECEIVING: dict[str, Callable[[ssl.SSLSocket], object]] = {
    "recv": lambda secured: secured.recv(1),
    "recv_into": lambda secured: secured.recv_into(bytearray(8)),
    "read": lambda secured: secured.read(1),
    "read into": lambda secured: secured.read(8, bytearray(8)),
    "makefile": _read_from_file,
    "C object": lambda secured: secured._sslobj.read(1),
}
OTHERS: dict[str, Callable[[ssl.SSLSocket], object]] = {
    "do_handshake": lambda secured: secured.do_handshake(),
    "unwrap": lambda secured: secured.unwrap(),
    "what a newer Python adds": lambda secured: secured._sslobj.sendfile,
}
EVERY = [
    pytest.param(call, id=f"{kind} {name}")
    for kind, calls in (("out:", SENDING), ("in:", RECEIVING), ("other:", OTHERS))
    for name, call in calls.items()
]


@pytest.mark.parametrize("call", EVERY)
def test_every_path_is_refused(scene: Scene, call: Callable[[ssl.SSLSocket], object]) -> None:
    """With a deferred handshake, the first call of any kind shakes hands, checks the pins, and moves nothing."""
    server = scene.serve(scene.rogue)
    with wrapped(scene.context(), server, do_handshake_on_connect=False) as secured:
        for _ in range(2):
            with pytest.raises(pinscher.PinMismatchError, match=r"no pinned key in the validated chain of bank\.test"):
                call(secured)
        assert -1 == secured.fileno()
    server.wait_idle()
    assert 0 == server.application_bytes


@pytest.mark.parametrize("call", [pytest.param(call, id=name) for name, call in SENDING.items() if name != "sendfile"])
def test_every_path_works_with_a_pinned_key(scene: Scene, call: Callable[[ssl.SSLSocket], object]) -> None:
    """The same paths carry data to the genuine server."""
    server = scene.serve(scene.genuine)
    with wrapped(scene.context(), server, do_handshake_on_connect=False) as secured:
        call(secured)
        assert SECRET == secured.recv(len(SECRET))
    server.wait_idle()
    assert len(SECRET) == server.application_bytes


@pytest.mark.parametrize("call", [pytest.param(call, id=name) for name, call in (SENDING | RECEIVING).items()])
def test_every_call_after_a_refusal_raises(scene: Scene, call: Callable[[ssl.SSLSocket], object]) -> None:
    """After a refused handshake every method raises, although the socket is closed already."""
    server = scene.serve(scene.rogue)
    with wrapped(scene.context(), server, do_handshake_on_connect=False) as secured:
        with pytest.raises(pinscher.PinMismatchError):
            secured.do_handshake()
        with pytest.raises(OSError, match=r"."):
            call(secured)
        secured.close()
        with pytest.raises(pinscher.PinMismatchError):
            secured.do_handshake()
    server.wait_idle()
    assert 0 == server.application_bytes


def test_connecting_later_is_checked(scene: Scene) -> None:
    """A socket that is wrapped first and connected later is checked, and refused before it sends."""
    server = scene.serve(scene.rogue)
    with scene.context().wrap_socket(socket.socket(), server_hostname=HOST) as secured:
        with pytest.raises(OSError, match="sends no clear text"):
            secured.send(SECRET)
        with pytest.raises(pinscher.PinMismatchError):
            secured.connect(server.address)
        with pytest.raises(pinscher.PinMismatchError):
            secured.send(SECRET)
    server.wait_idle()
    assert (0, 0) == (server.application_bytes, server.evidence.plaintext_bytes)


def test_connecting_later_works(scene: Scene) -> None:
    """A socket that is wrapped first and connected later reaches the genuine server, by connect and by connect_ex."""
    server = scene.serve(scene.genuine)
    context = scene.context()
    with context.wrap_socket(socket.socket(), server_hostname=HOST) as secured:
        assert (None, 0, None, None) == (secured.version(), secured.pending(), secured.cipher(), secured.session)
        secured.connect(server.address)
        secured.sendall(SECRET)
        assert SECRET == secured.recv(100)
    with context.wrap_socket(socket.socket(), server_hostname=HOST) as secured:
        assert 0 == secured.connect_ex(server.address)
        secured.sendall(SECRET)


def test_a_refused_connection_can_be_tried_elsewhere(scene: Scene) -> None:
    """A socket whose connection was refused by nobody listening can connect to another address."""
    server = scene.serve(scene.genuine)
    with socket.create_server(("127.0.0.1", 0)) as gone:
        nobody = gone.getsockname()
    with scene.context().wrap_socket(socket.socket(), server_hostname=HOST) as secured:
        with pytest.raises(ConnectionRefusedError):
            secured.connect(nobody)
        secured.connect(server.address)
        secured.sendall(SECRET)


def _until_done(secured: ssl.SSLSocket, call: Callable[[], object]) -> object:
    """Call until neither reading nor writing is wanted, as an event loop does."""
    for _ in range(1000):
        try:
            return call()
        except ssl.SSLWantReadError:
            select.select([secured], [], [], 5)
        except ssl.SSLWantWriteError:
            select.select([], [secured], [], 5)
    raise AssertionError("the handshake does not end")


@pytest.mark.parametrize("implicit", [True, False], ids=["implicit handshake", "explicit handshake"])
def test_non_blocking_sockets_are_checked(scene: Scene, implicit: bool) -> None:
    """A non-blocking socket is checked at the end of its handshake, whether it asked for one or merely sent."""
    server = scene.serve(scene.rogue)
    with connected(server) as plain:
        plain.setblocking(False)
        context = scene.context()
        with context.wrap_socket(plain, server_hostname=HOST, do_handshake_on_connect=False) as secured:
            with pytest.raises(pinscher.PinMismatchError):
                _until_done(secured, (lambda: secured.send(SECRET)) if implicit else secured.do_handshake)
            assert -1 == secured.fileno()
    server.wait_idle()
    assert 0 == server.application_bytes


def test_non_blocking_connect_never_sends_clear_text(scene: Scene) -> None:
    """Where the standard library forgets TLS after a connect that is in progress, a pinned socket goes on with it."""
    server = scene.serve(scene.genuine)
    with socket.socket() as plain:
        plain.setblocking(False)
        context = scene.context()
        with context.wrap_socket(plain, server_hostname=HOST, do_handshake_on_connect=False) as secured:
            with pytest.raises(BlockingIOError):
                secured.connect(server.address)
            select.select([], [secured], [], 5)
            assert len(SECRET) == _until_done(secured, lambda: secured.send(SECRET))
    server.wait_idle()
    assert (len(SECRET), 0) == (server.application_bytes, server.evidence.plaintext_bytes)


@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_RDWR])
def test_shutdown_never_leads_to_clear_text(scene: Scene, how: int) -> None:
    """After shutdown, where a plain TLS socket would go on in clear text, a pinned one sends nothing."""
    server = scene.serve(scene.genuine)
    with wrapped(scene.context(), server) as secured:
        secured.shutdown(how)
        with pytest.raises(OSError, match="sends no clear text"):
            secured.sendall(SECRET)
    server.wait_idle()
    assert (0, 0) == (server.application_bytes, server.evidence.plaintext_bytes)


def test_unwrap_is_the_way_to_clear_text(scene: Scene) -> None:
    """TLS ends, and clear text begins, only by unwrap on a connection that was let through."""
    server = scene.serve(scene.genuine)
    with wrapped(scene.context(), server) as secured:
        assert isinstance(secured.unwrap(), socket.socket)
    with scene.context().wrap_socket(socket.socket(), server_hostname=HOST) as secured:
        with pytest.raises(ValueError, match="no TLS connection stands"):
            secured.unwrap()


def test_duplicates_and_datagrams_are_refused(scene: Scene) -> None:
    """The calls that would go round TLS raise, before and after the check."""
    server = scene.serve(scene.genuine)
    with wrapped(scene.context(), server) as secured:
        for call in (secured.dup, lambda: secured.sendmsg([SECRET]), lambda: secured.recvmsg(1)):
            with pytest.raises(NotImplementedError):
                call()
        with pytest.raises(ValueError, match="sendto not allowed"):
            secured.sendto(SECRET, server.address)
    server.wait_idle()
    assert (0, 0) == (server.application_bytes, server.evidence.plaintext_bytes)


def test_the_data_path_is_the_standard_librarys(scene: Scene) -> None:
    """Once a connection was let through, nothing of ours stands between it and its data."""
    server = scene.serve(scene.genuine)
    context = scene.context()
    with wrapped(context, server) as secured:
        assert "pinscher" not in type(secured._sslobj).__module__
        assert (secured,) == context.connections
        assert secured.verdict is scene.told[0]
        assert server.port == secured.verdict.port
    assert () == context.connections or secured in context.connections


def test_memory_connections_are_checked(scene: Scene) -> None:
    """Through memory buffers, a refused connection raises on every call and leaves nothing to be sent."""
    server = scene.serve(scene.rogue)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secured = scene.context().wrap_bio(incoming, outgoing, server_hostname=HOST)
    with connected(server) as plain:
        with pytest.raises(pinscher.PinMismatchError):
            _pump(plain, incoming, outgoing, lambda: secured.write(SECRET))
        assert b"" == outgoing.read()
        for call in (lambda: secured.write(SECRET), secured.read, secured.unwrap, secured.getpeercert):
            with pytest.raises(pinscher.PinMismatchError):
                call()
    server.wait_idle()
    assert (0, False) == (server.application_bytes, server.evidence[0].handshake_completed)


def test_memory_connections_work(scene: Scene) -> None:
    """Through memory buffers, the genuine server gets the data."""
    server = scene.serve(scene.genuine)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secured = scene.context().wrap_bio(incoming, outgoing, server_hostname=HOST)
    with connected(server) as plain:
        assert len(SECRET) == _pump(plain, incoming, outgoing, lambda: secured.write(SECRET))
        assert SECRET == _pump(plain, incoming, outgoing, lambda: secured.read(100))
    assert ["MATCH"] == scene.outcomes()


def _pump(plain: socket.socket, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, call: Callable[[], object]) -> object:
    """Call until nothing is wanted, carrying what the memory buffers hold over a socket."""
    for _ in range(100):
        try:
            answer = call()
        except ssl.SSLWantReadError:
            plain.sendall(outgoing.read())
            incoming.write(plain.recv(65536))
        else:
            plain.sendall(outgoing.read())
            return answer
    raise AssertionError("the handshake does not end")
