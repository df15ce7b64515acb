"""A forwarder carries what a local client says to the pinned upstream, and to no other."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.clients.forwarder import Kind, Limits, Place, UnpinnedUpstreamError, Upstream
from pinscher.clients.forwarder.link import Link, Route
from pinscher.lab.encoding import pem
from pinscher.lab.server import TlsServer, load

if TYPE_CHECKING:
    from pathlib import Path

    from pinscher.lab.conversation import Conversation

SECRET = b"password=correct-horse"
MEBIBYTE = 1024 * 1024


def count_until_the_end(conversation: Conversation) -> None:
    """Shake hands, read to the client's end, and only then answer with how much it was."""
    conversation.secure()
    count = 0
    while received := conversation.receive():
        count += len(received)
    conversation.send(b"%d octets" % count)


def cut_after_a_sentence(conversation: Conversation) -> None:
    """Shake hands, say something, and cut the TCP connection without an end of TLS."""
    conversation.secure()
    conversation.send(b"x" * MEBIBYTE)
    conversation.interrupt()


def echo_and_tell_ends_apart(conversation: Conversation) -> None:
    """Echo, and take an end of TCP without an end of TLS for the error that it is."""
    conversation.secure()
    connection: Any = conversation._connection
    connection.suppress_ragged_eofs = False
    while received := conversation.receive():
        conversation.send(received)


def assert_no_end_of_tls(server: TlsServer) -> None:
    """The connection was cut: its TCP ended, or was reset where octets were left unread, and its TLS did not end."""
    cut = str(server.evidence.connections[0].error)
    assert "EOF occurred in violation of protocol" in cut or "Connection reset by peer" in cut


def in_octets(conversation: Conversation) -> None:
    """Shake hands octet by octet, and echo in the same way."""
    conversation.wait_for_greeting()
    conversation.slow_down()
    conversation.secure()
    while received := conversation.receive():
        conversation.send(received)


def test_what_a_client_says_arrives_and_comes_back(world: Any) -> None:
    """Both directions are carried, and both ends."""

    async def played(port: int) -> bytes:
        """Be the local client."""
        async with world.forwarding(port) as (_, place), world.client(place) as (reader, writer):
            writer.write(SECRET)
            writer.write_eof()
            answer = await reader.read()
            closed = await world.wait_for(Kind.CLOSED)
            assert (len(SECRET), len(SECRET)) == (closed.sent, closed.received)
            return answer

    with TlsServer(world.genuine, protocol="echo") as server:
        assert SECRET == asyncio.run(played(server.port))
        server.wait_idle()
        assert [Kind.LISTENING, Kind.OPENED, Kind.CLOSED, Kind.STOPPED] == [event.kind for event in world.events]
        assert pinscher.Outcome.MATCH is world.of(Kind.OPENED)[0].verdict.outcome


@pytest.mark.parametrize(("shown", "outcome"), [("rogue", "no-matching-pin"), ("stranger", "chain-not-validated")])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_refused_upstream_gets_nothing(world: Any, shown: str, outcome: str, version: ssl.TLSVersion) -> None:
    """Another key, or another authority: the local client is reset, and not one octet of it reached the upstream."""
    held = {"rogue": world.other, "stranger": world.root.twin().issue("bank.test")}[shown]

    async def played(port: int) -> None:
        """Be the local client."""
        async with world.forwarding(port) as (_, place), world.client(place) as (reader, writer):
            writer.write(SECRET)
            with pytest.raises(ConnectionResetError):
                await reader.read()
            await world.wait_for(Kind.REFUSED)

    with TlsServer(held, protocol="echo", maximum_version=version) as server:
        asyncio.run(played(server.port))
        server.wait_idle()
        assert 0 == server.application_bytes
        assert SECRET not in b"".join(record.plaintext for record in server.evidence.connections)
        assert 1 == len(server.evidence.connections)
    refused = world.of(Kind.REFUSED)[0]
    assert (outcome, 0, 0) == (refused.verdict.outcome.value, refused.sent, refused.received)
    assert str(pinscher.Pin.of(world.genuine.der)) in refused.explanation


def test_an_upstream_without_pins_is_refused_at_once(world: Any) -> None:
    """A policy that pins no key of an upstream would pin nothing, and nobody listens for it."""

    async def played() -> None:
        """Be the local client."""
        async with world.forwarding(9) as (forwarder, _):
            with pytest.raises(UnpinnedUpstreamError) as caught:
                await forwarder.listen(Place.parse(":0"), Upstream("shop.test", 9))
            assert "shop.test" == caught.value.host

    asyncio.run(played())


def test_a_client_that_has_said_everything_still_gets_its_answer(world: Any) -> None:
    """The end of the client's direction is carried as close_notify, and what the upstream says then arrives."""

    async def played(port: int) -> bytes:
        """Be the local client."""
        async with world.forwarding(port) as (_, place), world.client(place) as (reader, writer):
            writer.write(SECRET * 10_000)
            writer.write_eof()
            return await reader.read()

    with TlsServer(world.genuine, protocol=count_until_the_end) as server:
        assert b"%d octets" % (len(SECRET) * 10_000) == asyncio.run(played(server.port))


def test_an_upstream_that_passes_over_close_notify_is_told_by_tcp(world: Any) -> None:
    """An upstream that goes on waiting after the client's end of TLS sees the end of TCP a little later, and answers."""

    def waiting_for_tcp(conversation: Conversation) -> None:
        conversation.secure()
        assert SECRET == conversation.receive_exactly(len(SECRET))
        assert b"" == conversation.receive()
        assert b"" == conversation._lifeline.recv(100)
        conversation.send(b"the answer")

    async def played(port: int) -> bytes:
        """Be the local client."""
        limits = Limits(opening=20, lingering=0.1)
        async with world.forwarding(port, limits=limits) as (_, place), world.client(place) as (reader, writer):
            writer.write(SECRET)
            writer.write_eof()
            return await reader.read()

    with TlsServer(world.genuine, protocol=waiting_for_tcp) as server:
        assert b"the answer" == asyncio.run(played(server.port))


def _half_closing(context: ssl.SSLContext, listener: socket.socket, said: list[bytes]) -> None:
    """Serve one connection: say something, end that direction alone, and read the other to its end."""
    connection, _ = listener.accept()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)

    def done(step: Any) -> Any:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65_536))

    with connection:
        done(tls.do_handshake)
        tls.write(b"that is all from me")
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()
        connection.sendall(outgoing.read())
        try:
            while True:
                said.append(done(lambda: tls.read(65_536)))
        except ssl.SSLZeroReturnError:
            return


def test_an_upstream_that_has_said_everything_still_listens(world: Any) -> None:
    """The end of the upstream's direction reaches the client, and what the client says then arrives."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load(context, pem("CERTIFICATE", *world.genuine.chain) + world.genuine.key_pem)
    said: list[bytes] = []

    async def played(port: int) -> bytes:
        """Be the local client."""
        async with world.forwarding(port) as (_, place), world.client(place) as (reader, writer):
            answer = await reader.read()
            writer.write(SECRET)
            await writer.drain()
            writer.write_eof()
            await world.wait_for(Kind.CLOSED)
            return answer

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=_half_closing, args=(context, listener, said))
        serving.start()
        assert b"that is all from me" == asyncio.run(played(listener.getsockname()[1]))
        serving.join(20)
    assert SECRET == b"".join(said)


def test_a_truncated_answer_is_no_end(world: Any) -> None:
    """An upstream that is cut: the client has everything that came, and then a reset in place of an end."""

    async def played(port: int) -> int:
        """Be the local client."""
        async with world.forwarding(port) as (_, place), world.client(place) as (reader, _):
            await world.wait_for(Kind.OPENED)
            came = await reader.readexactly(MEBIBYTE)
            with pytest.raises(ConnectionResetError):
                await reader.read()
            assert "close_notify" in (await world.wait_for(Kind.FAILED)).text
            return len(came)

    with TlsServer(world.genuine, protocol=cut_after_a_sentence) as server:
        assert MEBIBYTE == asyncio.run(played(server.port))


@pytest.mark.parametrize("place", ["127.0.0.1:0", "unix:it"])
def test_what_came_before_a_cut_is_delivered(
    world: Any, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that reads late has everything that came before its upstream was cut; a socket shows no reset then."""
    monkeypatch.chdir(tmp_path)

    async def played(server: TlsServer) -> int:
        """Be the local client."""
        async with (
            world.forwarding(server.port, place=place) as (_, bound),
            world.client(bound) as (reader, writer),
        ):
            writer.transport.pause_reading()
            await world.wait_for(Kind.OPENED)
            await asyncio.to_thread(server.wait_idle)
            for _ in range(1000):
                # Other tasks run until nothing is left for them, as far as nobody reads.
                await asyncio.sleep(0)
            writer.transport.resume_reading()
            came = await reader.readexactly(MEBIBYTE)
            if bound.port is None:
                assert b"" == await reader.read()
            else:
                with pytest.raises(ConnectionResetError):
                    await reader.read()
            return len(came)

    with TlsServer(world.genuine, protocol=cut_after_a_sentence) as server:
        assert MEBIBYTE == asyncio.run(played(server))


def test_an_upstream_that_is_reset_resets_the_client(world: Any) -> None:
    """A reset of the upstream is one of the client."""

    def reset(conversation: Conversation) -> None:
        conversation.secure()
        conversation.receive()
        conversation._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        conversation._lifeline.close()
        socket.socket.close(conversation._connection)

    async def played(port: int) -> None:
        """Be the local client."""
        async with world.forwarding(port) as (_, place), world.client(place) as (reader, writer):
            writer.write(SECRET)
            with pytest.raises(ConnectionResetError):
                await reader.read()
            assert "reset" in (await world.wait_for(Kind.FAILED)).text

    with TlsServer(world.genuine, protocol=reset) as server:
        asyncio.run(played(server.port))


def test_an_upstream_that_speaks_no_tls_is_a_failure(world: Any) -> None:
    """A server that answers a handshake in clear gets nothing more, and the log says what went wrong in TLS."""

    async def played(port: int) -> None:
        """Be the local client."""
        async with world.forwarding(port) as (_, place), world.client(place) as (reader, writer):
            writer.write(SECRET)
            with pytest.raises(ConnectionResetError):
                await reader.read()
            assert "failed: TLS: " in (await world.wait_for(Kind.FAILED)).text

    def in_clear(conversation: Conversation) -> None:
        conversation.receive(1)
        conversation.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with TlsServer(world.genuine, protocol=in_clear) as server:
        asyncio.run(played(server.port))
        server.wait_idle()
        assert SECRET not in b"".join(record.plaintext for record in server.evidence.connections)


def test_a_dial_that_fails_is_told_in_its_own_words(world: Any) -> None:
    """Whoever makes the TCP connection may fail as the operating system does, also by a time-out of its own."""

    async def dial(_: Upstream) -> socket.socket:
        """Fail."""
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    async def played() -> None:
        """Be the local client."""
        async with world.forwarding(9, dial=dial) as (_, place), world.client(place) as (reader, _):
            with pytest.raises(ConnectionResetError):
                await reader.read()
            assert (await world.wait_for(Kind.FAILED)).text.endswith("failed: connection timed out")

    asyncio.run(played())


def test_a_new_policy_leaves_a_connection_that_is_being_made(world: Any) -> None:
    """What is not open yet when the policy changes is judged by the new one when it opens."""

    async def played(port: int) -> None:
        """Be the local client."""
        async with world.forwarding(port) as (forwarder, place), world.client(place) as (reader, _):
            await asyncio.to_thread(greeted.wait, 20)
            forwarder.replace(world.policy(held=world.other, version=2))
            assert "0 connections cut, 0 may only receive" in world.of(Kind.RELOADED)[0].text
            go_on.set()
            with pytest.raises(ConnectionResetError):
                await reader.read()
            assert 2 == (await world.wait_for(Kind.REFUSED)).verdict.policy.version

    greeted, go_on = threading.Event(), threading.Event()

    def waiting(conversation: Conversation) -> None:
        conversation.wait_for_greeting()
        greeted.set()
        go_on.wait(20)
        conversation.secure()

    with TlsServer(world.genuine, protocol=waiting) as server:
        asyncio.run(played(server.port))
        server.wait_idle()
        assert 0 == server.application_bytes


def test_what_is_not_expected_is_raised_and_no_clean_end(world: Any) -> None:
    """An error that no network makes is raised, and the client is reset."""

    async def played(port: int) -> None:
        """Be the local client."""
        here, there = socket.socketpair()
        broken, (_, writer) = asyncio.StreamReader(), await asyncio.open_connection(sock=here)
        broken.set_exception(RuntimeError("a mistake"))
        context = pinscher.PinnedContext(world.policy(), trust=world.root.pem)
        route = Route(
            context=context, local="here", upstream=Upstream("bank.test", port, "127.0.0.1"), limits=Limits(),
            tell=world.tell, dial=None,
        )  # fmt: skip
        with there:
            with pytest.raises(ExceptionGroup):
                await Link(route, 1, (broken, writer)).run()
            assert writer.transport.is_closing()

    with TlsServer(world.genuine, protocol=echo_and_tell_ends_apart) as server:
        asyncio.run(played(server.port))
        server.wait_idle()
        assert_no_end_of_tls(server)


def test_a_client_that_is_killed_is_no_end(world: Any) -> None:
    """A client that is reset: the upstream is cut without an end of TLS."""

    async def played(port: int) -> None:
        """Be the local client."""
        async with world.forwarding(port) as (forwarder, place), world.client(place) as (reader, writer):
            writer.write(SECRET)
            assert SECRET == await reader.readexactly(len(SECRET))
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()
            await world.wait_for(Kind.FAILED)
            assert 0 == await forwarder.stop(20)
            assert 0 == forwarder.connections

    with TlsServer(world.genuine, protocol=echo_and_tell_ends_apart) as server:
        asyncio.run(played(server.port))
        server.wait_idle()
        assert_no_end_of_tls(server)


def test_octets_one_by_one_arrive(world: Any) -> None:
    """An upstream that shakes hands and answers octet by octet, and a client that speaks so, are only slow."""

    async def played(port: int) -> bytes:
        """Be the local client."""
        async with world.forwarding(port) as (_, place), world.client(place) as (reader, writer):
            for octet in SECRET:
                writer.write(bytes([octet]))
                await writer.drain()
            writer.write_eof()
            return await reader.read()

    with TlsServer(world.genuine, protocol=in_octets) as server:
        assert SECRET == asyncio.run(played(server.port))


def test_a_client_that_does_not_read_stops_the_upstream(world: Any) -> None:
    """Buffers are bounded: the upstream can send no more while the client takes nothing, and everything afterwards."""
    total, stopped_at = 64 * MEBIBYTE, []
    stopped = threading.Event()

    def much(conversation: Conversation) -> None:
        conversation.secure()
        connection: ssl.SSLSocket = conversation._connection  # type: ignore[assignment]
        connection.settimeout(1)
        sent = 0
        while sent < total:
            try:
                sent += connection.send(b"m" * 16_384)
            except TimeoutError:
                stopped_at.append(sent)
                stopped.set()

    async def played(port: int) -> int:
        """Be the local client."""
        async with world.forwarding(port) as (_, place), world.client(place) as (reader, writer):
            writer.transport.pause_reading()
            assert await asyncio.to_thread(stopped.wait, 30)
            writer.transport.resume_reading()
            count = 0
            while block := await reader.read(MEBIBYTE):
                count += len(block)
            return count

    with TlsServer(world.genuine, protocol=much) as server:
        assert total == asyncio.run(played(server.port))
    assert stopped_at[0] < total // 2


def test_an_upstream_that_does_not_read_stops_the_client(world: Any) -> None:
    """Buffers are bounded in the other direction too."""
    total, go_on = 64 * MEBIBYTE, threading.Event()

    def late(conversation: Conversation) -> None:
        conversation.secure()
        go_on.wait(30)
        count = 0
        while received := conversation.receive():
            count += len(received)
        conversation.send(b"%d" % count)

    async def played(port: int) -> bytes:
        """Be the local client."""
        async with world.forwarding(port) as (_, place), world.client(place) as (reader, writer):
            writer.write(b"m" * total)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(writer.drain(), 2)
            assert writer.transport.get_write_buffer_size() > total // 2
            go_on.set()
            writer.write_eof()
            return await reader.read()

    with TlsServer(world.genuine, protocol=late) as server:
        assert b"%d" % total == asyncio.run(played(server.port))


def test_an_upstream_that_never_answers_is_given_up(world: Any) -> None:
    """A handshake that does not come to its end in time is a failure, and the client is reset."""

    async def played(port: int) -> str:
        """Be the local client."""
        async with world.forwarding(port, limits=Limits(opening=0.2)) as (_, place):
            async with world.client(place) as (reader, writer):
                writer.write(SECRET)
                with pytest.raises(ConnectionResetError):
                    await reader.read()
                text: str = (await world.wait_for(Kind.FAILED)).text
                return text

    with TlsServer(world.genuine, protocol="unresponsive") as server:
        assert "no TLS connection within 0.2 s" in asyncio.run(played(server.port))
        server.wait_idle()
        assert SECRET not in b"".join(record.plaintext for record in server.evidence.connections)


def test_an_upstream_that_is_not_there_is_a_failure(world: Any) -> None:
    """Nobody listens upstream: the client is reset, and the next one may find somebody."""

    async def played(port: int) -> str:
        """Be the local client."""
        async with world.forwarding(port) as (_, place), world.client(place) as (reader, _):
            with pytest.raises(ConnectionResetError):
                await reader.read()
            text: str = (await world.wait_for(Kind.FAILED)).text
            return text

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert "failed: " in asyncio.run(played(taken.getsockname()[1]))


def test_a_connection_where_nothing_moves_is_cut(world: Any) -> None:
    """With a limit on idleness, a connection lasts for as long as something moves."""

    async def played(port: int) -> str:
        """Be the local client."""
        async with world.forwarding(port, limits=Limits(opening=20, idle=0.3)) as (_, place):
            async with world.client(place) as (reader, writer):
                writer.write(SECRET)
                assert SECRET == await reader.readexactly(len(SECRET))
                with pytest.raises(ConnectionResetError):
                    await reader.read()
                text: str = (await world.wait_for(Kind.FAILED)).text
                return text

    with TlsServer(world.genuine, protocol="echo") as server:
        assert "nothing moved for 0.3 s" in asyncio.run(played(server.port))


def test_report_only_is_told(world: Any) -> None:
    """In report-only mode a mismatch is let through, and told with the whole diagnosis."""
    policy = world.policy('mode = "report-only"\nreport-only-since = 2026-11-01')

    async def played(port: int) -> None:
        """Be the local client."""
        async with world.forwarding(port, policy=policy) as (_, place), world.client(place) as (reader, writer):
            writer.write(SECRET)
            assert SECRET == await reader.readexactly(len(SECRET))

    with TlsServer(world.other, protocol="echo") as server:
        asyncio.run(played(server.port))
    told = world.of(Kind.REPORTED)[0]
    assert "no-matching-pin" == told.verdict.outcome.value
    assert "no pinned key in the validated chain" in told.explanation


def test_a_denied_key_ends_an_open_connection_at_once(world: Any) -> None:
    """A new policy that denies the key resets a connection on which nobody does anything."""
    denied = world.policy(f'denied-keys = ["{pinscher.Pin.of(world.genuine.der)}"]', held=world.other, version=2)

    async def played(port: int) -> None:
        """Be the local client."""
        async with world.forwarding(port) as (forwarder, place), world.client(place) as (reader, writer):
            writer.write(SECRET)
            assert SECRET == await reader.readexactly(len(SECRET))
            forwarder.replace(denied)
            with pytest.raises(ConnectionResetError):
                await reader.read()
            assert "denied-key" == (await world.wait_for(Kind.WITHDRAWN)).verdict.outcome.value

    with TlsServer(world.genuine, protocol="echo") as server:
        asyncio.run(played(server.port))
    assert "version 2 is in force after version 1; 1 connections cut, 0 may only receive" in (
        world.of(Kind.RELOADED)[0].text
    )


def test_a_removed_pin_lets_an_open_connection_receive(world: Any) -> None:
    """A new policy that merely lists the key no longer: the client is reset when it says more, and none of it leaves."""
    asked, later = threading.Event(), threading.Event()

    def answer_later(conversation: Conversation) -> None:
        conversation.secure()
        conversation.receive()
        asked.set()
        later.wait(20)
        conversation.send(b"the answer")
        conversation.drain()

    async def played(port: int) -> None:
        """Be the local client."""
        async with world.forwarding(port) as (forwarder, place), world.client(place) as (reader, writer):
            writer.write(b"a question")
            assert await asyncio.to_thread(asked.wait, 20)
            forwarder.replace(world.policy(held=world.other, version=2))
            later.set()
            assert b"the answer" == await reader.readexactly(10)
            writer.write(SECRET)
            with pytest.raises(ConnectionResetError):
                await reader.read()
            assert "no-matching-pin" == (await world.wait_for(Kind.WITHDRAWN)).verdict.outcome.value

    with TlsServer(world.genuine, protocol=answer_later) as server:
        asyncio.run(played(server.port))
        server.wait_idle()
        assert len(b"a question") == server.application_bytes
    assert "0 connections cut, 1 may only receive" in world.of(Kind.RELOADED)[0].text


def test_what_a_policy_no_longer_pins_is_said(world: Any) -> None:
    """A policy that takes the pins of an upstream away is put in force, and the event says so."""
    text = 'format = 1\nname = "bank"\nversion = 2\n[defaults]\nunlisted-hosts = "allow"\n[hosts."bank.test"]\n'
    nothing = pinscher.Policy.loads(text + 'unpinned = "nothing secret"\n')

    async def played() -> None:
        """Be the local client."""
        async with world.forwarding(9) as (forwarder, _):
            forwarder.replace(nothing)

    asyncio.run(played())
    assert "it pins no key of bank.test" in world.of(Kind.RELOADED)[0].text


def test_stopping_lets_a_connection_end(world: Any) -> None:
    """A forwarder that is stopped takes no more connections, and waits for those that come to their end in time."""

    async def played(port: int) -> None:
        """Be the local client."""
        async with world.forwarding(port) as (forwarder, place), world.client(place) as (reader, writer):
            writer.write(SECRET)
            assert SECRET == await reader.readexactly(len(SECRET))
            stopping = asyncio.create_task(forwarder.stop(20))
            # In the first turn what was accepted before arrives, in the second the listening socket is closed.
            for _ in range(2):
                await asyncio.sleep(0)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(place.address, place.port)
            writer.write_eof()
            assert b"" == await reader.read()
            assert 0 == await stopping

    with TlsServer(world.genuine, protocol="echo") as server:
        asyncio.run(played(server.port))


def test_stopping_cuts_what_does_not_end(world: Any) -> None:
    """What is still open after the time of grace is reset, and counted."""

    async def played(port: int) -> None:
        """Be the local client."""
        async with world.forwarding(port) as (forwarder, place), world.client(place) as (reader, writer):
            writer.write(SECRET)
            assert SECRET == await reader.readexactly(len(SECRET))
            assert 1 == await forwarder.stop(0.05)
            with pytest.raises(ConnectionResetError):
                await reader.read()

    with TlsServer(world.genuine, protocol="echo") as server:
        asyncio.run(played(server.port))
    assert "1 open connections were cut" in world.of(Kind.STOPPED)[0].text


def test_nothing_is_begun_after_the_stop(world: Any) -> None:
    """A connection that the event loop hands over when the forwarder has stopped already is reset."""

    async def played() -> None:
        """Hand a connection over that was accepted before."""
        accepted: asyncio.Queue[Any] = asyncio.Queue()
        async with await asyncio.start_server(lambda *streams: accepted.put_nowait(streams), "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            async with world.forwarding(443) as (forwarder, _):
                await forwarder.stop(0)
                forwarder._begin(None, await accepted.get())
                assert 0 == forwarder.connections
                with pytest.raises(ConnectionResetError):
                    await reader.read()
            writer.close()

    asyncio.run(played())


def test_what_is_accepted_in_the_turn_of_the_stop_is_reset(world: Any) -> None:
    """A connection that the event loop accepts right before it closes the listening socket is reset and not forgotten."""

    async def played() -> None:
        """Connect, and have the stop stand between what accepts and what follows it."""
        loop, stopping = asyncio.get_running_loop(), []
        async with world.forwarding(443) as (forwarder, place):
            with socket.create_connection((place.address, place.port), 20) as client:
                loop.call_soon(lambda: stopping.append(asyncio.create_task(forwarder.stop(0))))
                with pytest.raises(ConnectionResetError):
                    await asyncio.to_thread(client.recv, 1)
            await stopping[0]

    asyncio.run(played())
