"""How a running forwarder speaks: its addresses as the answer, everything bad on standard error, or lines of JSON."""

from __future__ import annotations

import collections
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pinscher.cli.voice import ReaderGoneError
from pinscher.clients.forwarder import Event, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.cli.voice import Voice

QUIET_SECONDS = 60.0
"""For how long the explanation of the same refusal is not repeated; its line is."""
_REMEMBERED = 64


class ForwardLog:
    """Writes events; ``reader_gone`` says that nobody reads them any more."""

    def __init__(self, voice: Voice, *, is_json: bool, is_verbose: bool) -> None:
        self._voice = voice
        self._is_json = is_json
        self._is_verbose = is_verbose
        self._explained: collections.OrderedDict[str, float] = collections.OrderedDict()
        self.reader_gone = False

    def telling(self, stop: Callable[[], None]) -> Callable[[Event], None]:
        """Return what writes an event, and calls *stop* when nobody reads."""

        def tell(event: Event) -> None:
            try:
                self._write(event)
            except (ReaderGoneError, BrokenPipeError):
                if not self.reader_gone:
                    self.reader_gone = True
                    stop()

        return tell

    def _write(self, event: Event) -> None:
        if self._is_json:
            self._voice.answer(json.dumps(_object(event), ensure_ascii=True))
        elif event.kind is Kind.LISTENING:
            self._voice.answer(f"{event.local} -> {event.upstream}")
        elif event.kind in (Kind.OPENED, Kind.CLOSED):
            if self._is_verbose:
                self._voice.note(f"{_who(event)}{event.text} ({event.sent} octets sent, {event.received} received)")
        elif event.kind in (Kind.REFUSED, Kind.WITHDRAWN, Kind.KEPT):
            self._voice.error(_who(event) + event.text)
        elif event.kind in (Kind.FAILED, Kind.REPORTED):
            self._voice.warning(_who(event) + event.text)
        else:
            self._voice.note(event.text)
        if not self._is_json and event.verdict is not None and self._is_news(event):
            self._voice.note("\n".join(f"  {line}" for line in event.explanation.splitlines()))

    def _is_news(self, event: Event) -> bool:
        """Tell whether an explanation was not given in the last minute: clients retry by themselves."""
        if not event.explanation or event.verdict is None:
            return False
        at, last = time.monotonic(), self._explained.get(event.verdict.id)
        if last is not None and at - last < QUIET_SECONDS:
            return False
        self._explained[event.verdict.id] = at
        if len(self._explained) > _REMEMBERED:
            self._explained.popitem(last=False)
        return True


def _who(event: Event) -> str:
    return "" if event.connection is None else f"{event.connection}: "


def _object(event: Event) -> dict[str, object]:
    verdict = event.verdict
    return {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "event": event.kind.value,
        "text": event.text,
        "local": event.local,
        "upstream": event.upstream,
        "connection": event.connection,
        "sent": event.sent,
        "received": event.received,
        "outcome": None if verdict is None else verdict.outcome.value,
        "verdict": None if verdict is None else verdict.id,
        "diagnosis": event.explanation or None,
    }
