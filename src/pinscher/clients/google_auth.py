"""
google-auth's transports: sessions that are pinned together with the second session in which tokens are fetched.

``google.auth`` fetches tokens in a session of its own making, so that an adapter on the session in use would leave the
credentials themselves unpinned. Its gRPC transport is grpcio's, and is refused there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinscher.clients import requests as pinned_requests
from pinscher.clients.errors import missing

try:
    from google.auth.transport.requests import AuthorizedSession, Request
except ImportError as error:
    raise ImportError(missing("google-auth", "google_auth")) from error

if TYPE_CHECKING:
    from pinscher.tls import PinnedContext


def token_request(context: PinnedContext) -> Request:
    """Return what credentials are refreshed with, over pinned connections alone."""
    return Request(pinned_requests.session(context))


def session(context: PinnedContext, credentials: Any, **options: Any) -> AuthorizedSession:
    """Return an ``AuthorizedSession`` whose requests and whose token requests are pinned."""
    made = AuthorizedSession(  # type: ignore[no-untyped-call]
        credentials, auth_request=token_request(context), **options
    )
    made.adapters.clear()
    made.mount("https://", pinned_requests.PinnedAdapter(context))
    return made
