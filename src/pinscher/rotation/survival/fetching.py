"""
Issuers fetched from where certificates say that they are (RFC 5280 section 4.2.2.1), in bounded time and size.

Rules of this file:

1. Nothing is fetched unless somebody asked for it: whoever wrote a certificate chose the address, and learns who looks.
2. http alone, as the section says, without redirects; the address is public, unless private ones are allowed.
3. What is fetched proves nothing. It is one more certificate, whose signatures are verified like those of any other.
"""

from __future__ import annotations

import http.client
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates

from pinscher.address import is_public
from pinscher.errors import PinningError, escaped
from pinscher.probe import KeySourceError, read_keys
from pinscher.reports.deadline import closed_after
from pinscher.rotation.survival.certificate import Certificate, UnreadableCertificateError, read_certificate

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_FETCHES = 20
LARGEST_ANSWER = 64 * 1024
"""Octets of one answer; a certificate has two thousand."""
LONGEST_FETCH = 5.0
LONGEST_OF_ALL = 20.0
"""Seconds."""


class IssuerFetchError(PinningError):
    """An issuer that could not be fetched; ``url`` is where it was said to be."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"cannot fetch an issuer from '{escaped(url)}': {reason}")
        self.url = url
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Fetched:
    """The issuers that were found, and what could not be had, in words."""

    certificates: tuple[Certificate, ...]
    problems: tuple[str, ...]


def fetch_issuers(certificates: Iterable[Certificate], *, allow_private: bool = False) -> Fetched:
    """Fetch the issuers of certificates, and theirs in turn; never raises for what a server answers."""
    found: dict[Certificate, None] = {}
    problems: list[str] = []
    waiting, asked = list(certificates), set[str]()
    until = time.monotonic() + LONGEST_OF_ALL
    while waiting:
        for url in waiting.pop(0).issuer_addresses:
            if url in asked:
                continue
            if len(asked) == MOST_FETCHES or time.monotonic() > until:
                return Fetched(
                    tuple(found), (*problems, f"not all were fetched: {MOST_FETCHES} or {LONGEST_OF_ALL:g} s")
                )
            asked.add(url)
            try:
                new = [one for one in _read(url, _get(url, allow_private=allow_private)) if one not in found]
            except IssuerFetchError as error:
                problems.append(str(error))
                continue
            found |= dict.fromkeys(new)
            waiting += new
    return Fetched(tuple(found), tuple(problems))


def _get(url: str, *, allow_private: bool) -> bytes:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        raise IssuerFetchError(url, "it is no address") from None
    if parts.scheme != "http" or not host or parts.username is not None:
        raise IssuerFetchError(url, "expected http and a host")
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    connection = http.client.HTTPConnection(host, port, timeout=LONGEST_FETCH)
    try:
        # The connection goes to the very address that was looked at, so that a second look-up cannot lead elsewhere.
        address = _address(url, host, port, allow_private=allow_private)
        connection.sock = socket.create_connection(address, timeout=LONGEST_FETCH)
        with closed_after(connection.sock, LONGEST_FETCH):
            connection.request("GET", target, headers={"Accept": "application/pkix-cert, application/pkcs7-mime"})
            return _body(url, connection.getresponse())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise IssuerFetchError(url, escaped(str(error)) or type(error).__name__) from None
    finally:
        connection.close()


def _address(url: str, host: str, port: int, *, allow_private: bool) -> tuple[str, int]:
    for *_, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        literal = str(place[0])
        if allow_private or is_public(literal):
            return literal, port
    raise IssuerFetchError(url, "it leads to no public address")


def _body(url: str, response: http.client.HTTPResponse) -> bytes:
    if response.status != http.HTTPStatus.OK:
        raise IssuerFetchError(url, f"the server answered {response.status}")
    body = response.read(LARGEST_ANSWER + 1)
    if len(body) > LARGEST_ANSWER:
        raise IssuerFetchError(url, f"the answer is larger than {LARGEST_ANSWER // 1024} KiB")
    return body


def _read(url: str, body: bytes) -> list[Certificate]:
    """Read a DER or PEM certificate, or the certificates of a PKCS #7 (RFC 5280 section 4.2.2.1)."""
    try:
        ders = [key.certificate for key in read_keys(body, source=url) if key.certificate is not None]
    except KeySourceError:
        try:
            ders = [one.public_bytes(Encoding.DER) for one in load_der_pkcs7_certificates(body)]
        except (ValueError, UnsupportedAlgorithm):
            raise IssuerFetchError(url, "the answer is no certificate") from None
    try:
        return [read_certificate(der) for der in ders]
    except UnreadableCertificateError as error:
        raise IssuerFetchError(url, error.reason) from None
