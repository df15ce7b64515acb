"""A policy that is injected pins contexts that nobody made for it, and leaves alone what the policy leaves alone."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import socket
import ssl
import tempfile
import threading
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.clients import injection
from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer
from pinscher.tls import injected
from pinscher.tls.settings import GenuineContext, c_descriptor
from tests.programs import said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST = "localhost"
SECRET = b"password=correct horse battery staple"


class Scene:
    """A genuine server and a rogue under one authority, and contexts that know nothing of pins."""

    def __init__(self, servers: contextlib.ExitStack) -> None:
        self.root = Authority.root("Lab Root")
        self.held = self.root.issue(HOST)
        self.servers = servers

    def serve(self, held: Any = None, **options: Any) -> TlsServer:
        """Return a running server, which is stopped at the test's end."""
        return self.servers.enter_context(TlsServer(held or self.held, **({"protocol": "echo"} | options)))

    def rogue(self, **options: Any) -> TlsServer:
        """Return a server with another key for the same name, under the same authority."""
        return self.serve(self.root.issue(HOST), **options)

    def policy(self, *, host: str = HOST, top: str = "", more: str = "", version: int = 1) -> pinscher.Policy:
        """Return a policy that pins a host to the genuine key."""
        pin = pinscher.Pin.of(self.held.der)
        return pinscher.Policy.loads(
            f'format = 1\nname = "b"\nversion = {version}\n{top}\n[hosts."{host}"]\npins = ["{pin}"]\n{more}\n'
        )

    def plain(self) -> ssl.SSLContext:
        """Return what an application makes that was never told of pins."""
        return ssl.create_default_context(cadata=self.root.pem.decode())


ALLOWING = '[defaults]\nunlisted-hosts = "allow"'


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Return a scene with fresh keys."""
    with contextlib.ExitStack() as servers:
        yield Scene(servers)


@contextlib.contextmanager
def wrapped(
    context: ssl.SSLContext, server: TlsServer, host: str | None = HOST, **more: Any
) -> Iterator[ssl.SSLSocket]:
    """Yield a connection to a server."""
    with socket.create_connection(server.address, timeout=10) as tcp:
        with context.wrap_socket(tcp, server_hostname=host, **more) as secured:
            yield secured


def talk(context: ssl.SSLContext, server: TlsServer, **more: Any) -> ssl.SSLSocket:
    """Exchange a secret with a server."""
    with wrapped(context, server, **more) as secured:
        secured.sendall(SECRET)
        assert SECRET == secured.recv(len(SECRET))
        return secured


async def stream(context: ssl.SSLContext, server: TlsServer) -> None:
    """Exchange a secret over an asyncio stream."""
    reader, writer = await asyncio.open_connection(*server.address, ssl=context, server_hostname=HOST)
    writer.write(SECRET)
    assert SECRET == await reader.readexactly(len(SECRET))
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def test_contexts_made_before_and_after_are_pinned(scene: Scene) -> None:
    """Whenever a context was made, what it connects to afterwards is judged."""
    before, genuine, rogue = scene.plain(), scene.serve(), scene.rogue()
    with pinscher.injected(scene.policy()):
        for context in (before, scene.plain()):
            talk(context, genuine)
            with pytest.raises(pinscher.PinMismatchError):
                talk(context, rogue)
    rogue.wait_idle()
    assert (2 * len(SECRET), 0) == (genuine.application_bytes, rogue.application_bytes)


def test_memory_buffers_are_pinned(scene: Scene) -> None:
    """What asyncio connects to is judged as well."""
    genuine, rogue = scene.serve(), scene.rogue()
    with pinscher.injected(scene.policy()):
        asyncio.run(stream(scene.plain(), genuine))
        with pytest.raises(pinscher.PinMismatchError):
            asyncio.run(stream(scene.plain(), rogue))
    rogue.wait_idle()
    assert 0 == rogue.application_bytes


def test_it_is_taken_back(scene: Scene) -> None:
    """After the block contexts are what they were, down to the class's own names."""
    names, rogue = set(vars(GenuineContext)), scene.rogue()
    with pinscher.injected(scene.policy()):
        assert names != set(vars(GenuineContext))
    assert names == set(vars(GenuineContext))
    assert type(talk(scene.plain(), rogue)) is ssl.SSLSocket


def test_the_last_of_several_counts(scene: Scene) -> None:
    """An injection within another one takes its place, and gives it back whichever ends first."""
    server = scene.serve()
    outer = pinscher.inject(scene.policy())
    inner = pinscher.inject(scene.policy(host="elsewhere.test"))
    try:
        with pytest.raises(pinscher.PinMismatchError):
            talk(scene.plain(), server)
        inner.undo()
        talk(scene.plain(), server)
        inner.undo()
    finally:
        outer.undo()
    assert "_wrap_socket" not in vars(GenuineContext)


def test_what_the_policy_leaves_alone_is_left_alone(scene: Scene) -> None:
    """An unlisted host, where that is allowed, and an exception with its reason get the very sockets they had."""
    rogue = scene.rogue()
    unverified = scene.plain()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    exception = f'format = 1\nname = "b"\nversion = 1\n[hosts.{HOST}]\nunpinned = "a status page"\n'
    for policy in (scene.policy(host="elsewhere.test", top=ALLOWING), pinscher.Policy.loads(exception)):
        with pinscher.injected(policy):
            assert [ssl.SSLSocket] * 2 == [type(talk(context, rogue)) for context in (scene.plain(), unverified)]


def test_a_context_that_verifies_nothing_is_refused_before_a_byte(scene: Scene) -> None:
    """``verify=False`` for a pinned host is refused, and the verdict says why."""
    context, server = scene.plain(), scene.serve()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pinscher.injected(scene.policy()) as inside:
        with pytest.raises(pinscher.PinMismatchError, match="verify_mode"):
            talk(context, server)
        assert [pinscher.Outcome.CHAIN_NOT_VALIDATED] == [verdict.outcome for verdict in inside.verdicts]
    server.wait_idle()
    assert [None] == [record.server_name for record in server.evidence.connections]


def test_the_name_is_verified_where_a_context_leaves_it_to_its_client(scene: Scene) -> None:
    """A context without a check of the name, such as boto3's, connects to the name that was asked for and no other."""
    context = scene.plain()
    context.check_hostname = False
    elsewhere = scene.serve(scene.root.issue("elsewhere.test", key=scene.held.key))
    with pinscher.injected(scene.policy(top=ALLOWING)):
        talk(context, scene.serve())
        asyncio.run(stream(context, scene.serve()))
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            talk(context, elsewhere)
        assert (False, "elsewhere.test") == (
            context.check_hostname,
            talk(context, elsewhere, host="elsewhere.test").server_hostname,
        )
    elsewhere.wait_idle()
    assert len(SECRET) == elsewhere.application_bytes


def test_a_missing_name_is_refused(scene: Scene) -> None:
    """A connection without a server name could be anybody's, so that it is refused whatever unlisted hosts are."""
    context, server = scene.plain(), scene.serve()
    context.check_hostname = False
    with pinscher.injected(scene.policy(top=ALLOWING)), pytest.raises(pinscher.PinMismatchError):
        talk(context, server, host=None)
    server.wait_idle()
    assert 0 == server.application_bytes


def test_pinned_contexts_go_by_their_own_policy(scene: Scene) -> None:
    """A pinned context is judged by its own policy, and by no injected one."""
    context = pinscher.PinnedContext(scene.policy(), trust=scene.root.pem)
    with pinscher.injected(scene.policy(host="elsewhere.test")):
        talk(context, scene.serve())
        with pytest.raises(pinscher.PinMismatchError):
            talk(context, scene.rogue())


def test_servers_go_on(scene: Scene) -> None:
    """A server in the same process shows its certificate as before, a client's callback in no way."""
    with pinscher.injected(scene.policy()):
        server = scene.serve()
        talk(scene.plain(), server)


def test_sessions_are_resumed_and_judged(scene: Scene) -> None:
    """A connection resumes the session of one that was let through, and is judged by that one's chain."""
    context, server, told = scene.plain(), scene.serve(), []
    with pinscher.injected(scene.policy(), on_verdict=told.append):
        with wrapped(context, server) as first:
            first.sendall(SECRET)
            first.recv(len(SECRET))
            session = first.session
        with wrapped(context, server, session=session) as second:
            assert second.session_reused
            second.sendall(SECRET)
    assert [False, True] == [verdict.resumed for verdict in told]


def test_a_new_policy_reaches_open_connections(scene: Scene) -> None:
    """Assigning a policy ends connections whose key it denies."""
    server = scene.serve()
    with pinscher.injected(scene.policy()) as inside, wrapped(scene.plain(), server) as secured:
        secured.sendall(SECRET)
        assert (secured,) == inside.connections
        other = pinscher.Pin.of(scene.root.issue(HOST).der)
        inside.policy = pinscher.Policy.loads(
            f'format = 1\nname = "b"\nversion = 2\n[hosts.{HOST}]\npins = ["{other}"]\n'
            f'denied-keys = ["{pinscher.Pin.of(scene.held.der)}"]\n'
        )
        with pytest.raises(pinscher.PinMismatchError):
            secured.sendall(SECRET)
        assert 2 == inside.policy.version


def test_a_client_certificate_is_not_shown_to_a_rogue(scene: Scene) -> None:
    """A context that loads its certificate under an injection shows it to the pinned server alone."""
    alice, versions = scene.root.issue_client("alice"), (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    with pinscher.injected(scene.policy(top=ALLOWING)), tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(alice.chain_pem + alice.key_pem)
        file.flush()
        context = scene.plain()
        context.load_cert_chain(file.name)
        for version in versions:
            asking = {"client_ca": scene.root.pem, "maximum_version": version, "minimum_version": version}
            genuine, rogue = scene.serve(**asking), scene.rogue(**asking)
            talk(context, genuine)
            with pytest.raises(pinscher.PinMismatchError):
                talk(context, rogue)
            rogue.wait_idle()
            assert [True, False] == [server.evidence.connections[0].handshake_completed for server in (genuine, rogue)]
        elsewhere = scene.serve(scene.root.issue("elsewhere.test"), client_ca=scene.root.pem)
        talk(context, elsewhere, host="elsewhere.test")
        assert alice.der == elsewhere.evidence.connections[0].client_certificate


def test_truststore_goes_along(scene: Scene, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A context of truststore is pinned where OpenSSL verifies; where the operating system does, it is refused."""
    import truststore

    path = tmp_path / "ca.pem"
    path.write_bytes(scene.root.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    genuine, rogue = scene.serve(), scene.rogue()
    with pinscher.injected(scene.policy()):
        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        talk(context, genuine)
        asyncio.run(stream(context, genuine))
        with pytest.raises(pinscher.PinMismatchError):
            talk(context, rogue)
        with pytest.raises(pinscher.PinMismatchError):
            asyncio.run(stream(context, rogue))
        # What truststore does on macOS and Windows: OpenSSL verifies nothing, and says so.
        context._ctx.check_hostname = False
        context._ctx.verify_mode = ssl.CERT_NONE
        with pytest.raises(pinscher.PinMismatchError, match="verify_mode"):
            talk(context, genuine)
    rogue.wait_idle()
    assert 0 == rogue.application_bytes


def test_sockets_that_connect_later_are_pinned(scene: Scene) -> None:
    """A socket that is wrapped first and connected afterwards, blocking or not, sends nothing to a rogue."""
    for server, is_genuine in ((scene.serve(), True), (scene.rogue(), False)):
        with pinscher.injected(scene.policy()):
            for is_blocking in (True, False):
                with socket.socket() as tcp, scene.plain().wrap_socket(tcp, server_hostname=HOST) as secured:
                    outcome = _connect_late(secured, server, is_blocking=is_blocking)
                assert outcome is is_genuine
        server.wait_idle()
        assert (server.application_bytes > 0) is is_genuine
        assert 0 == server.evidence.plaintext_bytes


def _connect_late(secured: ssl.SSLSocket, server: TlsServer, *, is_blocking: bool) -> bool:
    secured.setblocking(is_blocking)
    try:
        with contextlib.suppress(BlockingIOError):
            secured.connect(server.address)
        secured.settimeout(10)
        secured.do_handshake()
        secured.sendall(SECRET)
        secured.recv(len(SECRET))
    except pinscher.PinMismatchError:
        with pytest.raises(OSError):  # noqa: PT011  (refused again, or closed)
            secured.sendall(SECRET)
        return False
    return True


def test_going_back_to_clear_text_is_the_callers_own_doing(scene: Scene) -> None:
    """``unwrap`` ends TLS as without pins, and what the socket sends afterwards is clear text."""
    server = scene.serve()
    with pinscher.injected(scene.policy()), wrapped(scene.plain(), server) as secured:
        secured.unwrap().sendall(SECRET)
        assert None is secured.version()


def test_a_socket_that_was_shut_down_sends_nothing_in_clear(scene: Scene) -> None:
    """After ``shutdown`` the standard library would take the socket for a clear text one; a pinned one is closed."""
    server = scene.serve()
    with pinscher.injected(scene.policy()), wrapped(scene.plain(), server) as secured:
        secured.shutdown(socket.SHUT_RD)
        with pytest.raises(OSError, match="clear text"):
            secured.sendall(SECRET)
    server.wait_idle()
    assert (0, 0) == (server.application_bytes, server.evidence.plaintext_bytes)


def test_threads_inject_and_connect_at_once(scene: Scene) -> None:
    """Under an outer injection no connection goes unpinned, however often inner ones come and go."""
    rogue, refused, over = scene.rogue(), [], threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            with pinscher.injected(scene.policy(version=2)):
                pass

    with pinscher.injected(scene.policy()):
        thread = threading.Thread(target=come_and_go)
        thread.start()
        for _ in range(50):
            try:
                talk(scene.plain(), rogue)
            except pinscher.PinMismatchError as error:
                refused.append(error)
        over.set()
        thread.join()
    rogue.wait_idle()
    assert (50, 0) == (len(refused), rogue.application_bytes)


def test_the_standard_librarys_own_clients_are_pinned(
    scene: Scene, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Urllib and http.client, which make a context themselves, refuse a rogue."""
    path = tmp_path / "ca.pem"
    path.write_bytes(scene.root.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    rogue = scene.rogue(protocol="http")
    with pinscher.injected(scene.policy()):
        with pytest.raises(OSError) as caught:  # noqa: PT011  (whatever the client makes of it)
            urllib.request.urlopen(f"https://{HOST}:{rogue.port}/", SECRET, timeout=10)
        assert None is not pinscher.verdict_of(caught.value)
        connection = http.client.HTTPSConnection(HOST, rogue.port, timeout=10)
        with contextlib.closing(connection), pytest.raises(pinscher.PinMismatchError):
            connection.request("POST", "/", SECRET)
    rogue.wait_idle()
    assert 0 == rogue.application_bytes


def test_somebody_elses_patch_is_left_where_it_is(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that stands where ours would go is not taken away, and an injection that cannot be made says so."""
    monkeypatch.setattr(GenuineContext, "_wrap_socket", ssl.SSLContext._wrap_socket, raising=False)
    with pytest.raises(pinscher.InsecureContextError, match="_wrap_socket"):
        pinscher.inject(scene.policy())
    assert [] == injection._INJECTIONS


# What other threads do to a context while a connection is made of it.


def _meanwhile(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> list[threading.Thread]:
    """Have another thread change something at the moment at which the C level makes a connection; return the thread."""
    make, threads = injected.ORIGINALS["_wrap_socket"], []

    def making(*arguments: Any, **options: Any) -> Any:
        thread = threading.Thread(target=change)
        threads.append(thread)
        thread.start()
        # As long as the setting waits, which is until the connection was made.
        thread.join(0.2)
        return make(*arguments, **options)

    monkeypatch.setitem(injected.ORIGINALS, "_wrap_socket", making)
    return threads


def test_a_context_that_is_switched_off_meanwhile_verifies_all_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that takes verification away while a connection is made has to wait: a forged chain is not believed."""
    authority = scene.root.intermediate("Lab Intermediate")
    pin = pinscher.Pin.of(authority.certificate)
    policy = pinscher.Policy.loads(f'format = 1\nname = "b"\nversion = 1\n[hosts."{HOST}"]\npins = ["{pin}"]\n')
    server, context = scene.serve(authority.forged_issuer(HOST)), scene.plain()

    def switch_off() -> None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE

    with injection.injected(policy):
        threads = _meanwhile(monkeypatch, switch_off)
        with pytest.raises(ssl.SSLCertVerificationError):
            talk(context, server)
        threads[0].join()
        assert ssl.CERT_NONE is context.verify_mode
    server.wait_idle()
    assert 0 == server.application_bytes


def test_a_setting_that_is_made_meanwhile_is_not_lost(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that has host names checked while a connection without the check is made has them checked for good."""
    context = scene.plain()
    context.check_hostname = False
    with injection.injected(scene.policy()):
        threads = _meanwhile(monkeypatch, lambda: setattr(context, "check_hostname", True))
        talk(context, scene.serve())
        threads[0].join()
    assert context.check_hostname


def test_a_setting_that_reaches_past_every_setting_is_seen(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code of this process that takes verification away at the C level has its connection refused."""
    context, server = scene.plain(), scene.serve()
    context.check_hostname = False
    c_level = c_descriptor("verify_mode")

    with injection.injected(scene.policy()):
        make = injected.ORIGINALS["_wrap_socket"]

        def making(*arguments: Any, **options: Any) -> Any:
            c_descriptor("check_hostname").__set__(context, False)
            c_level.__set__(context, ssl.CERT_NONE)
            return make(*arguments, **options)

        monkeypatch.setitem(injected.ORIGINALS, "_wrap_socket", making)
        with pytest.raises(pinscher.PinMismatchError, match="verifies no certificate"):
            talk(context, server)
    server.wait_idle()
    assert 0 == server.application_bytes


def test_the_settings_are_the_standard_librarys_own_again(scene: Scene) -> None:
    """Injection stands in front of three settings, and puts back what was there."""
    names = ("verify_mode", "check_hostname", "options")
    before = [vars(GenuineContext).get(name) for name in names]
    with injection.injected(scene.policy()):
        assert not [name for name, one in zip(names, before, strict=True) if vars(GenuineContext).get(name) is one]
    assert before == [vars(GenuineContext).get(name) for name in names]


@pytest.mark.parametrize("is_injected", [False, True], ids=["plain", "injected"])
def test_a_connection_that_was_refused_can_be_tried_again(scene: Scene, is_injected: bool) -> None:
    """A socket whose server was not there yet connects when it is asked once more, as without injection."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        nobody = reserved.getsockname()
    server = scene.serve()
    with contextlib.ExitStack() as stack:
        if is_injected:
            stack.enter_context(injection.injected(scene.policy()))
        secured = stack.enter_context(scene.plain().wrap_socket(socket.socket(), server_hostname=HOST))
        with pytest.raises(ConnectionRefusedError):
            secured.connect(nobody)
        secured.connect(server.address)
        secured.sendall(SECRET)
        assert SECRET == secured.recv(len(SECRET))


@pytest.mark.parametrize("before", ["plain", "left alone", "pinned"])
@pytest.mark.parametrize("after", ["left alone", "pinned"])
def test_a_session_that_an_application_kept_disturbs_nobody(scene: Scene, before: str, after: str) -> None:
    """A session from before an injection, or before another policy, leads to a handshake and never to an error."""
    server, context = scene.serve(), scene.plain()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    alone = pinscher.Policy.loads(f'format = 1\nname = "b"\nversion = 1\n[hosts.{HOST}]\nunpinned = "a test"\n')
    with contextlib.ExitStack() as stack:
        if before != "plain":
            stack.enter_context(injection.injected(alone if before == "left alone" else scene.policy()))
        session = _session_after(context, server, None)
        stack.enter_context(injection.injected(alone if after == "left alone" else scene.policy()))
        assert _session_after(context, server, session) is not None


def _session_after(context: ssl.SSLContext, server: TlsServer, session: Any) -> Any:
    """Send the secret, and return the session of the connection that did."""
    with socket.create_connection(server.address, timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname=HOST, session=session) as secured:
            secured.sendall(SECRET)
            assert SECRET == secured.recv(len(SECRET))
            return secured.session


FORKING = """
import os, signal, ssl, threading, warnings
warnings.simplefilter("ignore")
import pinscher
from pinscher.clients import injection
injection.inject(pinscher.Policy.loads({policy!r}))
context, over = ssl.create_default_context(), threading.Event()
def make_one():
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
def make():
    while not over.is_set():
        make_one()
make_one()  # The interpreter's own first search of a codec takes a lock that a child would wait for.
thread = threading.Thread(target=make, daemon=True); thread.start()
ends = []
for _ in range(40):
    child = os.fork()
    if not child:
        signal.alarm(20)
        make_one()
        os._exit(0)
    ends.append(os.waitpid(child, 0)[1])
over.set(); thread.join(); print(ends.count(0))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_that_is_made_at_any_moment_connects(scene: Scene) -> None:
    """A process that forks while another of its threads makes connections has children that make connections too."""
    assert "40" == said(FORKING.format(policy=scene.policy().to_toml()), is_measured=False)
