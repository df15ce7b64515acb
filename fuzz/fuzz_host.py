"""
Fuzz the host canonicaliser and the pattern reader.

Invariant: any text is either refused with InvalidHostError, or its form is its own form and the name that ``ssl`` gives
to OpenSSL for it, and a pattern read from any text is read again from what it writes.
"""

from __future__ import annotations

import ipaddress
import ssl

from runner import run

from pinscher.host import HostPattern, InvalidHostError, canonical_host

CLIENT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
SEEDS = tuple(
    text.encode()
    for text in (
        "api.bank.example.", "BÜCHER.Example", "xn--bcher-kva.example", "pinned\u3002test", "\u212aiwi.test", "faß.test", "a\u2024b.test",
        "1.2.3.4", "127.1", "0x7f.1", "2001:DB8::1", "::ffff:1.2.3.4", "[::1]:443", "fe80::1%eth0", "*.bank.example",
        "**.bank.example", "user@bank.example", "bank.example\x00.evil.test", "a" * 63 + ".b", "a." * 126 + "a",
    )
)  # fmt: skip


def fuzz(data: bytes) -> None:
    """Check the invariant at the head of this file for *data*, read as UTF-8 and as Latin-1."""
    for text in (data.decode("utf-8", "surrogateescape"), data.decode("latin-1")):
        _check_host(text)
        _check_pattern(text)


def _check_host(text: str) -> None:
    try:
        canonical = canonical_host(text)
    except InvalidHostError as error:
        assert str(error).isascii(), text
        return
    assert canonical == canonical_host(canonical), text
    verified = _verified(text)
    if verified is None:
        return
    if ":" in canonical:
        assert ipaddress.ip_address(verified) == ipaddress.ip_address(canonical), text
    else:
        assert verified.lower().removesuffix(".") == canonical, text


def _verified(text: str) -> str | None:
    """Return the name that ``ssl`` would verify, or None where it takes none."""
    try:
        return CLIENT.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=text).server_hostname
    except ValueError:
        return None


def _check_pattern(text: str) -> None:
    try:
        pattern = HostPattern.parse(text)
    except InvalidHostError:
        return
    assert pattern == HostPattern.parse(str(pattern)), text
    assert pattern.matches(pattern.name) == (not str(pattern).startswith("*.")), text


if __name__ == "__main__":
    run(fuzz, SEEDS)
