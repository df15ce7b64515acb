"""The words in clear before TLS; the rules are those at the top of ``probe/starttls.py``."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
from loopback import AGREEABLE, Script

from pinscher.probe import Deadline, Protocol, ResponseInjectionError, StarttlsRefusedError
from pinscher.probe.starttls import LONGEST_LINE, MOST_LINES, speak_preamble

if TYPE_CHECKING:
    from collections.abc import Iterator


class ScriptedServer:
    """The other end of a socket pair, which says its lines and notes what it heard."""

    def __init__(self, script: Script) -> None:
        self.client, self._server = socket.socketpair()
        self.heard = b""
        self._script = script
        self._thread = threading.Thread(target=self._play)
        self._thread.start()

    def _play(self) -> None:
        for cue, line in self._script:
            said = b""
            while len(said) < len(cue):
                received = self._server.recv(len(cue) - len(said))
                if not received:
                    return
                said += received
            self.heard += said
            self._server.sendall(line)

    def close(self) -> None:
        """End the conversation from both sides."""
        self.client.close()
        self._thread.join(5)
        self._server.close()

    def hang_up(self) -> None:
        """End what the server says once it has said everything."""
        self._thread.join(5)
        self._server.shutdown(socket.SHUT_WR)


@pytest.fixture
def servers() -> Iterator[list[ScriptedServer]]:
    """Hold the servers of one test, and close them after it."""
    started: list[ScriptedServer] = []
    yield started
    for server in started:
        server.close()


def speak(servers: list[ScriptedServer], protocol: Protocol, script: Script) -> ScriptedServer:
    """Speak a protocol's preamble with a server that follows *script*."""
    servers.append(ScriptedServer(script))
    speak_preamble(servers[-1].client, protocol, left=Deadline.after(5).left)
    return servers[-1]


@pytest.mark.parametrize("protocol", AGREEABLE)
def test_each_protocol_reaches_the_handshake(servers: list[ScriptedServer], protocol: Protocol) -> None:
    """Each protocol's own words bring a willing server to the point where TLS begins."""
    server = speak(servers, protocol, AGREEABLE[protocol])
    assert server.heard == b"".join(cue for cue, _ in AGREEABLE[protocol])


def test_plain_tls_says_nothing(servers: list[ScriptedServer]) -> None:
    """Plain TLS begins with the ClientHello, and not a byte is read or written before it."""
    server = speak(servers, Protocol.TLS, [(b"", b"x")])
    assert server.client.recv(1) == b"x"


@pytest.mark.parametrize("protocol", AGREEABLE)
def test_injected_plaintext_is_an_error(servers: list[ScriptedServer], protocol: Protocol) -> None:
    """Bytes in clear behind the agreement to begin TLS are an injection, and an error (rule 2, CVE-2011-0411)."""
    *before, (cue, agreement) = AGREEABLE[protocol]
    with pytest.raises(ResponseInjectionError, match="plaintext was injected before the TLS handshake") as caught:
        speak(servers, protocol, [*before, (cue, agreement + b"a2 OK injected\r\n")])
    assert caught.value.stray == b"a2 OK injected\r\n"


def test_reply_is_read_to_its_exact_end(servers: list[ScriptedServer]) -> None:
    """No byte behind the last reply is taken out of the connection (rule 1)."""
    *before, (cue, agreement) = AGREEABLE[Protocol.POP3]
    with pytest.raises(ResponseInjectionError):
        speak(servers, Protocol.POP3, [*before, (cue, agreement + b"stray")])
    assert servers[0].client.recv(64) == b"stray"


REFUSALS: list[tuple[Protocol, Script, str]] = [
    (Protocol.SMTP, [(b"", b"554 no service\r\n")], "expected reply 220, found '554 no service'"),
    (
        Protocol.SMTP,
        [(b"", b"220 x\r\n"), (b"EHLO pinscher.invalid\r\n", b"250-x\r\n250 PIPELINING\r\n")],
        "expected STARTTLS among its extensions, found '250 PIPELINING'",
    ),
    (
        Protocol.SMTP,
        [*AGREEABLE[Protocol.SMTP][:2], (b"STARTTLS\r\n", b"454 TLS not available\r\n")],
        "expected reply 220, found '454 TLS not available'",
    ),
    (Protocol.IMAP, [(b"", b"* PREAUTH welcome\r\n")], "expected an OK greeting, found '* PREAUTH welcome'"),
    (
        Protocol.IMAP,
        [(b"", b"* OK hi\r\n"), (b"a1 STARTTLS\r\n", b"a1 BAD unknown\r\n")],
        "expected 'a1 OK', found 'a1 BAD unknown'",
    ),
    (Protocol.POP3, [(b"", b"+OK hi\r\n"), (b"STLS\r\n", b"-ERR no\r\n")], "expected '+OK', found '-ERR no'"),
    (Protocol.FTP, [(b"", b"220 x\r\n"), (b"AUTH TLS\r\n", b"500 what\r\n")], "expected reply 234, found '500 what'"),
    (Protocol.POSTGRES, [(bytes.fromhex("0000000804d2162f"), b"N")], "expected 'S', found 'N'"),
]


@pytest.mark.parametrize(("protocol", "script", "message"), REFUSALS)
def test_stripped_starttls_is_an_error(
    servers: list[ScriptedServer], protocol: Protocol, script: Script, message: str
) -> None:
    """A server that does not begin TLS is an error that shows its reply, and the clear connection ends (rule 3)."""
    with pytest.raises(StarttlsRefusedError) as caught:
        speak(servers, protocol, script)
    assert str(caught.value) == f"the {protocol.value} server does not begin TLS: {message}"


def test_server_banner_is_escaped(servers: list[ScriptedServer]) -> None:
    """A server's banner never brings an escape sequence into the error's text."""
    with pytest.raises(StarttlsRefusedError) as caught:
        speak(servers, Protocol.POP3, [(b"", b"\x1b[2J\x1b]0;owned\x07\xe2\x80\xae\r\n")])
    assert str(caught.value).isprintable()
    assert str(caught.value).isascii()


def test_endless_line_is_refused(servers: list[ScriptedServer]) -> None:
    """A reply line longer than any server's is refused, not collected (rule 4)."""
    with pytest.raises(StarttlsRefusedError, match="a reply of reasonable length"):
        speak(servers, Protocol.POP3, [(b"", b"+OK " + b"a" * LONGEST_LINE)])


def test_endless_reply_is_refused(servers: list[ScriptedServer]) -> None:
    """A reply of more lines than any server's is refused, not followed (rule 4)."""
    with pytest.raises(StarttlsRefusedError, match="a reply of reasonable length"):
        speak(servers, Protocol.SMTP, [(b"", b"220-x\r\n" * (MOST_LINES + 1))])


def test_silent_server_meets_the_deadline() -> None:
    """A server that says nothing is waited for until the deadline, and no longer."""
    client, server = socket.socketpair()
    with client, server, pytest.raises(TimeoutError):
        speak_preamble(client, Protocol.POP3, left=Deadline.after(0.05).left)


def test_server_that_hangs_up_is_an_error(servers: list[ScriptedServer]) -> None:
    """A connection closed amid the preamble is an error that says so."""
    servers.append(ScriptedServer([(b"", b"+OK")]))
    servers[0].hang_up()
    with pytest.raises(StarttlsRefusedError, match="the connection was closed"):
        speak_preamble(servers[0].client, Protocol.POP3, left=Deadline.after(5).left)


def test_server_that_agrees_and_hangs_up_is_an_error(servers: list[ScriptedServer]) -> None:
    """A connection closed right after the agreement to begin TLS is an error that says so."""
    servers.append(ScriptedServer([(b"", b"+OK\r\n+OK\r\n")]))
    servers[0].hang_up()
    with pytest.raises(StarttlsRefusedError, match="expected a TLS handshake"):
        speak_preamble(servers[0].client, Protocol.POP3, left=Deadline.after(5).left)
