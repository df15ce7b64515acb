"""A collector on the loopback: the lab's HTTPS server with a protocol that stores by idempotency key."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.lab.protocols.http import Request, read_request, response

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.lab.conversation import Conversation


@dataclass
class Collector:
    """Stores what is posted by its key, once; *answer* may say something else than 201, and store nothing."""

    answer: Callable[[Request], bytes | None] = lambda _: None
    stored: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, conversation: Conversation) -> None:
        """Answer requests until the client hangs up."""
        conversation.secure()
        while request := read_request(conversation):
            said = self._take(request)
            conversation.send(said)
            if not request.keeps_alive:
                return

    def _take(self, request: Request) -> bytes:
        said = self.answer(request)
        with self.changed:
            self.requests.append(request)
            if said is None:
                self.stored.setdefault(request.fields["idempotency-key"], (request.target, request.body))
            self.changed.notify_all()
        return response(201, b"stored") if said is None else said

    def wait(self, count: int, seconds: float = 20) -> None:
        """Wait until so many are stored."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.stored) >= count, seconds), len(self.stored)
