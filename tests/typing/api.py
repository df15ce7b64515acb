"""How the front door is used, for the type checker to read; it is never run."""

from __future__ import annotations

import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pinscher
from pinscher.keeper import Reporting

if TYPE_CHECKING:
    import ssl


def pin_a_client(path: str) -> str:
    """Pin a client, and read the verdict behind its error."""
    policy = pinscher.Policy.load(path)
    context: ssl.SSLContext = pinscher.PinnedContext(policy, trust=b"", on_verdict=print, now=lambda: datetime.now(UTC))
    try:
        urllib.request.urlopen("https://api.bank.example", context=context)
    except OSError as error:
        verdict: pinscher.Verdict | None = pinscher.verdict_of(error)
        return verdict.id if verdict is not None else ""
    return policy.digest


def judge(chain: pinscher.ValidatedChain, policy: pinscher.Policy) -> pinscher.Pin | None:
    """Judge a chain without a connection."""
    verdict = pinscher.enforce(pinscher.evaluate(chain, policy, host="api.bank.example", at=datetime.now(UTC)))
    if verdict.action is pinscher.Action.ALLOW and verdict.outcome is pinscher.Outcome.MATCH:
        return verdict.matched
    return None


def keep(root: bytes) -> pinscher.Policy:
    """Keep a context, and the contexts of others, and report."""
    reporting = Reporting(tokens={"main": "token"}, heartbeat=60.0)
    with pinscher.Keeper("https://pins.example", root=root, store="data", reporting=reporting) as keeper:
        context: ssl.SSLContext = keeper.context
        urllib.request.urlopen("https://api.bank.example", context=context)
        with keeper.injected() as injection:
            return injection.policy


def build() -> pinscher.Policy:
    """Build a policy in code."""
    pins = pinscher.PinSet([pinscher.Pin.parse("sha256/x")], backup_pins=[pinscher.Pin.of(b"", kind="certificate")])
    entry = pinscher.HostPolicy(pinscher.HostPattern.parse("**.bank.example"), pins, mode=pinscher.Mode.ENFORCE)
    return pinscher.Policy([entry], name="bank", version=2)
