"""Which addresses belong to the public internet."""

from __future__ import annotations

import pytest

from pinscher.address import is_public


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("::ffff:8.8.8.8", True), ("64:ff9b::808:808", True),
        ("127.0.0.1", False), ("10.1.2.3", False), ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False),
        ("224.0.0.1", False), ("::1", False), ("fe80::1%eth0", False), ("fd00::1", False), ("::ffff:10.0.0.1", False),
        ("2002:0a00:0001::", False), ("64:ff9b::a00:1", False), ("64:ff9b::a9fe:a9fe", False), ("ff0e::1", False),
        ("2001:0:0:0:0:0:f5ff:fffe", False), ("64:ff9b:1::7f00:1", False), ("64:ff9b:1::808:808", False), ("fec0::1", False),
        ("::127.0.0.1", False), ("::ffff:0:127.0.0.1", False), ("192.0.0.8", False), ("192.88.99.1", False), ("198.18.0.1", False),
        ("2001:db8::1", False), ("3fff::1", False), ("2001:20::1", False), ("5f00::1", False), ("4000::1", False), ("::", False),
        ("2001:0:7f00:1:0:0:f7f7:f7f7", False), ("2001:0:808:808:0:0:f7f7:f7f7", True), ("2002:808:808::1", True), ("2a00:1450::1", True),
    ],
)  # fmt: skip
def test_what_is_public(address: str, public: bool) -> None:
    """What a registry of special purposes has is not public, however it is wrapped, on every release of Python."""
    assert public is is_public(address)
