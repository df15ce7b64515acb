"""The clients of the table as contestants of the lab, each speaking its own protocol."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

import pinscher
from pinscher.lab.client import CannotExpressError, Contestant, Reply
from pinscher.lab.protocols import PROTOCOLS
from pinscher.lab.scenario import Capability

from . import (  # noqa: F401  (they fill the table)
    by_hand,
    clients_adapted,
    clients_databases,
    clients_messaging,
    clients_streams,
)
from .clients import CLIENTS, HOST, Client

if TYPE_CHECKING:
    from pinscher.lab.scenario import Visit

ABLE = frozenset({
    Capability.POLICY, Capability.SEVERAL_PINS, Capability.AUTHORITY_PINS, Capability.CERTIFICATE_PINS,
    Capability.SEVERAL_VISITS, Capability.NEW_POLICY,
})  # fmt: skip


class TableClient:
    """Plays a client's one exchange with a pinned context that is kept over the visits of a case."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._context: pinscher.PinnedContext | None = None
        self._trust = b""
        self._told: list[pinscher.Verdict] = []

    def visit(self, visit: Visit) -> Reply:
        """Make the exchange and say what came of it."""
        if visit.host != HOST:
            raise CannotExpressError(f"the exchange is with {HOST}")
        spoken = self._client.protocol
        if spoken != "http" and visit.server.protocol is not (PROTOCOLS[spoken] if isinstance(spoken, str) else spoken):
            raise CannotExpressError("the scenario's server speaks another protocol than the client")
        self._told.clear()
        policy = pinscher.Policy.loads(visit.policy)
        if self._context is None or self._trust != visit.trust:
            self._context = pinscher.PinnedContext(policy, trust=visit.trust, on_verdict=self._told.append)
            self._trust = visit.trust
        self._context.policy = policy
        try:
            self._client.exchange(self._context, visit.server.port)
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001  (whatever its user would catch)
            verdict = pinscher.verdict_of(error)
            return Reply(accepted=False, verdict=self._last() if verdict is None else verdict, said=str(error))
        return Reply(accepted=True, verdict=self._last())

    def close(self) -> None:
        """Forget the context."""
        self._context = None

    def _last(self) -> pinscher.Verdict | None:
        return self._told[-1] if self._told else None


def contestants() -> list[Contestant]:
    """Return every client of the table that speaks by any TLS version, as the scenarios ask for either."""
    logging.getLogger().addHandler(logging.NullHandler())
    return [
        Contestant(client.name, ABLE, functools.partial(TableClient, client), client.package, client.protocol)
        for client in CLIENTS
        if client.talks_at_most is None and client.protocol != "http2" and not hasattr(client.protocol, "port")
    ]
