"""The control: Python's ``ssl`` as it comes, which trusts every authority of the machine and pins nothing."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from pinscher.lab.client import CannotExpressError, Client, Contestant, Reply
from pinscher.lab.scenario import Capability, Transport
from pinscher.lab.server import load
from pinscher.lab.talk import Target, exchange

if TYPE_CHECKING:
    from pinscher.lab.scenario import Visit
    from pinscher.lab.workplace import Workplace

_ABLE = frozenset({
    Capability.NAMES, Capability.POLICY, Capability.SEVERAL_PINS, Capability.AUTHORITY_PINS,
    Capability.CERTIFICATE_PINS, Capability.SEVERAL_VISITS, Capability.NEW_POLICY, Capability.CLIENT_CERTIFICATE,
})  # fmt: skip
"""It takes every pin, and looks at none."""


def contestant(_: Workplace) -> Contestant:
    """Return plain ``ssl`` as a contestant."""

    def new() -> Client:
        return _Plain()

    return Contestant("plain-ssl", _ABLE, new, f"{ssl.OPENSSL_VERSION}, pins nothing: the control")


class _Plain:
    def visit(self, visit: Visit) -> Reply:
        """Make one connection with a context of its own."""
        if visit.transport is not Transport.HTTPS or visit.proxy is not None:
            raise CannotExpressError("the control connects directly, with TLS from the start")
        context = ssl.create_default_context(cadata=visit.trust.decode())
        if visit.client_certificate is not None:
            load(context, visit.client_certificate)
        try:
            with (
                socket.create_connection(visit.address, 10) as tcp,
                context.wrap_socket(tcp, server_hostname=visit.host) as secured,
            ):
                exchange(secured, visit, Target.of(visit))
        except (OSError, ValueError) as error:
            return Reply(accepted=False, said=str(error))
        return Reply(accepted=True)

    def close(self) -> None:
        """Hold nothing."""
