"""Verdicts as structured log records."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pinscher
from pinscher.clients.logs import fields_of, log_verdict

if TYPE_CHECKING:
    import pytest

PIN = "sha256/" + "A" * 43 + "="
OTHER = "sha256/" + "B" * 42 + "A="


def verdict(host: str, *, more: str = "") -> pinscher.Verdict:
    """Return the verdict of a chain that nobody pinned."""
    policy = pinscher.Policy.loads(
        f'format = 1\nname = "bank"\nversion = 4\n[hosts."bank.test"]\npins = ["{PIN}"]\n{more}'
    )
    return pinscher.evaluate(
        pinscher.ValidatedChain([b"no certificate"]), policy, host=host, at=datetime(2026, 11, 1, tzinfo=UTC), port=443
    )


def test_a_refusal_is_a_warning_with_plain_fields(caplog: pytest.LogCaptureFixture) -> None:
    """A record has a flat dictionary of plain values, which JSON takes, and one line of text."""
    with caplog.at_level(logging.DEBUG, "pinscher.verdict"):
        log_verdict(verdict("bank.test"))
    record = caplog.records[0]
    facts = json.loads(json.dumps(record.__dict__["pinscher"]))
    assert ("WARNING", "no-matching-pin", "block", "bank.test", 443, "bank", 4) == (
        record.levelname, *(facts[name] for name in ("outcome", "action", "host", "port", "policy", "version"))
    )  # fmt: skip
    assert "\n" not in record.getMessage()
    assert facts["cause"]


def test_what_is_not_pinned_is_for_debugging(caplog: pytest.LogCaptureFixture) -> None:
    """A verdict that nobody needs to hear of is below information, and not even put together where nobody listens."""
    allowed = verdict("bank.test", more='[hosts."*.bank.test"]\nunpinned = "a page"\n')
    free = pinscher.evaluate(pinscher.ValidatedChain([b"x"]), allowed.policy, host="www.bank.test", at=allowed.at)
    with caplog.at_level(logging.INFO, "pinscher.verdict"):
        log_verdict(free)
    assert [] == caplog.records
    assert "cause" not in fields_of(free)


def test_a_listener_of_a_context_takes_it() -> None:
    """It is what ``on_verdict`` asks for."""
    context = pinscher.PinnedContext(verdict("bank.test").policy, trust=None, on_verdict=log_verdict)
    assert 0 == context.callback_failures
