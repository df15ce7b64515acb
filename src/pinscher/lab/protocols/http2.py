"""HTTP/2 (RFC 9113) with the h2 package, for clients that negotiate it: serve with ``alpn=("h2",)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


def http2(conversation: Conversation) -> None:
    """
    Answer every request with 200 and two octets, until the client leaves.

    The first answer waits until the client has acknowledged our settings, so that what it sends later is requests.
    """
    # Imported here, so that only who speaks HTTP/2 needs the package.
    from h2.config import H2Configuration  # noqa: PLC0415
    from h2.connection import H2Connection  # noqa: PLC0415
    from h2.events import SettingsAcknowledged  # noqa: PLC0415

    conversation.secure()
    connection = H2Connection(H2Configuration(client_side=False))
    connection.initiate_connection()
    conversation.send(connection.data_to_send())
    is_settled, asked = False, []
    while received := conversation.receive():
        for event in connection.receive_data(received):
            is_settled |= isinstance(event, SettingsAcknowledged)
            asked += _asked(connection, event)
        while is_settled and asked:
            stream = asked.pop(0)
            connection.send_headers(stream, [(":status", "200"), ("content-length", "2")])
            connection.send_data(stream, b"ok", end_stream=True)
        conversation.send(connection.data_to_send())


def _asked(connection: Any, event: Any) -> list[int]:
    """Return the stream of a request that is complete, if the event completes one."""
    from h2.events import DataReceived, StreamEnded  # noqa: PLC0415

    if isinstance(event, DataReceived):
        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
    return [event.stream_id] if isinstance(event, StreamEnded) else []
