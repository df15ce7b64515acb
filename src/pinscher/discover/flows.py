"""mitmproxy flow files: one netstring per flow, an HTTP exchange with the certificates that the server showed."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any

from pinscher.der import CertificateParseError, certificate_summary
from pinscher.discover.exchange import sighting_of
from pinscher.discover.limits import LARGEST_FLOW, LONGEST_TEXT, MOST_FIELDS
from pinscher.discover.ownership import issuer_named
from pinscher.discover.sighting import Evidence, Place, Sighting, Skipped
from pinscher.discover.tnetstring import TnetstringError, read_length, value_of
from pinscher.host import InvalidHostError, canonical_host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.discover.sighting import Find, Source


def read_flows(source: Source) -> Iterator[Find]:
    """Yield the sighting of every flow; a flow file has no lines, so its flows are counted like lines from 1."""
    number = 0
    try:
        while (length := read_length(source.stream)) is not None:
            number += 1
            if length > LARGEST_FLOW:
                yield Skipped("a flow larger than is looked at", Place(source.name, number))
                _pass_over(source, length + 1)
                continue
            content = _content(source, length + 1)
            yield from _flow(value_of(content[-1], memoryview(content)[:-1]), Place(source.name, number))
    except TnetstringError as error:
        raise source.error(f"damaged flow: {error}", line=number or 1) from None


def _content(source: Source, length: int) -> bytes:
    content = source.stream.read(length)
    if len(content) != length:
        raise TnetstringError("the file ends within a flow")
    return content


def _pass_over(source: Source, length: int) -> None:
    while length > 0:
        chunk = source.stream.read(min(length, 1 << 20))
        if not chunk:
            raise TnetstringError("the file ends within a flow")
        length -= len(chunk)


def _flow(flow: Any, place: Place) -> Iterator[Find]:
    if not isinstance(flow, dict):
        raise TnetstringError("expected a table")
    server = _table(flow.get("server_conn"))
    request, response = _table(flow.get("request")), _table(flow.get("response"))
    if request:
        yield sighting_of(
            _text(request.get("method"))[:16], _url(request), place, issuer=_issuer(server),
            headers=[*_headers(request), *_headers(response)],
            bodies=[_text(one.get("content"))[:LONGEST_TEXT] for one in (request, response)],
        )  # fmt: skip
        return
    address = server.get("address")
    host, port = address[:2] if isinstance(address, list) and len(address) >= 2 else ("", None)
    try:
        canonical = canonical_host(_text(server.get("sni")) or _text(host))
    except InvalidHostError:
        yield Skipped("a flow without a usable host", place)
        return
    scheme = "tls" if server.get("tls_established") or server.get("sni") else "tcp"
    known = port if isinstance(port, int) and 0 < port < 65536 else None
    yield Sighting(canonical, place, Evidence.RECORDED, port=known, scheme=scheme, issuer=_issuer(server))


def _url(request: dict[str, Any]) -> str:
    scheme = _text(request.get("scheme"))[:16] or "https"
    named = next((value for name, value in _headers(request) if name.lower() == "host"), "")
    authority = _text(request.get("authority")) or named
    if not authority:
        host = _text(request.get("host"))
        authority = f"[{host}]:{request.get('port')}" if ":" in host else f"{host}:{request.get('port')}"
    path = _text(request.get("path"))
    return f"{scheme}://{authority}{path if path.startswith('/') else '/'}"


def _headers(message: dict[str, Any]) -> list[tuple[str, str]]:
    pairs = message.get("headers")
    if not isinstance(pairs, list):
        return []
    good = (pair for pair in pairs[:MOST_FIELDS] if isinstance(pair, list) and len(pair) == 2)
    return [(_text(name), _text(value)) for name, value in good]


def _issuer(server: dict[str, Any]) -> str | None:
    """Return the known organisation that issued the server's leaf, from its PEM."""
    chain = server.get("certificate_list")
    if not isinstance(chain, list) or not chain:
        return None
    body = _text(chain[0]).replace("-----BEGIN CERTIFICATE-----", "").partition("-----END")[0]
    try:
        return issuer_named(certificate_summary(binascii.a2b_base64(body)).issuer)
    except (CertificateParseError, binascii.Error, ValueError):
        return None


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value[: LONGEST_TEXT * 4].decode("utf-8", "replace")
    return value if isinstance(value, str) else ""
