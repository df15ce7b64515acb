"""
Which addresses belong to the public internet.

A name or an address that somebody else chose (a report channel's, an issuer's in a certificate, a log's, an alert's)
is a way to make this machine knock at its neighbours. Whoever goes there by itself asks here first.
"""

from __future__ import annotations

import ipaddress


def is_public(address: str) -> bool:
    """Tell whether an address belongs to the public internet, whatever IPv6 form an IPv4 address is wrapped in."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv4Address):
        return parsed.is_global and not any(parsed in network for network in _SPECIAL_IPV4)
    wrapped = _wrapped(parsed)
    if wrapped:
        return all(is_public(str(one)) for one in wrapped)
    return parsed in _GLOBAL_UNICAST and not any(parsed in network for network in _SPECIAL_IPV6)


_SPECIAL_IPV4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
            "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        ),
    )
)  # fmt: skip
"""IANA's registry of special purposes, as a whole: what ``is_global`` says of it depends on Python's patch release."""
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that was ever given out for the public internet; the rest of IPv6 is something else, or nothing yet."""
_SPECIAL_IPV6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20")))


def _wrapped(address: ipaddress.IPv6Address) -> tuple[ipaddress.IPv4Address, ...]:
    """Return the IPv4 addresses that a connection to an address may lead to: mapped, by NAT64, 6to4 or Teredo."""
    if address in _TRANSLATED:
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    single = address.ipv4_mapped or address.sixtofour
    return (single,) if single is not None else address.teredo or ()


_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""What a NAT64 gateway takes for IPv4 (RFC 6052)."""
