"""
pymongo, which takes no context: clients whose every connection, its monitors' too, goes through the pinned one.

It makes a context of its own, of pyOpenSSL's where that is installed. Both are replaced before the first connection.
Connections to key management services and to OCSP responders are made elsewhere, and automatic encryption is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, cast

from pinscher.clients.errors import UnsupportedTransportError, missing, refuse_options

try:
    from pymongo import MongoClient
except ImportError as error:
    raise ImportError(missing("pymongo", "pymongo")) from error

if TYPE_CHECKING:
    from pinscher.tls import PinnedContext


def client(context: PinnedContext, *addresses: str, **options: Any) -> MongoClient[Any]:
    """Return a ``MongoClient`` of these addresses whose connections are pinned."""
    made: MongoClient[Any] = MongoClient(list(addresses), **_checked(options))
    _pin(made, context)
    if options.get("connect", True):
        made._connect()  # noqa: SLF001  (what its constructor does without connect=False)
    return made


def async_client(*_: object, **__: object) -> NoReturn:
    """Refuse: to resume sessions, pymongo's asyncio client puts a class of its own into its context."""
    reason = "its asyncio client replaces the class of a context's connections, which is where they are judged"
    raise UnsupportedTransportError("pymongo", reason, "use clients.pymongo.client in a thread, or a pinned forwarder")


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    refuse_options("pymongo", options, beginning="tls")
    refuse_options("pymongo", options, beginning="ssl")
    if options.get("auto_encryption_opts") is not None:
        reason = "automatic encryption connects to key management services by contexts of its own"
        raise UnsupportedTransportError("pymongo", reason, "encrypt explicitly, or put a pinned forwarder in front")
    return {**options, "tls": True, "connect": False}


def _pin(made: MongoClient[Any], context: PinnedContext) -> None:
    """Put the context where pymongo keeps its own, and make sure that it is found there."""
    pool = made.options.pool_options
    pool._PoolOptions__ssl_context = context  # type: ignore[attr-defined]  # noqa: SLF001  (there is no public way)
    if cast("object", pool._ssl_context) is not context:  # noqa: SLF001
        reason = "this version of pymongo keeps its context in another place"
        raise UnsupportedTransportError("pymongo", reason, "install a version that the table of clients names")
