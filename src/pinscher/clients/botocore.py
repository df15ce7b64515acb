"""
botocore and boto3, which take no context: the session behind a client, with the pinned context inside.

``pin(boto3.client("s3"), context)``. Credentials that botocore fetches by itself (from the metadata service of a
machine or a container) go through sessions of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinscher.clients.errors import UnsupportedTransportError, check_hooks, missing

try:
    from botocore.httpsession import URLLib3Session
except ImportError as error:
    raise ImportError(missing("botocore", "botocore")) from error

check_hooks("botocore", URLLib3Session, "_get_pool_manager_kwargs", "_setup_ssl_cert")

if TYPE_CHECKING:
    from pinscher.tls import PinnedContext


class PinnedSession(URLLib3Session):  # type: ignore[misc]
    """An HTTP session of botocore whose connections go through a pinned context."""

    def __init__(self, context: PinnedContext, **options: Any) -> None:
        self._pinned = context
        super().__init__(**options)

    def _get_pool_manager_kwargs(self, **more: Any) -> Any:
        return {**super()._get_pool_manager_kwargs(**more), "ssl_context": self._pinned}

    def _setup_ssl_cert(self, conn: Any, url: str, verify: Any) -> None:  # noqa: ARG002
        """Load no bundle into the context, and take no ``verify=False``."""
        conn.cert_reqs = conn.ca_certs = None

    def send(self, request: Any) -> Any:
        """Send a request, unless it is to go out in clear."""
        if not request.url.lower().startswith("https:"):
            reason = f"{request.url.partition(':')[0]!r} is clear text"
            raise UnsupportedTransportError("botocore", reason, "give the client an endpoint_url with https")
        return super().send(request)


def pin(client: Any, context: PinnedContext) -> Any:
    """Make a client of botocore or boto3 send its requests through a pinned context, and return it."""
    endpoint = client._endpoint  # noqa: SLF001  (there is no public way)
    before = endpoint.http_session
    proxies = before._proxy_config  # noqa: SLF001
    endpoint.http_session = PinnedSession(
        context,
        proxies=proxies._proxies,  # noqa: SLF001
        proxies_config=proxies.settings,
        timeout=_seconds(before._timeout),  # noqa: SLF001
        max_pool_connections=before._max_pool_connections,  # noqa: SLF001
        socket_options=before._socket_options,  # noqa: SLF001
        client_cert=(before._cert_file, before._key_file),  # noqa: SLF001
    )
    before.close()
    return client


def _seconds(timeout: Any) -> Any:
    """Return a time limit as the session takes it, whichever form it has kept it in."""
    return timeout if isinstance(timeout, int | float) else (timeout.connect_timeout, timeout.read_timeout)
