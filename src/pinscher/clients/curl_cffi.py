"""
curl_cffi: sessions for one host that libcurl pins by the key of the leaf, for policies that can be expressed so.

A refusal is curl_cffi's own error with code 90; there is no verdict. The session does not follow redirects, for its
pins are one host's, and stays off HTTP/3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from pinscher.clients._leaf_pins import leaf_pins
from pinscher.clients.errors import UnsupportedTransportError, missing
from pinscher.host import canonical_host

try:
    from curl_cffi import CurlHttpVersion, CurlOpt
    from curl_cffi.requests import Session
except ImportError as error:
    raise ImportError(missing("curl_cffi", "curl_cffi")) from error

if TYPE_CHECKING:
    import os

    from pinscher.policy import Policy

_DECIDED = ("verify", "allow_redirects", "http_version", "curl_options", "proxies", "proxy")


class PinnedSession(Session[Any]):
    """A session of curl_cffi for one host; *options* are curl_cffi's, but for those that decide about TLS."""

    def __init__(
        self, policy: Policy, host: str, *, trust: str | os.PathLike[str] | None = None, **options: Any
    ) -> None:
        _refuse_decided(options)
        self._host = canonical_host(host)
        listed = leaf_pins(policy, host, transport="curl_cffi")
        more = {} if listed is None else {CurlOpt.PINNEDPUBLICKEY: listed.encode("ascii")}
        super().__init__(
            verify=cast("bool", True if trust is None else str(trust)), allow_redirects=False, curl_options=more,
            http_version=CurlHttpVersion.V2TLS, **options,
        )  # fmt: skip

    def request(self, method: Any, url: str, *arguments: Any, **options: Any) -> Any:
        """Send a request to the session's host."""
        _refuse_decided(options)
        address = urlsplit(url)
        if address.scheme != "https" or canonical_host(address.hostname or "") != self._host:
            reason = f"{url!r} is not an https address of {self._host!r}, whose pins the session has"
            raise UnsupportedTransportError("curl_cffi", reason, "make a session for that host")
        return super().request(method, url, *arguments, **options)


def _refuse_decided(options: dict[str, Any]) -> None:
    named = sorted(name for name in _DECIDED if name in options)
    if named:
        reason = f"the session decides about TLS and redirects, found {', '.join(map(repr, named))}"
        raise UnsupportedTransportError("curl_cffi", reason, "leave these options out")
