"""``pinscher forward`` as a real process between real clients and the lab's servers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pinscher.cli.app import run
from pinscher.lab.authority import Authority, HeldCertificate
from pinscher.lab.encoding import pem
from pinscher.lab.server import TlsServer, load
from pinscher.pin import Pin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pinscher.lab.conversation import Conversation

HOST = "bank.test"
SECRET = b"password=correct-horse"
CROWD = 1000


class Bank:
    """An authority and a genuine certificate, in files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = Authority.root("Lab Root")
        self.genuine, self.other = self.root.issue(HOST), self.root.issue(HOST)
        (folder / "ca.pem").write_bytes(self.root.pem)
        self.pin(self.genuine)

    def pin(self, held: HeldCertificate, *, version: int = 1, more: str = "") -> None:
        """Write the policy, in one step."""
        head = f'format = 1\nname = "bank"\nversion = {version}\n[hosts."{HOST}"]\n'
        beside = self.folder / "pins.new"
        beside.write_text(f'{head}pins = ["{Pin.of(held.der)}"]\n{more}\n')
        os.replace(beside, self.folder / "pins.toml")

    def arguments(self, *pairs: str) -> list[str]:
        """Return the arguments of the verb."""
        return ["--policy", "pins.toml", "--ca-file", "ca.pem", "--connect", "127.0.0.1", *pairs]

    @contextlib.contextmanager
    def forwarding(self, *arguments: str) -> Iterator[Running]:
        """Run ``pinscher forward`` until the block ends."""
        command = [sys.executable, "-X", "faulthandler", "-m", "pinscher.cli", "forward", *self.arguments(*arguments)]
        with subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            running = Running(process)
            try:
                yield running
            finally:
                if process.poll() is None:
                    # One that did not end says where its threads are.
                    process.send_signal(signal.SIGABRT)
                    sys.stderr.write(process.communicate(timeout=30)[1])


class Running:
    """A forwarder that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        assert process.stderr is not None
        self.out, self.err = process.stdout, process.stderr

    def port(self) -> int:
        """Return the port of the next line of the answer."""
        return int(self.out.readline().partition(" -> ")[0].rpartition(":")[2])

    def event(self, kind: str) -> dict[str, Any]:
        """Return the next event of a kind, in JSON."""
        for line in self.out:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == kind:
                return event
        raise AssertionError(f"no event {kind}: {self.err.read()}")

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal, and return the exit code and the rest of standard error."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=30)
        return self.process.returncode, err


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    """Return a bank."""
    return Bank(tmp_path)


def exchanged(address: tuple[str, int] | str) -> bytes:
    """Say something to a forwarder, and return what comes back until its end."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as client:
        client.settimeout(20)
        client.connect(address)
        client.sendall(SECRET)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while block := client.recv(65_536):
            answer += block
        return answer


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_program_without_pins_is_carried(bank: Bank, number: int) -> None:
    """The address is the answer, the upstream is reached, and a signal ends it with exit code 0."""
    with TlsServer(bank.genuine, protocol="echo") as server:
        with bank.forwarding("--verbose", "127.0.0.1:0", f"{HOST}:{server.port}") as running:
            assert SECRET == exchanged(("127.0.0.1", running.port()))
            code, err = running.stop(number)
    assert (0, "stopped; 0 open connections were cut\n") == (code, err.splitlines(keepends=True)[-1])
    assert f"1: connection to {HOST}:{server.port} closed: both sides ended it (22 octets sent, 22 received)" in err


def test_several_pairs_and_a_socket(bank: Bank) -> None:
    """One process listens in several places, a socket in the file system among them."""
    path = bank.folder / "it"
    with TlsServer(bank.genuine, protocol="echo") as first, TlsServer(bank.genuine, protocol="echo") as second:
        pairs = [":0", f"{HOST}:{first.port}", f"unix:{path}", f"{HOST}:{second.port}"]
        with bank.forwarding("--beyond-loopback", *pairs) as running:
            assert SECRET == exchanged(("127.0.0.1", running.port()))
            assert f"unix:{path} -> {HOST}:{second.port}\n" == running.out.readline()
            assert SECRET == exchanged(str(path))
            code, err = running.stop()
        assert (0, True) == (code, err.startswith("pinscher: warning: whoever reaches an address of LISTEN"))
        assert not path.exists()
        assert (len(SECRET), len(SECRET)) == (first.application_bytes, second.application_bytes)


def test_a_rogue_upstream_gets_nothing_and_the_log_says_why(bank: Bank) -> None:
    """Each local client is reset, each refusal is a line, and the whole diagnosis is told once a minute."""
    with TlsServer(bank.other, protocol="echo") as server:
        with bank.forwarding(":0", f"{HOST}:{server.port}") as running:
            port = running.port()
            for _ in range(3):
                with pytest.raises(ConnectionResetError):
                    exchanged(("127.0.0.1", port))
            code, err = running.stop()
        server.wait_idle()
        assert (0, 0, 3) == (code, server.application_bytes, len(server.evidence.connections))
    assert 3 == err.count(f"connection to {HOST}:{server.port} refused: no-matching-pin")
    assert 1 == err.count("  no pinned key in the validated chain of bank.test")
    assert str(Pin.of(bank.other.der)) in err


def test_events_are_lines_of_json(bank: Bank) -> None:
    """With --json every event is one object on its own line, the refusal with its verdict and diagnosis."""
    with TlsServer(bank.other, protocol="echo") as server:
        with bank.forwarding("--json", ":0", f"{HOST}:{server.port}") as running:
            port = int(running.event("listening")["local"].rpartition(":")[2])
            with pytest.raises(ConnectionResetError):
                exchanged(("127.0.0.1", port))
            refused = running.event("refused")
            running.process.send_signal(signal.SIGTERM)
            assert "stopped" == running.event("stopped")["event"]
            assert ("", 0) == (running.err.read(), running.process.wait(20))
    assert ("no-matching-pin", 1, 0) == (refused["outcome"], refused["connection"], refused["sent"])
    assert refused["verdict"] in refused["diagnosis"]
    assert f"127.0.0.1:{port}" == refused["local"]


def test_a_reader_who_leaves_ends_it(bank: Bank) -> None:
    """When nobody reads the events any more, the program ends without a word."""
    with TlsServer(bank.genuine, protocol="echo") as server:
        with bank.forwarding("--json", ":0", f"{HOST}:{server.port}") as running:
            port = int(running.event("listening")["local"].rpartition(":")[2])
            running.out.close()
            assert SECRET == exchanged(("127.0.0.1", port))
            assert (141, "") == (running.process.wait(20), running.err.read())


def test_a_changed_policy_reaches_an_open_connection(bank: Bank) -> None:
    """A new file that denies the key resets the open connection; a broken one changes nothing, and SIGHUP reads again."""
    with TlsServer(bank.genuine, protocol="echo") as server:
        with bank.forwarding("--json", ":0", f"{HOST}:{server.port}") as running:
            port = int(running.event("listening")["local"].rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), 20) as client:
                client.sendall(SECRET)
                assert SECRET == client.recv(100)
                (bank.folder / "pins.toml").write_text("format =")
                running.process.send_signal(signal.SIGHUP)
                assert "the policy in force stays" in running.event("kept")["text"]
                client.sendall(SECRET)
                assert SECRET == client.recv(100)
                bank.pin(bank.other, version=2, more=f'denied-keys = ["{Pin.of(bank.genuine.der)}"]')
                assert "1 connections cut" in running.event("reloaded")["text"]
                with pytest.raises(ConnectionResetError):
                    client.recv(100)
                assert "denied-key" == running.event("withdrawn")["outcome"]
            with pytest.raises(ConnectionResetError):
                exchanged(("127.0.0.1", port))


def test_a_second_signal_cuts(bank: Bank) -> None:
    """The first signal lets open connections end, for as long as the grace; the second does not wait for them."""
    with TlsServer(bank.genuine, protocol="echo") as server:
        with bank.forwarding("--grace", "600", "--json", ":0", f"{HOST}:{server.port}") as running:
            port = int(running.event("listening")["local"].rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), 20) as client:
                client.sendall(SECRET)
                assert SECRET == client.recv(100)
                running.process.send_signal(signal.SIGTERM)
                client.sendall(SECRET)
                assert SECRET == client.recv(100)
                # The listening socket is closed in the same step that waits for the open connections.
                with contextlib.suppress(OSError):
                    while True:
                        exchanged(("127.0.0.1", port))
                running.process.send_signal(signal.SIGTERM)
                assert "1 open connections were cut" in running.event("stopped")["text"]
                with pytest.raises(ConnectionResetError):
                    client.recv(100)
            assert 0 == running.process.wait(20)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_is_shown_to_the_pinned_server_alone(bank: Bank, version: ssl.TLSVersion) -> None:
    """The pinned server sees the client certificate, and a rogue one that asks for it sees none."""
    person = bank.root.issue_client("ada")
    (bank.folder / "ada.pem").write_bytes(pem("CERTIFICATE", *person.chain))
    (bank.folder / "ada.key").write_bytes(person.key_pem)
    seen = []
    for held in (bank.genuine, bank.other):
        with TlsServer(held, protocol="echo", client_ca=bank.root.pem, maximum_version=version) as server:
            with bank.forwarding("--cert", "ada.pem", "--key", "ada.key", ":0", f"{HOST}:{server.port}") as running:
                with contextlib.suppress(ConnectionResetError):
                    exchanged(("127.0.0.1", running.port()))
                running.stop()
            server.wait_idle()
            seen.append(server.evidence.connections[0].client_certificate)
    assert [person.der, None] == seen


def test_a_protocol_that_begins_in_clear(bank: Bank) -> None:
    """With --starttls the words before TLS are spoken by the forwarder, and a server that offers no TLS gets nothing."""
    for protocol, reason in (("smtp", ""), ("smtp-stripped", "does not begin TLS")):
        with TlsServer(bank.genuine, protocol=protocol) as server:
            with bank.forwarding("--starttls", "smtp", ":0", f"{HOST}:{server.port}") as running:
                port = running.port()
                with socket.create_connection(("127.0.0.1", port), 20) as client:
                    client.sendall(b"EHLO me.test\r\n")
                    if reason:
                        with pytest.raises(ConnectionResetError):
                            client.recv(100)
                    else:
                        assert client.recv(100).startswith(b"250")
                    client.close()
                assert reason in running.stop()[1]
            server.wait_idle()
            assert bool(reason) == (server.application_bytes == 0)
            assert b"me.test" not in b"".join(record.plaintext for record in server.evidence.connections)


async def _crowd(port: int, arrived: list[int]) -> int:
    """Hold as many connections at once, each with its own words carried there and back, and end them together."""
    everybody, gate = asyncio.Event(), asyncio.Semaphore(100)

    async def one(number: int) -> int:
        """Carry words."""
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            words = b"%06d" % number
            writer.write(words)
            assert words == await reader.readexactly(len(words))
        arrived.append(number)
        if len(arrived) == CROWD:
            everybody.set()
        await everybody.wait()
        writer.write(words)
        # asyncio's TLS, which this server has, answers nothing more once its client has ended.
        assert words == await reader.readexactly(len(words))
        writer.write_eof()
        assert b"" == await reader.read()
        writer.close()
        return number

    return len(await asyncio.wait_for(asyncio.gather(*map(one, range(CROWD))), 100))


async def _played(bank: Bank, arrived: list[int]) -> tuple[int, int, str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load(context, pem("CERTIFICATE", *bank.genuine.chain) + bank.genuine.key_pem)
    most = 0

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry words."""
        nonlocal most
        most += 1
        while block := await reader.read(65_536):
            writer.write(block)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context, backlog=CROWD)
    with bank.forwarding("--timeout", "60", ":0", f"{HOST}:{server.sockets[0].getsockname()[1]}") as running:
        done = await _crowd(await asyncio.to_thread(running.port), arrived)
        _, err = await asyncio.to_thread(running.stop)
    server.close()
    return done, most, err


def test_a_policy_from_standard_input_is_not_followed(bank: Bank) -> None:
    """A policy from standard input is read once."""
    command = [sys.executable, "-m", "pinscher.cli", "forward", "--policy", "-", ":0", HOST]
    policy = (bank.folder / "pins.toml").read_text()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        process.stdin.write(policy)
        process.stdin.close()
        running = Running(process)
        assert running.port()
        process.terminate()
        assert ("stopped; 0 open connections were cut\n", 0) == (running.err.read(), process.wait(20))


def test_a_server_that_says_nothing_before_tls_is_left(bank: Bank) -> None:
    """A forwarder that is stopped while it waits for the words before TLS cuts that connection too."""
    reached = threading.Event()

    def say_nothing(conversation: Conversation) -> None:
        reached.set()
        conversation.drain()

    with TlsServer(bank.genuine, protocol=say_nothing) as server:
        with bank.forwarding(
            "--starttls", "smtp", "--grace", "0", "--timeout", "2", ":0", f"{HOST}:{server.port}"
        ) as running:
            with socket.create_connection(("127.0.0.1", running.port()), 20) as client:
                assert reached.wait(20)
                code, err = running.stop()
                with pytest.raises(ConnectionResetError):
                    client.recv(100)
            assert (0, "stopped; 1 open connections were cut\n") == (code, err)


def test_a_crowd_is_carried(bank: Bank) -> None:
    """A thousand connections are open at the same time, each with its own words, and every one ends cleanly."""
    arrived: list[int] = []
    done, most, err = asyncio.run(_played(bank, arrived))
    assert (CROWD, CROWD, CROWD) == (done, most, len(set(arrived)))
    assert "stopped; 0 open connections were cut\n" == err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([":0"], "expected a HOST[:PORT] after every LISTEN, found none after ':0'"),
        (["0.0.0.0:0", HOST], "other machines reach this address"),
        ([":0", "shop.test"], "policy 'bank' pins no key of 'shop.test'"),
        ([":0", HOST, "--key", "ca.pem"], "--key is the key of a --cert"),
        ([":0", HOST, "--cert", "missing.pem"], "cannot use the client certificate in 'missing.pem'"),
        ([":0", HOST, "--cert", "locked.pem"], "its key is encrypted"),
        (["unix:pins.toml", HOST], "a file is there that is no socket of this user"),
        ([":0", HOST, "--alpn", ""], "'--alpn': expected 1 to 255 letters of ASCII, found ''"),
        ([":0", HOST, "--alpn", "h2", "--alpn", "x" * 256], "'--alpn': expected 1 to 255 letters of ASCII, found 'x"),
        ([":0", HOST, "--alpn", "\N{SNOWMAN}"], "'--alpn': expected 1 to 255 letters of ASCII, found '\\u2603'"),
    ],
)
def test_what_cannot_be_forwarded_is_said(
    bank: Bank, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half a pair, a place or an upstream that cannot be used, a key that cannot be read, and a protocol that TLS has no room for are errors: exit 2."""
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    key: Any = load_pem_private_key(bank.genuine.key_pem, None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open"))
    (bank.folder / "locked.pem").write_bytes(pem("CERTIFICATE", *bank.genuine.chain) + locked)
    monkeypatch.chdir(bank.folder)
    assert 2 == run(["forward", *bank.arguments(*arguments)])
    assert said in capsys.readouterr().err
