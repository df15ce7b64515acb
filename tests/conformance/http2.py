"""A server that speaks HTTP/2 with the h2 package, for the clients that negotiate it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


def http2(conversation: Conversation) -> None:
    """Answer every request with 200 and the length of its body, until the client leaves."""
    conversation.secure()
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    conversation.send(connection.data_to_send())
    while received := conversation.receive():
        for event in connection.receive_data(received):
            _answer(connection, event)
        conversation.send(connection.data_to_send())


def _answer(connection: h2.connection.H2Connection, event: h2.events.Event) -> None:
    if isinstance(event, h2.events.DataReceived):
        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
    if isinstance(event, h2.events.StreamEnded):
        connection.send_headers(event.stream_id, [(":status", "200"), ("content-length", "2")])
        connection.send_data(event.stream_id, b"ok", end_stream=True)
