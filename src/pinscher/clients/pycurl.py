"""
pycurl: handles that libcurl pins by the key of the leaf, for policies that can be expressed so.

A refusal is ``pycurl.error`` 90; there is no verdict, for libcurl tells nobody which key it saw. The handle is kept on
HTTPS and off HTTP/3, where libcurl has ignored its pins (CVE-2025-5025, CVE-2025-13034).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pinscher.clients._leaf_pins import leaf_pins
from pinscher.clients.errors import UnsupportedTransportError, missing

try:
    import pycurl
except ImportError as error:
    raise ImportError(missing("pycurl", "pycurl")) from error

if TYPE_CHECKING:
    import os

    from pinscher.policy import Policy

MISMATCH = 90
"""``CURLE_SSL_PINNEDPUBKEYNOTMATCH``."""


def pin(handle: pycurl.Curl, policy: Policy, url: str, *, trust: str | os.PathLike[str] | None = None) -> pycurl.Curl:
    """Give a handle this URL and the pins of its host; an option set on it afterwards can undo either."""
    address = urlsplit(url)
    if address.scheme != "https":
        raise UnsupportedTransportError("pycurl", f"{address.scheme!r} is not https", "give it an address with https")
    listed = leaf_pins(policy, address.hostname or "", transport="pycurl")
    handle.setopt(pycurl.URL, url)
    handle.setopt(pycurl.SSL_VERIFYPEER, 1)
    handle.setopt(pycurl.SSL_VERIFYHOST, 2)
    handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
    handle.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTPS)
    handle.setopt(pycurl.REDIR_PROTOCOLS, pycurl.PROTO_HTTPS)
    # The pins are this host's alone, so that a redirect to another would be judged by the wrong ones.
    handle.setopt(pycurl.FOLLOWLOCATION, 0)
    if trust is not None:
        handle.setopt(pycurl.CAINFO, str(trust))
    if listed is not None:
        handle.setopt(pycurl.PINNEDPUBLICKEY, listed)
    return handle
