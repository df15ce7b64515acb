"""
Verdicts as structured records of ``logging``: hand :func:`log_verdict` to a context as ``on_verdict``.

A record's ``pinscher`` attribute is a flat dictionary of plain values, for a formatter that writes JSON; its message is
one line. Refusals and what is reported are warnings, a match by a backup pin is information, the rest is for debugging.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pinscher.diagnosis import Facts, diagnose
from pinscher.errors import escaped

if TYPE_CHECKING:
    from pinscher.verdict import Verdict

LOGGER = logging.getLogger("pinscher.verdict")


def log_verdict(verdict: Verdict) -> None:
    """Log one verdict."""
    level = _level(verdict)
    if LOGGER.isEnabledFor(level):
        facts = fields_of(verdict)
        words = " ".join(f"{name}={value}" for name, value in facts.items() if value not in (None, ""))
        LOGGER.log(level, "%s", words, extra={"pinscher": facts})


def _level(verdict: Verdict) -> int:
    if verdict.is_reportable:
        return logging.WARNING
    return logging.INFO if verdict.is_backup else logging.DEBUG


def fields_of(verdict: Verdict) -> dict[str, Any]:
    """Return what a record says of a verdict: plain values, escaped where they were the server's to choose."""
    facts = {
        "id": verdict.id,
        "outcome": verdict.outcome.value,
        "action": verdict.action.value,
        "mode": verdict.mode.value,
        "host": verdict.host,
        "port": verdict.port,
        "policy": verdict.policy.name,
        "version": verdict.policy.version,
        "matched": None if verdict.matched is None else str(verdict.matched),
        "backup": verdict.is_backup,
        "resumed": verdict.resumed,
        "at": verdict.at.isoformat(),
        "detail": escaped(verdict.detail),
    }
    if verdict.is_reportable:
        facts["cause"] = diagnose(verdict, Facts()).cause.value
    return facts
