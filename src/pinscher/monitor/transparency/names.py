"""
Which certificates of a log are about the policy's hosts.

Rules of this file:

1. Only the subject alternative names count: DNS names, and addresses for hosts that are addresses. The common name does
   not, for no client that pins looks at it (RFC 9525 section 2).
2. A star stands for one label, as the whole first one, above two labels at least, as OpenSSL has it.
3. A name concerns every entry that holds for a host which the name covers; an exact name concerns the most specific.
4. Whatever is no name cannot be verified by a client either, and concerns nobody.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.der import CertificateParseError, Element, read_children, read_element
from pinscher.host import InvalidHostError, Reach, canonical_host, is_ip_literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.entry import HostPolicy
    from pinscher.policy import Policy

MOST_NAMES = 16
"""Names of one certificate that are kept, of those that concern the policy."""
_EXTENSIONS = 0xA3
_OCTET_STRING = 0x04
_SEQUENCE = 0x30
_ALTERNATIVE_NAMES = bytes.fromhex("551d11")
_DNS_NAME = 0x82
_ADDRESS = 0x87


def enclosed(tbs_certificate: bytes) -> bytes:
    """
    Return a TBSCertificate within a certificate that nobody signed, for what reads certificates alone.

    It proves nothing, and a pin on the whole of it is a pin on nothing.
    """
    content = tbs_certificate + _NO_SIGNATURE
    length = len(content)
    if length < 128:
        return bytes([_SEQUENCE, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([_SEQUENCE, 0x80 | len(octets)]) + octets + content


_NO_SIGNATURE = bytes.fromhex("300306012a030100")


def alternative_names(certificate_der: bytes) -> Iterator[str]:
    """
    Yield a certificate's DNS names, in lower case, and addresses; raise ``CertificateParseError`` if it is none.

    They are as they stand there, not held to any rule: markup and control characters included.
    """
    octets = _extension(certificate_der)
    if octets is None:
        return
    listed = read_element(octets, 0, len(octets))
    if listed.tag != _SEQUENCE or listed.end != len(octets):
        raise CertificateParseError("no list of alternative names in its extension")
    for name in read_children(octets, listed):
        value = octets[name.content : name.end]
        if name.tag == _DNS_NAME:
            yield value.decode("latin-1").lower()
        elif name.tag == _ADDRESS and len(value) in (4, 16):
            yield canonical_host(str(ipaddress.ip_address(value)))


def _extension(der: bytes) -> bytes | None:
    """Return the content of the extension that holds alternative names; two of them are refused."""
    certificate = read_element(der, 0, len(der))
    tbs = read_element(der, certificate.content, certificate.end)
    found: list[bytes] = []
    for part in read_children(der, tbs):
        if part.tag == _EXTENSIONS:
            for extension in read_children(der, read_element(der, part.content, part.end)):
                found += _value(der, extension)
    if len(found) > 1:
        raise CertificateParseError("two lists of alternative names")
    return found[0] if found else None


def _value(der: bytes, extension: Element) -> list[bytes]:
    parts = list(read_children(der, extension))
    if len(parts) < 2 or der[parts[0].content : parts[0].end] != _ALTERNATIVE_NAMES:
        return []
    if parts[-1].tag != _OCTET_STRING:
        raise CertificateParseError("no octets in the extension of alternative names", offset=extension.start)
    return [der[parts[-1].content : parts[-1].end]]


@dataclass(frozen=True, slots=True)
class Concern:
    """The names of a certificate that concern the policy: the first of them, and how many more there are."""

    names: tuple[str, ...] = field(default=())
    more: int = 0


class Interests:
    """The names of a policy, found fast in what others wrote."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._listed = [entry for entry in policy.hosts if entry.pinset is not None]
        names = [entry.pattern.name for entry in self._listed]
        self._addresses = {name for name in names if is_ip_literal(name)}
        # Two labels are in every name that could concern an entry, even under a star (rule 2).
        self._ends = tuple(sorted({".".join(name.split(".")[-2:]) for name in names if not is_ip_literal(name)}))
        packed = [ipaddress.ip_address(name).packed for name in sorted(self._addresses)]
        self._needles = (*(end.encode() for end in self._ends), *packed)

    def may_concern(self, octets: bytes) -> bool:
        """Tell fast, for most certificates, that none of their octets could name a host of the policy."""
        lowered = octets.lower()
        return any(needle in lowered or needle in octets for needle in self._needles)

    def concern(self, certificate_der: bytes) -> Concern:
        """Return which names of a certificate concern the policy; raise ``CertificateParseError`` if it is none."""
        names: dict[str, None] = {}
        more = 0
        for name in alternative_names(certificate_der):
            if name not in names and self.entries(name):
                if len(names) < MOST_NAMES:
                    names[name] = None
                else:
                    more += 1
        return Concern(tuple(names), more)

    def entries(self, name: str) -> list[HostPolicy]:
        """Return the entries that a name of a certificate concerns (rule 3)."""
        if name in self._addresses:
            entry = self._policy.lookup_canonical(name)
            return [] if entry is None else [entry]
        if not name.removesuffix(".").endswith(self._ends) or is_ip_literal(name):
            return []
        is_star = name.startswith("*.")
        try:
            canonical = canonical_host(name.removeprefix("*."))
        except InvalidHostError:
            return []
        if is_star:
            return [entry for entry in self._listed if "." in canonical and _is_covered(entry, canonical)]
        entry = self._policy.lookup_canonical(canonical)
        return [entry] if entry is not None and entry.pinset is not None else []


def _is_covered(entry: HostPolicy, above: str) -> bool:
    """Tell whether an entry holds for some host that is one label below a name."""
    name, reach = entry.pattern.name, entry.pattern.reach
    if reach is Reach.ONE_LABEL:
        return name == above
    is_one_below = name.partition(".")[2] == above
    return is_one_below or (reach is Reach.ANY_DEPTH and (above == name or above.endswith("." + name)))
