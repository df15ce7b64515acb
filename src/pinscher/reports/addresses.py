"""
Where a report channel's name leads, checked before anything is connected to.

A report leaves the machine by itself, so whoever changes a name's address could make every client knock at a router, a
metadata service or a neighbour (server-side request forgery by DNS rebinding). The address that was checked is the one
that is connected to; no name is looked up twice.
"""

from __future__ import annotations

import ipaddress
import socket

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


def is_public(address: str) -> bool:
    """Tell whether an address belongs to the public internet, whatever IPv6 form an IPv4 address is wrapped in."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        wrapped = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo or (None, None))[1] or _translated(parsed)
        if wrapped is not None:
            return wrapped.is_global and not wrapped.is_multicast
    return parsed.is_global and not parsed.is_multicast


_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


def _translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that a NAT64 gateway would make of an address (RFC 6052), or None."""
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _TRANSLATED else None
