"""
requests, whose sessions take a context only by an adapter: that adapter, for direct connections and for proxies.

``session.mount("https://", PinnedAdapter(context))``. Clear text ``http://`` goes through other adapters, and a
redirect there is followed by requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinscher.clients.errors import check_hooks, missing

try:
    from requests import Session
    from requests.adapters import HTTPAdapter
except ImportError as error:
    raise ImportError(missing("requests", "requests")) from error

check_hooks("requests", HTTPAdapter, "init_poolmanager", "proxy_manager_for")

if TYPE_CHECKING:
    from pinscher.tls import PinnedContext


class PinnedAdapter(HTTPAdapter):
    """An adapter whose connections go through a pinned context."""

    def __init__(self, context: PinnedContext, **options: Any) -> None:
        self._pinned = context
        super().__init__(**options)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> Any:
        """Make the pool of direct connections."""
        return super().init_poolmanager(*arguments, **{**options, "ssl_context": self._pinned})

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """Make the pool of connections through a proxy."""
        return super().proxy_manager_for(*arguments, **{**options, "ssl_context": self._pinned})


def session(context: PinnedContext) -> Session:
    """Return a session that reaches ``https://`` through a pinned context, and has no adapter for clear text."""
    made = Session()
    made.adapters.clear()
    made.mount("https://", PinnedAdapter(context))
    return made
