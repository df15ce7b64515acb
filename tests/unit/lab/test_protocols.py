"""What the lab's servers speak, tried with the standard library's clients and two others."""

from __future__ import annotations

import asyncio
import ftplib
import http.client
import imaplib
import importlib
import poplib
import smtplib
import socket
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.conversation import ConversationEndedError
from pinscher.lab.protocols import PROTOCOLS
from pinscher.lab.server import TlsServer

if TYPE_CHECKING:
    import ssl

    from pinscher.lab.authority import HeldCertificate
    from pinscher.lab.evidence import ConnectionRecord

HOST = "127.0.0.1"


def only(server: TlsServer) -> ConnectionRecord:
    """Wait for a server's one connection to end and return its record."""
    server.wait_idle()
    (record,) = server.evidence.connections
    return record


def test_http_keeps_a_connection_alive(held: HeldCertificate, trusting: ssl.SSLContext) -> None:
    """Requests follow one another on one connection, and each is answered with an account of itself."""
    with TlsServer(held) as server:
        client = http.client.HTTPSConnection(HOST, server.port, context=trusting, timeout=10)
        answers = []
        for method, path, body in (
            ("GET", "/a", None), ("POST", "/b", b"password=s3cret"), ("POST", "/c", iter([b"ab", b"cd"])),
            ("HEAD", "/d", None), ("GET", "/status/404", None),
        ):  # fmt: skip
            client.request(method, path, body)
            response = client.getresponse()
            answers.append((response.status, response.read()))
        client.close()
        record = only(server)
    assert [200, 200, 200, 200, 404] == [status for status, _ in answers]
    assert b'"body": "password=s3cret"' in answers[1][1]
    assert b'"body": "abcd"' in answers[2][1]
    assert answers[3][1] == b""
    assert b"password=s3cret" in record.content


def test_http_redirects(held: HeldCertificate, trusting: ssl.SSLContext) -> None:
    """A web server of the lab redirects to wherever it is asked to."""
    with TlsServer(held) as server, TlsServer(held, protocol="http-in-clear") as elsewhere:
        aim = f"http://{HOST}:{elsewhere.port}/there"
        with urllib.request.urlopen(f"https://{HOST}:{server.port}/redirect?to={aim}", context=trusting) as response:
            assert aim == response.url
            assert b'"path": "/there"' in response.read()
        server.wait_idle()
        assert b"GET /there" in only(elsewhere).plaintext
        assert 0 == elsewhere.application_bytes


def test_http_waits_for_consent_to_a_body(held: HeldCertificate, connect: object) -> None:
    """A client that expects ``100 Continue`` gets it, and one of HTTP/1.0 or that says close is hung up on."""
    with TlsServer(held, protocol="http-in-clear") as server, socket.create_connection(server.address) as client:
        stream = client.makefile("rwb")
        stream.write(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        stream.flush()
        assert b"HTTP/1.1 100 Continue\r\n" == stream.readline()
        stream.write(b"ok")
        stream.flush()
        assert stream.read().endswith(b'"body": "ok"}')
        stream.close()


def test_smtp_upgrades(held: HeldCertificate, trusting: ssl.SSLContext) -> None:
    """A mail server takes credentials and a message after STARTTLS, and none of them in clear."""
    with TlsServer(held, protocol="smtp") as server:
        with smtplib.SMTP("localhost", server.port, "client.test", timeout=10) as client:
            client.starttls(context=trusting)
            client.login("user", "pa55word")
            client.sendmail("a@client.test", "b@mail.test", "dear b")
        record = only(server)
    assert b"ehlo client.test\r\nSTARTTLS\r\n" == record.plaintext
    assert b"AUTH PLAIN" in record.content
    assert b"dear b" in record.content
    assert ("localhost", None) == (record.server_name, record.error)


def test_smtp_login_mechanism(held: HeldCertificate, trusting: ssl.SSLContext) -> None:
    """A mail server with TLS from the start understands AUTH LOGIN too, and commands it does not know are refused."""
    with TlsServer(held, protocol="smtps") as server:
        with smtplib.SMTP_SSL("localhost", server.port, "client.test", timeout=10, context=trusting) as client:
            client.ehlo()
            client.user, client.password = "user", "pa55word"
            assert (235, b"authenticated") == client.auth("LOGIN", client.auth_login)
            assert 500 == client.docmd("STARTTLS")[0]
        assert b"" == only(server).plaintext


def test_smtp_stripped(held: HeldCertificate, trusting: ssl.SSLContext) -> None:
    """A mail server whose STARTTLS was stripped gets the password of a client that goes on without."""
    with TlsServer(held, protocol="smtp-stripped") as server:
        with smtplib.SMTP("localhost", server.port, "client.test", timeout=10) as client:
            with pytest.raises(smtplib.SMTPNotSupportedError):
                client.starttls(context=trusting)
            client.login("user", "pa55word")
        record = only(server)
    assert b"AUTH PLAIN" in record.plaintext
    assert (0, False) == (record.application_bytes, record.handshake_completed)


def test_bytes_before_the_upgrade_are_not_obeyed(held: HeldCertificate, trusting: ssl.SSLContext) -> None:
    """What is injected in clear behind STARTTLS is kept as evidence and never taken for a command."""
    with TlsServer(held, protocol="smtp") as server:
        with socket.create_connection(server.address, timeout=10) as raw:
            raw.sendall(b"STARTTLS\r\nRSET\r\n")
            assert received(raw, 35) == b"220 mail.test ESMTP\r\n220 go ahead\r\n"
            with trusting.wrap_socket(raw, server_hostname="localhost") as client:
                client.sendall(b"QUIT\r\n")
                assert received(client, 9) == b"221 bye\r\n"
        record = only(server)
    assert record.plaintext == b"STARTTLS\r\nRSET\r\n"


def test_tls_begins_once(held: HeldCertificate, trusting: ssl.SSLContext) -> None:
    """A second STARTTLS, within TLS, is refused and the conversation goes on."""
    with TlsServer(held, protocol="smtp") as server:
        with smtplib.SMTP("localhost", server.port, "client.test", timeout=10) as client:
            client.starttls(context=trusting)
            assert client.docmd("STARTTLS")[0] == 503
            assert client.noop()[0] == 250
        assert only(server).error is None


def received(connection: socket.socket, length: int) -> bytes:
    """Return the next *length* bytes."""
    found = b""
    while len(found) < length and (more := connection.recv(length - len(found))):
        found += more
    return found


@pytest.mark.parametrize("protocol", ["imap", "imaps"])
def test_imap(held: HeldCertificate, trusting: ssl.SSLContext, protocol: str) -> None:
    """A mailbox of IMAP takes a login through TLS, after STARTTLS or from the start."""
    with TlsServer(held, protocol=protocol) as server:
        if protocol == "imap":
            client = imaplib.IMAP4("localhost", server.port, timeout=10)
            client.starttls(trusting)
        else:
            client = imaplib.IMAP4_SSL("localhost", server.port, ssl_context=trusting, timeout=10)
        client.login("user", "pa55word")
        assert ("OK", [b"0"]) == client.select()
        client.logout()
        record = only(server)
    assert b'LOGIN user "pa55word"' in record.content
    assert b"LOGIN" not in record.plaintext


@pytest.mark.parametrize("protocol", ["pop3", "pop3s"])
def test_pop3(held: HeldCertificate, trusting: ssl.SSLContext, protocol: str) -> None:
    """A mailbox of POP3 takes a login through TLS, after STLS or from the start."""
    with TlsServer(held, protocol=protocol) as server:
        if protocol == "pop3":
            client = poplib.POP3("localhost", server.port, timeout=10)
            client.stls(trusting)
        else:
            client = poplib.POP3_SSL("localhost", server.port, context=trusting, timeout=10)
        client.user("user")
        client.pass_("pa55word")
        assert (0, 0) == client.stat()
        client.quit()
        record = only(server)
    assert b"PASS pa55word" in record.content
    assert b"PASS" not in record.plaintext


def test_ftp(held: HeldCertificate, trusting: ssl.SSLContext) -> None:
    """A file server takes a login through TLS after AUTH TLS."""
    with TlsServer(held, protocol="ftp") as server, ftplib.FTP_TLS(context=trusting) as client:
        client.connect("localhost", server.port, timeout=10)
        client.login("user", "pa55word")
        client.prot_p()
        assert client.pwd() == "/"
        client.quit()
        record = only(server)
    assert b"AUTH TLS\r\n" == record.plaintext
    assert b"PASS pa55word" in record.content


@pytest.mark.parametrize(
    ("protocol", "refusal"), [("imap-stripped", "BAD"), ("pop3-stripped", "-ERR"), ("ftp-stripped", "502")]
)
def test_a_stripped_upgrade_is_refused(held: HeldCertificate, protocol: str, refusal: str) -> None:
    """A stripped server refuses the upgrade in its protocol's own words."""
    commands = {"imap-stripped": b"a1 STARTTLS", "pop3-stripped": b"STLS", "ftp-stripped": b"AUTH TLS"}
    with TlsServer(held, protocol=protocol) as server, socket.create_connection(server.address) as client:
        replies = client.makefile("rb")
        replies.readline()
        client.sendall(commands[protocol] + b"\r\n")
        assert refusal in replies.readline().decode()
        replies.close()


def test_postgres(held: HeldCertificate, trusting: ssl.SSLContext) -> None:
    """A database server upgrades on SSLRequest, lets asyncpg in and answers its queries without rows."""
    asyncpg = importlib.import_module("asyncpg")

    async def ask(port: int) -> object:
        """Query twice, each in one of the protocol's two ways."""
        connection = await asyncpg.connect(
            host="localhost", port=port, user="me", password="", database="d", ssl=trusting
        )
        try:
            return await connection.execute("select 'secret'"), await connection.fetch("select 2")
        finally:
            await connection.close()

    with TlsServer(held, protocol="postgres") as server:
        assert ("SELECT 0", []) == asyncio.run(ask(server.port))
        record = only(server)
    assert bytes.fromhex("0000000804d2162f") == record.plaintext
    assert b"select 'secret'" in record.content


def test_postgres_stripped(held: HeldCertificate) -> None:
    """A stripped database server says that it has neither TLS nor GSSAPI."""
    with TlsServer(held, protocol="postgres-stripped") as server, socket.create_connection(server.address) as client:
        for code in (80877104, 80877103):
            client.sendall((8).to_bytes(4, "big") + code.to_bytes(4, "big"))
            assert client.recv(1) == b"N"


def test_websocket(held: HeldCertificate, trusting: ssl.SSLContext) -> None:
    """A WebSocket server sends back messages of every length and answers a ping."""
    websockets = importlib.import_module("websockets.asyncio.client")

    async def converse(port: int) -> None:
        """Send, receive and ping in one thread: the synchronous client uses one TLS object in two."""
        async with websockets.connect(f"wss://localhost:{port}/", ssl=trusting, proxy=None) as client:
            for length in (5, 200, 70_000):
                await client.send(b"x" * length)
                assert length == len(await client.recv())
            await asyncio.wait_for(await client.ping(), 10)

    with TlsServer(held, protocol="websocket") as server:
        asyncio.run(converse(server.port))
        assert only(server).error is None


def test_websocket_asks_for_an_upgrade(held: HeldCertificate, trusting: ssl.SSLContext) -> None:
    """A plain request to a WebSocket server is answered with ``426 Upgrade Required``."""
    with TlsServer(held, protocol="websocket") as server:
        with pytest.raises(urllib.error.HTTPError, match="426") as refusal:
            urllib.request.urlopen(f"https://localhost:{server.port}/", context=trusting)
        refusal.value.close()


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_every_protocol_survives_nonsense(held: HeldCertificate, name: str) -> None:
    """Whatever a client sends first and however it leaves, the server records it and stays in order."""
    with TlsServer(held, protocol=name) as server:
        for nonsense in (b"", b"\x00" * 64, b"\xff\r\n\r\n" * 16, b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"):
            with socket.create_connection(server.address) as client:
                client.sendall(nonsense)
        server.wait_idle()
        assert [True] * 4 == [record.ended for record in server.evidence.connections]


def test_a_line_without_end_is_not_awaited(held: HeldCertificate) -> None:
    """A line longer than its limit ends the conversation."""
    outcome = []

    def impatient(conversation: object) -> None:
        try:
            conversation.receive_line(limit=10)
        except ConversationEndedError as error:
            outcome.append(str(error))

    with TlsServer(held, protocol=impatient) as server, socket.create_connection(server.address) as client:
        client.sendall(b"x" * 100)
        assert client.recv(1) == b""
    assert ["a line of more than 10 bytes"] == outcome
