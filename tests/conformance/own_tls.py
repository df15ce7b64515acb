"""Stacks with a TLS of their own, as data: how the pins go in, and one exchange that carries a secret."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .clients import BODY, HOST, TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pinscher


@dataclass(frozen=True)
class Pinning:
    """What a stack is told: whom to trust for what, and who hears of it."""

    policy: pinscher.Policy
    ca: Path
    told: list[pinscher.Verdict]

    @property
    def judge(self) -> Any:
        """Who judges what the stack has verified."""
        from pinscher.clients.judge import Judge

        return Judge(self.policy, trust=self.ca, on_verdict=self.told.append)


@dataclass(frozen=True)
class Stack:
    """One stack: its name, its package, how the pins go in, and its exchange with a server on a port."""

    name: str
    package: str
    how: str
    exchange: Callable[[Pinning, int], object]
    protocol: str = "http"
    refuses_in_handshake: bool = True
    """Whether an impostor does not even see the end of the handshake."""
    has_verdict: bool = True
    """Whether the refusal says what was found; libcurl keeps it to itself."""

    def __str__(self) -> str:
        return self.name


STACKS: list[Stack] = []


def stack(name: str, package: str, how: str, **more: Any) -> Callable[[Any], Any]:
    """Put an exchange on the table."""

    def register(exchange: Any) -> Any:
        STACKS.append(Stack(name, package, how, exchange, **more))
        return exchange

    return register


@stack("pyOpenSSL", "pyopenssl", "`clients.pyopenssl.Connector(judge).connection(host, sock)`", protocol="echo")
def pyopenssl(pinning: Pinning, port: int) -> None:
    """Echo a line."""
    from pinscher.clients.pyopenssl import Connector

    with socket.create_connection((HOST, port), TIMEOUT) as tcp:
        tcp.setblocking(True)
        connection = Connector(pinning.judge).connection(HOST, tcp, port=port)
        connection.do_handshake()
        connection.sendall(BODY)
        assert BODY == connection.recv(len(BODY))


@stack("pyOpenSSL, no handshake", "pyopenssl", "`connection.send` at once", protocol="echo")
def pyopenssl_deferred(pinning: Pinning, port: int) -> None:
    """Send without ever asking for a handshake."""
    from pinscher.clients.pyopenssl import Connector

    with socket.create_connection((HOST, port), TIMEOUT) as tcp:
        tcp.setblocking(True)
        connection = Connector(pinning.judge).connection(HOST, tcp, port=port)
        connection.sendall(BODY)
        assert BODY == connection.recv(len(BODY))


@stack("Twisted", "twisted", "`clients.twisted.options_for_client_tls(judge, host)`", protocol="echo")
def twisted_endpoint(pinning: Pinning, port: int) -> None:
    """Echo a line, in a program of its own, for a reactor runs once."""
    _in_a_program("endpoint", pinning, port)


@stack("Twisted, Agent", "twisted", "`Agent(reactor, clients.twisted.PinnedPolicy(judge))`")
def twisted_agent(pinning: Pinning, port: int) -> None:
    """Post a form, in a program of its own."""
    _in_a_program("agent", pinning, port)


def _in_a_program(kind: str, pinning: Pinning, port: int) -> None:
    import pickle
    import subprocess
    import sys
    from pathlib import Path

    program = Path(__file__).with_name("twisted_program.py")
    policy = pinning.ca.with_name("pins.toml")
    policy.write_text(pinning.policy.to_toml())
    policy.chmod(0o600)
    done = subprocess.run(
        [sys.executable, program, kind, str(port), policy, pinning.ca], capture_output=True, check=False, timeout=60
    )
    assert 0 == done.returncode, done.stderr.decode()
    error, told = pickle.loads(done.stdout)
    pinning.told.extend(told)
    if error is not None:
        raise error


@stack("pycurl", "pycurl", "`clients.pycurl.pin(handle, policy, url)`", refuses_in_handshake=False, has_verdict=False)
def pycurl_handle(pinning: Pinning, port: int) -> None:
    """Post a form."""
    import pycurl

    from pinscher.clients.pycurl import pin

    with contextlib.closing(pycurl.Curl()) as handle:
        pin(handle, pinning.policy, f"https://{HOST}:{port}/", trust=pinning.ca)
        handle.setopt(pycurl.POSTFIELDS, BODY)
        handle.setopt(pycurl.TIMEOUT, TIMEOUT)
        handle.setopt(pycurl.WRITEFUNCTION, lambda _: None)
        handle.perform()
        assert 200 == handle.getinfo(pycurl.RESPONSE_CODE)


@stack(
    "curl_cffi",
    "curl_cffi",
    "`clients.curl_cffi.PinnedSession(policy, host)`",
    refuses_in_handshake=False,
    has_verdict=False,
)
def curl_cffi_session(pinning: Pinning, port: int) -> None:
    """Post a form."""
    from pinscher.clients.curl_cffi import PinnedSession

    with PinnedSession(pinning.policy, HOST, trust=pinning.ca) as session:
        assert 200 == session.post(f"https://{HOST}:{port}/", data=BODY, timeout=TIMEOUT).status_code


def quic(pinning: Pinning, port: int) -> None:
    """Echo a line over a stream of QUIC."""
    asyncio.run(_quic(pinning, port))


async def _quic(pinning: Pinning, port: int) -> None:
    from aioquic.quic.configuration import QuicConfiguration

    from pinscher.clients.aioquic import connect

    told = QuicConfiguration(is_client=True, alpn_protocols=["echo"], idle_timeout=TIMEOUT)
    async with connect(pinning.judge, HOST, port, configuration=told) as protocol:
        reader, writer = await protocol.create_stream()
        writer.write(BODY)
        writer.write_eof()
        assert BODY == await asyncio.wait_for(reader.read(), TIMEOUT)


def http3(pinning: Pinning, port: int) -> None:
    """Post over HTTP/3, in the framing that aioquic has for it."""
    asyncio.run(_http3(pinning, port))


async def _http3(pinning: Pinning, port: int) -> None:
    from aioquic.asyncio.protocol import QuicConnectionProtocol
    from aioquic.h3.connection import H3Connection
    from aioquic.h3.events import DataReceived
    from aioquic.quic.configuration import QuicConfiguration

    from pinscher.clients.aioquic import connect

    answered = asyncio.get_running_loop().create_future()

    class Posting(QuicConnectionProtocol):
        """A client of HTTP/3 with one request."""

        def post(self) -> None:
            """Send the request."""
            self.http = H3Connection(self._quic)
            stream = self._quic.get_next_available_stream_id()
            named = {":method": "POST", ":scheme": "https", ":authority": HOST, ":path": "/"}
            self.http.send_headers(stream, [(name.encode(), value.encode()) for name, value in named.items()])
            self.http.send_data(stream, BODY, end_stream=True)
            self.transmit()

        def quic_event_received(self, event: Any) -> None:
            """Hear of the answer."""
            for told in self.http.handle_event(event) if hasattr(self, "http") else ():
                if isinstance(told, DataReceived):
                    answered.set_result(told.data)

    told = QuicConfiguration(is_client=True, alpn_protocols=["h3"], idle_timeout=TIMEOUT)
    async with connect(pinning.judge, HOST, port, configuration=told, create_protocol=Posting) as protocol:
        protocol.post()  # type: ignore[attr-defined]
        assert BODY == await asyncio.wait_for(answered, TIMEOUT)
