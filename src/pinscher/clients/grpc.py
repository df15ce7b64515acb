"""
grpcio, refused by name: it has no hook in its handshake, and no way to ask for the chain that it verified.

Its channels can be made to trust one certificate alone. That pins a certificate and not a key, needs the certificate
itself where a policy holds digests, and breaks at the next renewal, so that it is no expression of a policy.
"""

from __future__ import annotations

from typing import NoReturn

from pinscher.clients.errors import UnsupportedTransportError


def channel_credentials(*_: object, **__: object) -> NoReturn:
    """Refuse, for ``grpc`` and ``grpc.aio`` alike."""
    reason = "grpcio has no hook in its handshake, and trusting one certificate alone breaks when it is renewed"
    raise UnsupportedTransportError("grpcio", reason, "put a pinned forwarder in front: pinscher forward --alpn h2")
