"""
As much of ACME (RFC 8555) as it takes to have a certificate issued by a server that takes every challenge as answered.

It answers no challenge, so a server that validates will not issue. The account's key lives as long as the call. Only
the certification request leaves this process; the key that it is about does not.
"""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_LARGEST_ANSWER = 1024 * 1024
_SECONDS = 10.0
_TRIES = 100
_PAUSE = 0.1
"""Seconds between two looks at an order; a hundred looks are enough for a server on this machine."""


class IssuanceError(PinningError):
    """A certificate that an ACME server did not issue; the text says at which step, and what the server said."""


def issue(
    directory: str, request_pem: bytes, *, context: ssl.SSLContext, pause: Callable[[float], object] = time.sleep
) -> tuple[bytes, ...]:
    """Return the certificate that the server at *directory* issues for a request, and its chain, each as DER."""
    request = x509.load_pem_x509_csr(request_pem)
    session = _Session(directory, context)
    order = session.ordered(request)
    for address in order.listed("authorizations"):
        session.authorise(address, pause)
    finalised = session.post(order["finalize"], {"csr": _base64(request.public_bytes(Encoding.DER))})
    done = session.awaited(order["url"], finalised, pause)
    return _certificates(session.download(done["certificate"]))


class _Session:
    """One account with one server, and the nonce that the next request is made with."""

    def __init__(self, directory: str, context: ssl.SSLContext) -> None:
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._nonce = ""
        self._account: str | None = None
        self._places = _Answer(_parsed(self._exchange(directory, None)[0]))

    def ordered(self, request: x509.CertificateSigningRequest) -> _Answer:
        """Make the account, then an order for every name of a request; its own address is in ``url``."""
        self._exchange(self._places["newNonce"], None)
        self._account = self._sent(self._places["newAccount"], {"termsOfServiceAgreed": True})[1]
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        asked = [{"type": _TYPES.get(type(name), "dns"), "value": str(name.value)} for name in names]
        content, address = self._sent(self._places["newOrder"], {"identifiers": asked})
        return _Answer(_parsed(content) | {"url": address})

    def authorise(self, address: str, pause: Callable[[float], object]) -> None:
        """Say that a challenge is answered, and wait until the server takes it so."""
        authorisation = self.post(address, None)
        if authorisation.get("status") == "pending":
            challenge = next(iter(authorisation.listed("challenges")), None)
            self.post(_Answer(challenge if isinstance(challenge, dict) else {})["url"], {})
            self.awaited(address, authorisation, pause)

    def awaited(self, address: str, so_far: _Answer, pause: Callable[[float], object]) -> _Answer:
        """Return an order or an authorisation once it is valid."""
        for _ in range(_TRIES):
            if so_far.get("status") == "valid":
                return so_far
            if so_far.get("status") == "invalid":
                break
            pause(_PAUSE)
            so_far = self.post(address, None)
        said = escaped(json.dumps(so_far.get("error") or so_far.get("status")))
        raise IssuanceError(f"the ACME server does not issue, its last word is {said}")

    def post(self, address: str, payload: object) -> _Answer:
        """Send one signed request, None being a POST-as-GET, and return its answer."""
        return _Answer(_parsed(self._sent(address, payload)[0]))

    def download(self, address: str) -> bytes:
        """Return the file at an address."""
        return self._sent(address, None)[0]

    def _sent(self, address: str, payload: object) -> tuple[bytes, str]:
        return self._exchange(address, json.dumps(self._signed(address, payload)).encode())

    def _signed(self, address: str, payload: object) -> dict[str, str]:
        """Sign a payload as RFC 7515 says, with the account's address once there is one."""
        who = {"jwk": _public(self._key)} if self._account is None else {"kid": self._account}
        protected = _base64(json.dumps({"alg": "ES256", "nonce": self._nonce, "url": address, **who}).encode())
        content = "" if payload is None else _base64(json.dumps(payload).encode())
        signature = self._key.sign(f"{protected}.{content}".encode(), ec.ECDSA(hashes.SHA256()))
        joined = b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(signature))
        return {"protected": protected, "payload": content, "signature": _base64(joined)}

    def _exchange(self, address: str, content: bytes | None) -> tuple[bytes, str]:
        """Return an answer's content and the address that its Location names."""
        if not isinstance(address, str) or not address.startswith("https://"):
            raise IssuanceError(f"the ACME server names '{escaped(str(address))}', expected an https address")
        headers = {"Content-Type": "application/jose+json", "User-Agent": "pinscher"}
        asked = urllib.request.Request(address, content, headers)  # noqa: S310  (the scheme was looked at)
        try:
            with self._opener.open(asked, timeout=_SECONDS) as answer:
                self._nonce = answer.headers.get("Replay-Nonce", "")
                return answer.read(_LARGEST_ANSWER), answer.headers.get("Location", "")
        except urllib.error.HTTPError as error:
            with error:
                said = escaped(error.read(2000).decode("ascii", errors="replace"))
            raise IssuanceError(f"the ACME server refuses: {said}") from None
        except (OSError, ValueError) as error:
            place, reason = escaped(address), escaped(str(error))
            raise IssuanceError(f"the ACME server at {place} gives no answer: {reason}") from None


class _Answer(dict[str, Any]):
    """What a server said; what is missing in it is the server's fault."""

    def __missing__(self, name: str) -> Any:
        raise IssuanceError(f"the ACME server's answer has no '{name}'")

    def listed(self, name: str) -> list[Any]:
        """Return a list in the answer, empty if it is not there."""
        found = self.get(name, [])
        if not isinstance(found, list):
            raise IssuanceError(f"the ACME server's answer has no list of '{name}'")
        return found


_TYPES = {x509.IPAddress: "ip"}


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise IssuanceError("the ACME server's answer is not a JSON object")
    return answer


def _certificates(content: bytes) -> tuple[bytes, ...]:
    try:
        return tuple(one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(content))
    except ValueError:
        raise IssuanceError("the ACME server's answer is not a chain of certificates") from None


def _public(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": _base64(numbers.x.to_bytes(32)), "y": _base64(numbers.y.to_bytes(32))}


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
