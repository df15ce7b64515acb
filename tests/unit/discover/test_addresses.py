"""Addresses in text give a host, a port and a scheme, or the reason why they lead nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from pinscher.discover.addresses import Address, addresses_in, host_and_port


def told(text: str) -> list[Any]:
    """Return the addresses of a text in short."""
    return [(one.host, one.port, one.scheme) if isinstance(one, Address) else one for one in addresses_in(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://api.bank.example/v1, and", [("api.bank.example", None, "https")]),
        ("(wss://WS.Bank.Example:8443)", [("ws.bank.example", 8443, "wss")]),
        ("https://[2001:db8::1]:8443/", [("2001:db8::1", 8443, "https")]),
        ("https://user:pw@a.example/", [("a.example", None, "https")]),
        ("mongodb://u:p@a.example:1,b.example:2/x", [("a.example", 1, "mongodb"), ("b.example", 2, "mongodb")]),
        (r"https:\/\/a.example\/x", [("a.example", None, "https")]),
        ("https://{host}/x", ["a host that is put together at run time"]),
        ("https://%s/x", ["a host that is put together at run time"]),
        ("http://web/x", ["a name without a dot"]),
        ("http://localhost:80/", [("localhost", 80, "http")]),
        ("https://a.example:99999/", ["an address without a usable host"]),
        ("https://-a.example/", ["an address without a usable host"]),
        ("https://", ["an address without a usable host"]),
        ("xhttps://a.example", []),
        ("no address", []),
    ],
)
def test_an_address_is_its_host(text: str, expected: list[Any]) -> None:
    """The host, the port and the scheme are kept, and nothing else of what stands there."""
    assert expected == told(text)


def test_what_an_address_carries_is_named() -> None:
    """A user and the names of a query count as what they are; a path's verbs are told apart."""
    (found,) = addresses_in("https://user:pw@a.example/v1/transfers?access_token=x&page=2#email=z")
    assert isinstance(found, Address)
    assert {"password", "access token"} == {one.word for one in found.carried}
    assert ["transfer"] == [one.word for one in found.moves]
    (other,) = addresses_in("https://key@a.example/")
    assert isinstance(other, Address)
    assert {"user name"} == {one.word for one in other.carried}


def test_a_bare_host_may_have_a_port() -> None:
    """A host of a setting is read with its port."""
    assert ("db.example", 5432) == host_and_port("db.example:5432")
