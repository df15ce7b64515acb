"""
confluent-kafka, refused by name: librdkafka takes a file of authorities and has no hook that Python could judge in.

aiokafka and kafka-python take a context.
"""

from __future__ import annotations

from typing import NoReturn

from pinscher.clients.errors import UnsupportedTransportError


def configuration(*_: object, **__: object) -> NoReturn:
    """Refuse, for producers, consumers and administrators alike."""
    reason = "librdkafka has no hook in its handshake, and ssl.ca.location names authorities and no keys"
    remedy = (
        "use aiokafka or kafka-python with a pinned context, or a pinned forwarder for each broker: pinscher forward"
    )
    raise UnsupportedTransportError("confluent-kafka", reason, remedy)
