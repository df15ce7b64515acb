"""Endpoints as a person writes them."""

from __future__ import annotations

import pytest

from pinscher.probe import Endpoint, InvalidEndpointError, Protocol


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("api.bank.example", "api.bank.example", 443),
        ("API.Bank.Example.:8443", "api.bank.example", 8443),
        ("192.0.2.1:444", "192.0.2.1", 444),
        ("2001:db8::1", "2001:db8::1", 443),
        ("[2001:DB8::1]", "2001:db8::1", 443),
        ("[2001:db8::1]:8443", "2001:db8::1", 8443),
    ],
)
def test_host_and_port_are_read(text: str, host: str, port: int) -> None:
    """A host, with a port or without, is read into its canonical form."""
    endpoint = Endpoint.parse(text)
    assert (endpoint.host, endpoint.port) == (host, port)


@pytest.mark.parametrize("text", ["a.example:8443", "192.0.2.1:1", "[::1]:65535"])
def test_text_of_an_endpoint_reads_back(text: str) -> None:
    """The text of an endpoint is the endpoint again."""
    assert str(Endpoint.parse(text)) == text


@pytest.mark.parametrize(
    ("protocol", "port"),
    [
        (Protocol.TLS, 443),
        (Protocol.SMTP, 25),
        (Protocol.IMAP, 143),
        (Protocol.POP3, 110),
        (Protocol.FTP, 21),
        (Protocol.POSTGRES, 5432),
    ],
)
def test_each_protocol_has_its_port(protocol: Protocol, port: int) -> None:
    """Without a port the protocol's registered one is used."""
    assert Endpoint.parse("a.example", protocol=protocol).port == port


@pytest.mark.parametrize(
    "text",
    [
        "", ":443", "a.example:", "a.example:0", "a.example:65536", "a.example:https", "a.example:\u0661", "a.example:+4",
        "[::1", "[::1]443", "[::1]:", "https://a.example/", "user@a.example", "a..example", "*.a.example", "a\x00b",
        "127.1", "a.example:443:1",
    ],
)  # fmt: skip
def test_junk_is_refused(text: str) -> None:
    """What is not an endpoint is refused with the documented error, and its text comes back escaped."""
    with pytest.raises(InvalidEndpointError) as caught:
        Endpoint.parse(text)
    assert str(caught.value).isprintable()
