"""mitmproxy's flow files, written here as mitmproxy writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pinscher.discover.limits import LARGEST_FLOW
from pinscher.discover.tnetstring import TnetstringError, parse
from pinscher.lab.authority import Authority

if TYPE_CHECKING:
    from conftest import Read


def dumped(value: Any) -> bytes:
    """Return a value as a tagged netstring."""
    match value:
        case None:
            content, tag = b"", b"~"
        case bool():
            content, tag = str(value).lower().encode(), b"!"
        case int():
            content, tag = str(value).encode(), b"#"
        case float():
            content, tag = str(value).encode(), b"^"
        case bytes():
            content, tag = value, b","
        case str():
            content, tag = value.encode(), b";"
        case list():
            content, tag = b"".join(map(dumped, value)), b"]"
        case _:
            content, tag = b"".join(dumped(key) + dumped(item) for key, item in value.items()), b"}"
    return b"%d:%s%s" % (len(content), content, tag)


def flow(**more: Any) -> dict[str, Any]:
    """Return an HTTP flow."""
    request = {
        "method": b"POST", "scheme": b"https", "host": "10.0.0.1", "port": 443, "authority": b"", "path": b"/pay?otp=1",
        "headers": [[b"Host", b"api.bank.example"], [b"Authorization", b"Basic x"]], "content": b'{"iban": 1}',
    }  # fmt: skip
    response = {"headers": [[b"set-cookie", b"sid=1"]], "content": None}
    return {"version": 21, "type": "http", "request": request, "response": response, "server_conn": {}, **more}


def test_a_value_comes_back_as_it_was_written() -> None:
    """Every kind of value is read."""
    value = {"a": [1, 2.5, True, False, None, b"\x00", "\u00fc"], "b": {}}
    assert value == parse(dumped(value))


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"3:ab,", b"1:a,x", b"1:a?", b"1:a#", b"3:1:a]", b"4:1:a,}", b"8:0:~1:a,}", b"9999999999999:a,",
     b"6:0:~0:~}"],
)  # fmt: skip
def test_anything_else_is_its_one_error(content: bytes) -> None:
    """Damaged netstrings say so."""
    with pytest.raises(TnetstringError):
        parse(content)


def test_nesting_is_bounded() -> None:
    """A list in a list in a list ends."""
    value: list[Any] = []
    for _ in range(100):
        value = [value]
    with pytest.raises(TnetstringError, match="levels"):
        parse(dumped(value))


def test_a_flow_is_a_sighting(read: Read) -> None:
    """The host that was asked for, and what crossed in both directions."""
    found = read("session.mitm", dumped(flow()) + dumped(flow()))
    assert {"api.bank.example": ["session.mitm:1", "session.mitm:2"]} == found.places
    expected = {"authorization basic": 2, "payment": 2, "one-time code": 2, "iban": 2, "session cookie": 2}
    assert expected == found.crossed("api.bank.example")


def test_the_authority_and_the_address_are_hosts_too(read: Read) -> None:
    """Of HTTP/2 the authority counts, and without any name the address."""
    named, bare = flow(), flow()
    named["request"] |= {"authority": b"h2.bank.example"}
    bare["request"] |= {"headers": None, "host": "2001:db8::1", "port": 8443, "path": b"*"}
    assert {"h2.bank.example": 1, "2001:db8::1": 1} == read("f", dumped(named) + dumped(bare)).hosts


def test_the_certificate_shows_its_issuer(read: Read) -> None:
    """The leaf that the server showed says who issued it, where that is known to matter."""
    leaf = Authority.root(name="Cloudflare TLS").issue("bank.example").pem
    ends = read(
        "f", b"".join(dumped(flow(server_conn={"certificate_list": one})) for one in ([leaf], [b"x"], [leaf[:90]]))
    )
    assert {"Cloudflare"} == ends.inventory.endpoints["api.bank.example"].issuers


def test_a_flow_without_a_request_has_its_server(read: Read) -> None:
    """TCP and DNS flows give the name that TLS asked for, or the address."""
    tls = {"type": "tcp", "server_conn": {"sni": "mq.bank.example", "address": ["10.0.0.1", 8883]}}
    tcp = {"type": "tcp", "server_conn": {"address": ["db.bank.example", 5432]}}
    found = read("f", dumped(tls) + dumped(tcp) + dumped({"type": "dns"}))
    assert [{"tls"}, {"tcp"}] == [one.schemes for one in found.inventory.endpoints.values()]
    assert {"a flow without a usable host": 1} == found.skipped


def test_a_large_flow_is_passed_over(read: Read) -> None:
    """A flow beyond the bound is counted, and the next one is read."""
    large = b"%d:%s," % (LARGEST_FLOW + 1, b"x" * (LARGEST_FLOW + 1))
    found = read("f", large + dumped(flow()), "flows")
    assert {"api.bank.example": 1} == found.hosts
    assert {"a flow larger than is looked at": 1} == found.skipped
    assert read("f", large[:-5], "flows").error is not None


@pytest.mark.parametrize("content", [b"5:ab,", b":", b"5x", b"1:a,", b"99999999999999:"])
def test_a_damaged_file_says_which_flow(read: Read, content: bytes) -> None:
    """What stood before the damage is kept."""
    found = read("f", dumped(flow()) + content, "flows")
    assert {"api.bank.example": 1} == found.hosts
    assert found.error is not None
    assert found.error.reason.startswith("damaged flow: ")
