"""
Where a report channel's name leads, checked before anything is connected to.

A report leaves the machine by itself, so whoever changes a name's address could make every client knock at a router, a
metadata service or a neighbour (server-side request forgery by DNS rebinding). The address that was checked is the one
that is connected to; no name is looked up twice.
"""

from __future__ import annotations

import socket

from pinscher.address import is_public
from pinscher.errors import PinningError, escaped


class PrivateAddressError(PinningError):
    """A report channel whose name leads to an address that is not public; ``address`` says which."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(
            f"report channel {escaped(host)} leads to {escaped(address)}, which is not a public address; "
            "allow-private = true lets reports go there"
        )
        self.host = host
        self.address = address


def public_addresses(host: str, port: int, *, allow_private: bool) -> list[tuple[int, str]]:
    """
    Return the families and addresses of a host; raise :class:`PrivateAddressError` where one of them is not public.

    One private address among public ones refuses them all: nobody who means well publishes such a pair.
    """
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    found = list(dict.fromkeys((int(family), str(address[0])) for family, _, _, _, address in answers))
    if not allow_private:
        for _, address in found:
            if not is_public(address):
                raise PrivateAddressError(host, address)
    return found
