"""
The sender: what the spool holds, delivered in its order, again and again until it is stored.

Rules of this file:

1. Only an answer that it is stored lets an item go (``channel`` says which answers those are).
2. A channel that does not answer, or asks for patience, is left alone for a while that doubles, up to an hour, and is
   never the same for two clients. A single item that is refused waits by itself, and holds no other up.
3. Nothing here raises to whoever made the connection that is told about: failures are remembered, and logged once for
   each channel until it works again.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.reports.channel import ChannelRefusedError, DeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.reports.channel import Channel
    from pinscher.reports.spool import Item, Spool

_LOG = logging.getLogger("pinscher.reports")
FIRST_WAIT, LONGEST_WAIT = 5.0, 3600.0
"""Seconds before the second try, and between tries at most."""
_PATIENCE = frozenset({408, 425, 429})
"""Answers that speak of the channel and not of the item, besides those from 500 on."""


@dataclass(slots=True)
class _Wait:
    tries: int = 0
    until: float = 0.0


@dataclass(slots=True)
class Sender:
    """Delivers what a spool holds; ``channel_of`` returns the channel of a name or raises ``ChannelRefusedError``."""

    spool: Spool
    channel_of: Callable[[str], Channel]
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = field(default=lambda: random.uniform(0.5, 1.5))  # noqa: S311
    is_over: Callable[[], bool] = field(default=lambda: False)
    """Tells that nothing more shall be begun."""
    failures: dict[str, str] = field(default_factory=dict)
    """Why each channel that does not work does not, by its name."""
    _channels: dict[str, _Wait] = field(default_factory=dict)
    _items: dict[str, _Wait] = field(default_factory=dict)

    def step(self) -> float | None:
        """Try every item that is due once; return the seconds until another is, or None when nothing is left."""
        for item in self.spool.items():
            if self.clock() >= max(self._wait(item)) and not self.is_over():
                self._try(item)
        left = self.spool.items()
        self._items = {item.key: self._items[item.key] for item in left if item.key in self._items}
        due = [max(self._wait(item)) for item in left]
        return max(0.0, min(due) - self.clock()) if due else None

    def _wait(self, item: Item) -> tuple[float, float]:
        of_item, of_channel = self._items.get(item.key), self._channels.get(item.channel)
        return (0.0 if of_item is None else of_item.until), (0.0 if of_channel is None else of_channel.until)

    def _try(self, item: Item) -> None:
        content = self.spool.content(item)
        if content is None:
            return
        try:
            self.channel_of(item.channel).deliver(item.kind, content, key=item.key)
        except DeliveryError as error:
            is_channels = error.status is None or error.status in _PATIENCE or error.status >= 500
            self._later(self._channels if is_channels else self._items, item, error.retry_after)
            self._failed(item.channel, str(error))
        except ChannelRefusedError as error:
            self._later(self._channels, item, 0.0)
            self._failed(item.channel, str(error))
        else:
            self.spool.acknowledge(item)
            self._channels.pop(item.channel, None)
            if self.failures.pop(item.channel, None) is not None:
                _LOG.warning("report channel %s works again", item.channel)

    def _later(self, waits: dict[str, _Wait], item: Item, wish: float) -> None:
        wait = waits.setdefault(item.channel if waits is self._channels else item.key, _Wait())
        seconds = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(wait.tries, 16)) * self.jitter()
        wait.tries += 1
        wait.until = self.clock() + max(seconds, wish)

    def _failed(self, channel: str, reason: str) -> None:
        if channel not in self.failures:
            _LOG.warning("%s; it is tried again", reason)
        self.failures[channel] = reason
