"""
Whose turn it is: endpoints taken from a source of any length, with a limit for each host and bounded memory.

Rules of this file:

1. No more than *per_host* endpoints of one host are out at a time; the host is what is connected to, not the name.
2. An endpoint that must wait for its host lets those after it pass, and no more than *most_waiting* wait.
3. What was taken from the source is handed out once, in the source's order for each host.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pinscher.probe.endpoint import Endpoint

MOST_WAITING = 4096
"""Endpoints that wait for their host; further ones stay in the source."""


class Turns:
    """Hands endpoints out; whoever took one says when it is done."""

    def __init__(self, source: Iterable[Endpoint], *, per_host: int, most_waiting: int = MOST_WAITING) -> None:
        self._source = iter(source)
        self._per_host = per_host
        self._most_waiting = most_waiting
        self._out: dict[str, int] = {}
        self._waiting: dict[str, deque[Endpoint]] = {}
        self._ready: deque[Endpoint] = deque()
        self._count = 0

    def take(self) -> Endpoint | None:
        """Return the next endpoint whose host is free, or None: nothing is left, or everything must wait."""
        if self._ready:
            return self._ready.popleft()
        while self._count < self._most_waiting:
            endpoint = next(self._source, None)
            if endpoint is None:
                return None
            host = host_of(endpoint)
            out = self._out.get(host, 0)
            if out < self._per_host:
                self._out[host] = out + 1
                return endpoint
            self._waiting.setdefault(host, deque()).append(endpoint)
            self._count += 1
        return None

    def done(self, endpoint: Endpoint) -> None:
        """Give the turn of an endpoint that was taken to the next of its host."""
        host = host_of(endpoint)
        waiting = self._waiting.get(host)
        if waiting:
            self._ready.append(waiting.popleft())
            self._count -= 1
            if not waiting:
                del self._waiting[host]
        elif self._out[host] == 1:
            del self._out[host]
        else:
            self._out[host] -= 1


def host_of(endpoint: Endpoint) -> str:
    """Return the host that an endpoint is counted under."""
    return endpoint.connect_to or endpoint.host
