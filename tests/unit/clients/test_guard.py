"""The guard refuses, or reports, every way past the pins of a pinned host that it can see."""

from __future__ import annotations

import asyncio
import contextlib
import ftplib
import gc
import http.client
import imaplib
import poplib
import smtplib
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.clients import guard_hooks
from pinscher.clients.guard import Finding, Past, UnguardedConnectionError
from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation

# Clients clean up after errors of their own, and leave what the guard's leaves behind to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

HOST = "localhost"
ROOT = Authority.root("Lab Root")
HELD = ROOT.issue(HOST)


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Collect the garbage of a refused client within the test that made it."""
    yield
    gc.collect()


def policy(more: str = "") -> pinscher.Policy:
    """Return a policy that pins the host, and nothing else."""
    return pinscher.Policy.loads(
        'format = 1\nname = "b"\nversion = 1\n[defaults]\nunlisted-hosts = "allow"\n'
        f'[hosts."{HOST}"]\npins = ["{pinscher.Pin.of(HELD.der)}"]\n{more}\n'
    )


def plain() -> ssl.SSLContext:
    """Return a context that knows nothing of pins."""
    return ssl.create_default_context(cadata=ROOT.pem.decode())


def in_clear(conversation: Conversation) -> None:
    """Answer every request in clear text, so that a client that gets through gets through."""
    conversation.receive()
    conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.fixture
def clear() -> Iterator[TlsServer]:
    """Return a server that speaks clear text."""
    with TlsServer(HELD, protocol=in_clear) as server:
        yield server


def with_urllib(url: str, context: ssl.SSLContext) -> None:
    """Request by urllib."""
    urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)).open(
        url, timeout=10
    ).close()


def with_urllib3(url: str, context: ssl.SSLContext) -> None:
    """Request by urllib3."""
    import urllib3

    with urllib3.PoolManager(ssl_context=context) as pool:
        pool.request("GET", url, timeout=10)


def with_requests(url: str, context: ssl.SSLContext) -> None:
    """Request by requests."""
    import requests

    from pinscher.clients.requests import PinnedAdapter

    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", PinnedAdapter(context))
        session.get(url, timeout=10)


def with_httpx(url: str, context: ssl.SSLContext) -> None:
    """Request by httpx."""
    import httpx

    with httpx.Client(verify=context, follow_redirects=True, trust_env=False) as client:
        client.get(url)


def with_httpx_in_asyncio(url: str, context: ssl.SSLContext) -> None:
    """Request by httpx's asyncio client."""
    import httpx

    async def get() -> None:
        """Request once."""
        async with httpx.AsyncClient(verify=context, follow_redirects=True, trust_env=False) as client:
            await client.get(url)

    asyncio.run(get())


def with_aiohttp(url: str, context: ssl.SSLContext) -> None:
    """Request by aiohttp."""
    import aiohttp

    async def get() -> None:
        """Request once."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            async with session.get(url):
                pass

    asyncio.run(get())


Request = Callable[[str, Any], None]
CLIENTS = pytest.mark.parametrize(
    "request_by", [with_urllib, with_urllib3, with_requests, with_httpx, with_httpx_in_asyncio, with_aiohttp]
)


def refused(call: Callable[[], object]) -> Finding:
    """Return what the guard found, wherever in a client's errors it is."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  (whatever the client makes of it)
        call()
    error: BaseException | None = caught.value
    while error is not None and not isinstance(error, UnguardedConnectionError):
        error = error.__cause__ or error.__context__
    assert isinstance(error, UnguardedConnectionError), caught.value
    return error.finding


@pytest.mark.parametrize("is_verifying", [True, False])
def test_a_connection_without_a_pinned_context_is_refused(is_verifying: bool) -> None:
    """A context that was forgotten, or made by ``verify=False``, reaches no pinned host, and not one byte goes out."""
    context = plain()
    if not is_verifying:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with TlsServer(HELD) as server, pinscher.guard(policy()), socket.create_connection(server.address) as tcp:
        finding = refused(lambda: context.wrap_socket(tcp, server_hostname=HOST))
        tcp.close()
        server.wait_idle()
        assert [None] == [record.server_name for record in server.evidence.connections]
    assert (Past.UNPINNED, HOST) == (finding.past, finding.host)
    assert is_verifying is ("verify_mode" not in finding.found)


def test_verify_false_is_caught_in_requests() -> None:
    """``requests.get(url, verify=False)`` for a pinned host is refused before a byte is sent."""
    import requests

    with TlsServer(HELD) as server, pinscher.guard(policy()):
        finding = refused(lambda: requests.get(f"https://{HOST}:{server.port}/", verify=False, timeout=10))
        server.wait_idle()
        assert 0 == server.application_bytes
    assert Past.UNPINNED is finding.past


def test_asyncio_is_looked_at() -> None:
    """Connections over memory buffers are looked at too."""
    with TlsServer(HELD) as server, pinscher.guard(policy()):
        finding = refused(
            lambda: asyncio.run(asyncio.open_connection(*server.address, ssl=plain(), server_hostname=HOST))
        )
    assert Past.UNPINNED is finding.past


def test_pinned_and_injected_connections_pass() -> None:
    """A pinned context, and any context while the process is pinned, goes on as without the guard."""
    with TlsServer(HELD, protocol="echo") as server, pinscher.guard(policy()) as guard:
        contexts = [pinscher.PinnedContext(policy(), trust=ROOT.pem), plain()]
        with pinscher.injected(policy()):
            for context in contexts:
                with socket.create_connection(server.address) as tcp:
                    with context.wrap_socket(tcp, server_hostname=HOST) as secured:
                        secured.sendall(b"x")
        assert () == guard.findings


def test_hosts_that_are_not_pinned_pass() -> None:
    """What the policy does not pin is nobody's business."""
    held = ROOT.issue("elsewhere.test")
    with TlsServer(held, protocol="echo") as server, pinscher.guard(policy()) as guard:
        with socket.create_connection(server.address) as tcp:
            with plain().wrap_socket(tcp, server_hostname="elsewhere.test") as secured:
                secured.sendall(b"x")
        assert () == guard.findings


@CLIENTS
def test_clear_text_to_a_pinned_host_is_refused(request_by: Request, clear: TlsServer) -> None:
    """``http://`` in place of ``https://`` for a pinned host sends nothing."""
    with pinscher.guard(policy()):
        finding = refused(lambda: request_by(f"http://{HOST}:{clear.port}/secret", plain()))
    assert (Past.CLEAR_TEXT, HOST) == (finding.past, finding.host)
    clear.wait_idle()
    assert 0 == clear.evidence.plaintext_bytes


@CLIENTS
def test_clear_text_to_others_passes(request_by: Request, clear: TlsServer) -> None:
    """Clear text to a host that is not pinned is as before."""
    with pinscher.guard(policy()) as guard:
        request_by(f"http://127.0.0.1:{clear.port}/", plain())
        assert () == guard.findings


@CLIENTS
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_redirect_away_from_the_pins_is_not_followed(request_by: Request, scheme: str) -> None:
    """A pinned host that sends its client to an unpinned one, or to clear text, is where the request ends."""
    context = pinscher.PinnedContext(policy(), trust=ROOT.pem)
    other = "127.0.0.1" if scheme == "https" else HOST
    with TlsServer(ROOT.issue("127.0.0.1")) as elsewhere:
        with TlsServer(HELD) as server, pinscher.guard(policy()):
            url = f"https://{HOST}:{server.port}/redirect?to={scheme}://{other}:{elsewhere.port}/taken"
            finding = refused(lambda: request_by(url, context))
        assert 0 == len(elsewhere.evidence)
    assert (Past.REDIRECT, HOST) == (finding.past, finding.host)


def _errors() -> tuple[type[Exception], ...]:
    """Return what clients say of a host that does not exist, or that a context refuses because it is not listed."""
    import aiohttp
    import httpx
    import urllib3

    return httpx.HTTPError, aiohttp.ClientError, urllib3.exceptions.HTTPError


@CLIENTS
def test_a_redirect_that_the_policy_allows_is_followed(request_by: Request) -> None:
    """``redirects = "allow"`` is what its entry says, and a redirect to a pinned host is always followed."""
    context = pinscher.PinnedContext(policy(), trust=ROOT.pem)
    with TlsServer(HELD) as other, TlsServer(HELD) as server:
        for more, to in (('redirects = "allow"', "https://unpinned.invalid:1/"), ("", f"https://{HOST}:{other.port}/")):
            with pinscher.guard(policy(more)) as guard:
                with contextlib.suppress(OSError, *_errors()):
                    request_by(f"https://{HOST}:{server.port}/redirect?to={to}", context)
                assert () == guard.findings
        assert other.application_bytes > 0


def test_a_guard_that_reports_refuses_nothing(clear: TlsServer, caplog: pytest.LogCaptureFixture) -> None:
    """In report-only mode findings are told, kept and logged, and the request takes place."""
    told: list[Finding] = []
    with pinscher.guard(policy(), mode=pinscher.Mode.REPORT_ONLY, on_finding=told.append) as guard:
        connection = http.client.HTTPConnection(HOST, clear.port, timeout=10)
        connection.request("GET", "/")
        assert 200 == connection.getresponse().status
        connection.close()
    assert [Past.CLEAR_TEXT] == [finding.past for finding in told]
    assert tuple(told) == guard.findings
    assert "clear text" in caplog.text


@pytest.mark.parametrize("kind", ["smtp", "imap", "pop3", "ftp"])
def test_credentials_in_clear_text_are_refused(kind: str) -> None:
    """Mail and file protocols may ask for TLS in clear text, and nothing else."""

    def greet(conversation: Conversation) -> None:
        conversation.send(GREETINGS[kind])
        while received := conversation.receive_line():
            tag = received.split(b" ")[0]
            listed = b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n"
            conversation.send(listed if b"CAPAB" in received else b"250 OK\r\n")

    with TlsServer(HELD, protocol=greet) as server, pinscher.guard(policy()):
        connection = OPENED[kind](server.port)
        try:
            finding = refused(lambda: LOGGED_IN[kind](connection))
        finally:
            (connection.shutdown if kind == "imap" else connection.close)()
        sent = b"".join(record.plaintext for record in server.evidence.connections)
    assert Past.CLEAR_TEXT is finding.past
    assert b"alice" not in sent


GREETINGS = {"smtp": b"220 hello\r\n", "imap": b"* OK\r\n", "pop3": b"+OK\r\n", "ftp": b"220 hello\r\n"}


def _ftp(port: int) -> ftplib.FTP:
    connection = ftplib.FTP(timeout=10)
    connection.connect(HOST, port)
    return connection


OPENED: dict[str, Callable[[int], Any]] = {
    "smtp": lambda port: smtplib.SMTP(HOST, port, timeout=10),
    "imap": lambda port: imaplib.IMAP4(HOST, port, 10),
    "pop3": lambda port: poplib.POP3(HOST, port, 10),
    "ftp": _ftp,
}
LOGGED_IN: dict[str, Callable[[Any], object]] = {
    "smtp": lambda connection: connection.sendmail("alice@a.test", ["b@b.test"], "secret"),
    "imap": lambda connection: connection.login("alice", "secret"),
    "pop3": lambda connection: connection.user("alice"),
    "ftp": lambda connection: connection.login("alice", "secret"),
}


def test_port_80_of_a_pinned_host_is_not_looked_up() -> None:
    """Whoever asks for the address of a pinned host's port 80 is about to speak clear text."""
    with pinscher.guard(policy()):
        finding = refused(lambda: socket.getaddrinfo(HOST, 80))
        socket.getaddrinfo(HOST, 443)
    assert Past.CLEAR_TEXT is finding.past


def test_a_proxy_that_reads_the_request_is_clear_text(clear: TlsServer) -> None:
    """A request for a pinned host over a clear text proxy is clear text to that host."""
    with pinscher.guard(policy()):
        connection = http.client.HTTPConnection("127.0.0.1", clear.port, timeout=10)
        finding = refused(lambda: connection.request("GET", f"http://{HOST}/secret"))
        connection.close()
    assert (Past.CLEAR_TEXT, HOST) == (finding.past, finding.host)


def _by_requests(url: str, context: ssl.SSLContext) -> int:
    import requests

    from pinscher.clients.requests import PinnedAdapter

    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", PinnedAdapter(context))
        return session.get(url, allow_redirects=False, timeout=10).status_code


def _by_httpx(url: str, context: ssl.SSLContext) -> int:
    import httpx

    with httpx.Client(verify=context, trust_env=False) as client:
        return client.get(url).status_code


def _by_httpx_in_asyncio(url: str, context: ssl.SSLContext) -> int:
    import httpx

    async def get() -> int:
        async with httpx.AsyncClient(verify=context, trust_env=False) as client:
            return (await client.get(url)).status_code

    return asyncio.run(get())


@pytest.mark.parametrize("ask_by", [_by_requests, _by_httpx, _by_httpx_in_asyncio])
def test_a_redirect_that_nobody_follows_is_an_answer(ask_by: Callable[[str, Any], int]) -> None:
    """A client that was told to follow no redirect, or follows none by itself, is given the redirect to read."""
    context = pinscher.PinnedContext(policy(), trust=ROOT.pem)
    with TlsServer(HELD) as server, pinscher.guard(policy()) as guard:
        status = ask_by(f"https://{HOST}:{server.port}/redirect?to=https://unpinned.invalid:1/", context)
        assert (307, ()) == (status, guard.findings)


@pytest.mark.parametrize("named", [("newurl",), ("headers", "newurl")], ids=" ".join)
def test_a_handler_of_ones_own_may_name_its_arguments(named: tuple[str, ...]) -> None:
    """A urllib handler that hands a redirect on by keywords is looked at like any other."""
    import email.message

    names = ("req", "fp", "code", "msg", "headers", "newurl")
    values = (
        urllib.request.Request(f"https://{HOST}/"),
        None,
        302,
        "Found",
        email.message.Message(),
        "https://x.test/",
    )
    given = dict(zip(names, values, strict=True))
    by_place = [given[name] for name in names if name not in named]
    with pinscher.guard(policy()) as guard, pytest.raises(UnguardedConnectionError):
        urllib.request.HTTPRedirectHandler().redirect_request(*by_place, **{name: given[name] for name in named})
    assert [Past.REDIRECT] == [finding.past for finding in guard.findings]


def test_when_the_last_guard_stops_every_hook_is_gone() -> None:
    """After the last guard the standard library and the clients are what they were."""
    import requests.sessions

    before = requests.sessions.SessionRedirectMixin.get_redirect_target
    with pinscher.guard(policy()), pinscher.guard(policy()) as inner:
        inner.stop()
        inner.stop()
        assert before is not requests.sessions.SessionRedirectMixin.get_redirect_target
    assert before is requests.sessions.SessionRedirectMixin.get_redirect_target
    assert [] == [finder for finder in sys.meta_path if isinstance(finder, guard_hooks._Later)]
    assert "_wrap_socket" not in vars(ssl.SSLContext)


def test_a_client_that_is_imported_later_is_hooked(clear: TlsServer) -> None:
    """A client that nobody had imported when the guard began is watched from its first request on."""
    program = f"""
import pinscher
from pinscher.clients.guard import UnguardedConnectionError
guard = pinscher.guard(pinscher.Policy.loads({policy().to_toml()!r}))
import httpx
try:
    httpx.Client(trust_env=False).get("http://{HOST}:{clear.port}/")
except UnguardedConnectionError as error:
    print(error.finding.past.value)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert "clear-text\n" == told.stdout


def test_asking_whether_a_client_is_there_blinds_no_guard() -> None:
    """A client of which somebody asked before whether it is installed is hooked all the same."""
    program = f"""
import importlib.util, sys
import pinscher
guard = pinscher.guard(pinscher.Policy.loads({policy().to_toml()!r}))
assert "urllib.request" not in sys.modules
importlib.util.find_spec("urllib.request")
import urllib.request
print(hasattr(urllib.request.HTTPRedirectHandler.redirect_request, "_pinscher_guard"))
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert "True\n" == told.stdout


def test_the_list_of_what_it_cannot_see_is_published() -> None:
    """Packages with a TLS of their own that the process has loaded are named, with what pins them instead."""
    with contextlib.suppress(ImportError):
        import pycurl

        assert pycurl is not None
        with pinscher.guard(policy()) as guard:
            assert "pinscher.clients.pycurl" == guard.cannot_see()["pycurl"]
