"""What every verb's ``--json`` says of a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.verdict import Verdict


def verdict_object(verdict: Verdict) -> dict[str, object]:
    """Return the fields that ``check`` and ``probe`` document in their help."""
    return {
        "outcome": verdict.outcome.value,
        "action": verdict.action.value,
        "mode": verdict.mode.value,
        "matched": None if verdict.matched is None else str(verdict.matched),
        "backup": verdict.is_backup,
        "expired": verdict.is_expired,
        "verdict": verdict.id,
    }
