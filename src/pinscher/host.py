"""
Hosts as TLS verifies them, and the patterns a policy lists them by.

Rules of this file:

1. One function, :func:`canonical_host`, makes the form that is stored and the form that is looked up.
2. The canonical form agrees with what Python's ``ssl`` hands to OpenSSL: IDNA 2003 A-labels, then lower case, then
   without one trailing dot. (``idna`` 2008 maps ß elsewhere; the name that counts is the one TLS verified.)
3. What cannot be a DNS name or an IP literal is refused, and never "not found": a look-up of junk is an error.
4. An IP literal matches exactly and nothing else does: no brackets, no zone, no octal, hexadecimal or short forms.
5. ``*.x`` is exactly one more label, ``**.x`` is ``x`` and any depth below it, and a star stands nowhere else.
"""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass, field
from typing import Self

from pinscher.errors import PinningError, escaped

LONGEST_HOST = 253
"""Octets of a DNS name without its trailing dot (RFC 1035 section 2.3.4, as text)."""

LONGEST_LABEL = 63
"""Octets of one label (RFC 1035 section 2.3.4)."""

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_DIGITS = frozenset("0123456789")
_HEXTETS = 8


class InvalidHostError(PinningError, ValueError):
    """A host that is neither a DNS name nor an IP literal; ``host`` holds it as it was given."""

    def __init__(self, host: object, reason: str) -> None:
        shown = f"'{escaped(host)}'" if isinstance(host, str) else repr(type(host).__name__)
        super().__init__(f"host {shown} cannot be used: {reason}")
        self.host = host
        self.reason = reason

    def __reduce__(self) -> tuple[type[Self], tuple[object, str]]:
        """Pickle by the two values the error was made from."""
        return type(self), (self.host, self.reason)


@functools.lru_cache(maxsize=4096)
def canonical_host(host: str) -> str:
    """
    Return *host* as TLS would verify it, or raise :class:`InvalidHostError`.

    The answer is idempotent. It is a lower-case A-label name without its trailing dot, a dotted-quad IPv4 address, or
    an IPv6 address in the form of RFC 5952. It does not prove that the host exists.
    """
    return _canonical(host)


def _canonical(host: str) -> str:
    """Return the canonical form without remembering it: a large policy would push out every name that is looked up."""
    if not isinstance(host, str):
        raise InvalidHostError(host, "a host is text")
    if len(host) > LONGEST_HOST + 1:
        raise InvalidHostError(host, f"it has {len(host)} characters, a DNS name has at most {LONGEST_HOST}")
    if ":" in host:
        return _canonical_ipv6(host)
    name = (host if host.isascii() else _a_labels(host)).lower()
    name = name.removesuffix(".")
    if _is_plain(name):
        return name
    labels = name.split(".")
    for label in labels:
        _check_label(host, label)
    if len(name) > LONGEST_HOST:
        raise InvalidHostError(host, f"it has {len(name)} octets, a DNS name has at most {LONGEST_HOST}")
    if _is_numeric(labels[-1]):
        _check_ipv4(host, name, labels)
    return name


def _is_plain(name: str) -> bool:
    """Tell whether a name in lower case plainly keeps every rule, so that no label of it needs a closer look."""
    framed = f".{name}."
    return (
        len(name) <= LONGEST_LABEL
        and name.replace(".", "").replace("-", "").replace("_", "").isalnum()
        and ".." not in framed
        and not ("-" in name and (".-" in framed or "-." in framed))
        and name[name.rfind(".") + 1] not in _DIGITS
    )


def is_ip_literal(canonical: str) -> bool:
    """Tell whether a canonical host is an IP literal, which RFC 7469 never lets be matched by a pattern."""
    return ":" in canonical or (canonical[-1] in _DIGITS and _is_numeric(canonical.rpartition(".")[2]))


def _a_labels(host: str) -> str:
    try:
        mapped = host.encode("idna").decode("ascii")
    except UnicodeError:
        raise InvalidHostError(host, "it has no A-label form (RFC 3490)") from None
    if ":" in mapped:
        raise InvalidHostError(host, "a colon stands only in an IPv6 address written in ASCII")
    return mapped


def _check_label(host: str, label: str) -> None:
    if not label:
        raise InvalidHostError(host, "it has an empty label")
    if len(label) > LONGEST_LABEL:
        raise InvalidHostError(host, f"a label has {len(label)} octets, at most {LONGEST_LABEL} fit")
    if not _LETTERS.issuperset(label):
        raise InvalidHostError(host, _why_not(label))
    if label[0] == "-" or label[-1] == "-":
        raise InvalidHostError(host, "a label neither begins nor ends with a hyphen (RFC 952)")


def _why_not(label: str) -> str:
    if "*" in label:
        return "a star stands only in a policy's pattern, as the whole first label: '*.' or '**.'"
    if "/" in label:
        return "give the host alone, without scheme or path"
    if "@" in label:
        return "give the host alone, without a user"
    if "[" in label or "]" in label:
        return "write an IP address without brackets"
    return "a label holds letters, digits, hyphens and underscores"


def _is_numeric(label: str) -> bool:
    """Tell whether a last label makes the name a would-be IPv4 address, as the URL standard decides it."""
    return _DIGITS.issuperset(label) or (label.startswith("0x") and _is_hexadecimal(label[2:]))


def _is_hexadecimal(text: str) -> bool:
    return frozenset("0123456789abcdef").issuperset(text)


def _check_ipv4(host: str, name: str, labels: list[str]) -> None:
    octets = [int(label) for label in labels if _DIGITS.issuperset(label) and len(label) <= 3]
    if len(labels) != 4 or len(octets) != 4 or max(octets) > 255 or name != "{}.{}.{}.{}".format(*octets):
        raise InvalidHostError(host, "an IPv4 address is four decimal numbers from 0 to 255, without leading zeros")


def _canonical_ipv6(host: str) -> str:
    import ipaddress  # noqa: PLC0415  (two milliseconds that only IPv6 literals pay)

    if "[" in host:
        raise InvalidHostError(host, "write an IPv6 address without brackets, and the port apart")
    if "%" in host:
        raise InvalidHostError(host, "a zone identifier is not part of the name that a certificate carries")
    try:
        number = int(ipaddress.IPv6Address(host))
    except ValueError:
        raise InvalidHostError(host, "a colon stands only in an IPv6 address; give a port apart") from None
    return _rfc5952([f"{number >> 16 * place & 0xFFFF:x}" for place in reversed(range(_HEXTETS))])


def _rfc5952(hextets: list[str]) -> str:
    """Join eight hextets, the first longest run of two or more zeros written as ``::`` (RFC 5952 section 4.2)."""
    start, length = max(
        ((start, _zeros_from(hextets, start)) for start in range(_HEXTETS)), key=lambda run: (run[1], -run[0])
    )
    if length < 2:
        return ":".join(hextets)
    return ":".join(hextets[:start]) + "::" + ":".join(hextets[start + length :])


def _zeros_from(hextets: list[str], start: int) -> int:
    length = 0
    while start + length < _HEXTETS and hextets[start + length] == "0":
        length += 1
    return length


class Reach(enum.Enum):
    """How far below its name a pattern reaches; the value is the text in front of the name."""

    EXACT = ""
    ONE_LABEL = "*."
    ANY_DEPTH = "**."


@dataclass(frozen=True, slots=True)
class HostPattern:
    """The name of one policy entry: a host, or a host under ``*.`` or ``**.`` (rule 5)."""

    name: str
    reach: Reach = field(default=Reach.EXACT, kw_only=True)

    def __post_init__(self) -> None:
        """Keep the name canonical, so that two spellings of one pattern are equal."""
        object.__setattr__(self, "name", _canonical(self.name))
        if self.reach is not Reach.EXACT and is_ip_literal(self.name):
            raise InvalidHostError(str(self), "an IP address has no names below it")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``host``, ``*.host`` or ``**.host``; raise :class:`InvalidHostError` for anything else."""
        if not isinstance(text, str):
            raise InvalidHostError(text, "a host is text")
        if not text.startswith("*"):
            return cls(text)
        reach = Reach.ANY_DEPTH if text.startswith(Reach.ANY_DEPTH.value) else Reach.ONE_LABEL
        return cls(text.removeprefix(reach.value), reach=reach)

    def matches(self, canonical: str) -> bool:
        """Tell whether a canonical host falls under this pattern."""
        if canonical == self.name:
            return self.reach is not Reach.ONE_LABEL
        if self.reach is Reach.EXACT or not canonical.endswith("." + self.name):
            return False
        return self.reach is Reach.ANY_DEPTH or "." not in canonical[: -len(self.name) - 1]

    def __str__(self) -> str:
        """Return the pattern as a policy document writes it."""
        return self.reach.value + self.name
