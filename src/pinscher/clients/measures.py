"""What the metrics of every system have in common: the name, the labels, and their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.tls.counting import Count

NAME = "pinscher.verdicts"
DESCRIPTION = "Verdicts of pinned contexts since the process began"
LABELS = ("host", "outcome", "action", "matched", "policy", "version", "resumed")


def labels_of(count: Count) -> list[str]:
    """Return the value of each label; what does not apply is empty."""
    return [
        count.host or "",
        count.outcome.value,
        count.action.value,
        "" if count.matched is None else str(count.matched),
        count.policy,
        str(count.version),
        str(count.resumed).lower(),
    ]
