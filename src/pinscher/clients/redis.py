"""
redis-py, which takes no context: connection pools whose every connection goes through the pinned one.

``redis.Redis(connection_pool=pool(context, host="cache.example", port=6379))``, and ``async_pool`` for
``redis.asyncio``. A connection of a pool made elsewhere (``from_url``, ``RedisCluster``, ``Sentinel``) is not pinned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinscher.clients.errors import check_hooks, missing, refuse_options

try:
    import redis
    import redis.asyncio
except ImportError as error:
    raise ImportError(missing("redis", "redis")) from error

check_hooks("redis-py", redis.SSLConnection, "_wrap_socket_with_ssl")
check_hooks("redis-py", redis.asyncio.SSLConnection, "_connection_arguments")

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from pinscher.tls import PinnedContext, PinnedSocket


class PinnedConnection(redis.SSLConnection):
    """A connection of redis-py that goes through a pinned context."""

    def __init__(self, *, context: PinnedContext, **options: Any) -> None:
        refuse_options("redis-py", options, beginning="ssl")
        self._pinned = context
        super().__init__(**options)

    def _wrap_socket_with_ssl(self, sock: socket.socket) -> PinnedSocket:
        return self._pinned.wrap_socket(sock, server_hostname=self.host)


class PinnedAsyncConnection(redis.asyncio.SSLConnection):
    """A connection of redis-py's asyncio client that goes through a pinned context."""

    def __init__(self, *, context: PinnedContext, **options: Any) -> None:
        refuse_options("redis-py", options, beginning="ssl")
        self._pinned = context
        super().__init__(**options)

    def _connection_arguments(self) -> Mapping[str, Any]:
        return {**super()._connection_arguments(), "ssl": self._pinned}


def pool(context: PinnedContext, **options: Any) -> redis.ConnectionPool:
    """Return a pool of pinned connections; *options* are those of ``redis.ConnectionPool``, but for ``ssl_*``."""
    refuse_options("redis-py", options, beginning="ssl")
    return redis.ConnectionPool(connection_class=PinnedConnection, context=context, **options)


def async_pool(context: PinnedContext, **options: Any) -> redis.asyncio.ConnectionPool:
    """Return a pool of pinned connections for ``redis.asyncio.Redis``."""
    refuse_options("redis-py", options, beginning="ssl")
    return redis.asyncio.ConnectionPool(connection_class=PinnedAsyncConnection, context=context, **options)
