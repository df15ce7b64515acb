"""A server of QUIC and HTTP/3 on the loopback, in a thread of its own, that echoes and counts what it is sent."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import HandshakeCompleted, QuicEvent, StreamDataReceived
from cryptography.x509 import load_der_x509_certificate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.lab.authority import HeldCertificate


class QuicServer:
    """What a server saw: how many bytes on streams, and how many handshakes that came to their end."""

    def __init__(self, held: HeldCertificate) -> None:
        self.application_bytes = self.handshakes = self.port = 0
        self.content = b""
        self._settings = QuicConfiguration(is_client=False, alpn_protocols=["echo", "h3"], idle_timeout=5)
        certificate, *above = [load_der_x509_certificate(one) for one in held.chain]
        self._settings.certificate, self._settings.certificate_chain = certificate, above
        self._settings.private_key = held.key.private
        self._listening = threading.Event()

    def saw(self, event: QuicEvent) -> None:
        """Take note of an event."""
        if isinstance(event, HandshakeCompleted):
            self.handshakes += 1
        if isinstance(event, StreamDataReceived):
            self.application_bytes += len(event.data)
            self.content += event.data

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = self

        class Echo(QuicConnectionProtocol):
            http: H3Connection | None = None

            def quic_event_received(self, event: QuicEvent) -> None:
                server.saw(event)
                if isinstance(event, HandshakeCompleted) and event.alpn_protocol == "h3":
                    self.http = H3Connection(self._quic)
                for told in [] if self.http is None else self.http.handle_event(event):
                    if isinstance(told, DataReceived) and told.stream_ended:
                        self.http.send_headers(told.stream_id, [(b":status", b"200")])
                        self.http.send_data(told.stream_id, told.data, end_stream=True)
                        self.transmit()
                if isinstance(event, StreamDataReceived) and self._quic.tls.alpn_negotiated == "echo":
                    self._quic.send_stream_data(event.stream_id, event.data, event.end_stream)
                    self.transmit()

        listening: Any = await serve("127.0.0.1", 0, configuration=self._settings, create_protocol=Echo)
        self.port = listening._transport.get_extra_info("sockname")[1]
        self._listening.set()
        await self._over.wait()
        listening.close()
        listening._transport.close()

    @contextlib.contextmanager
    def running(self) -> Iterator[QuicServer]:
        """Serve until the block ends."""
        thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="quic server")
        thread.start()
        assert self._listening.wait(10)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._over.set)
            thread.join()
