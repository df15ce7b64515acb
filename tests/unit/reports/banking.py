"""A bank's policy with a report channel, verdicts under it, and the certificate of its collector."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pinscher.chain import ValidatedChain
from pinscher.lab.authority import Authority
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.reports import Channel
from pinscher.tls import PinnedContext
from pinscher.verdict import evaluate

if TYPE_CHECKING:
    from pinscher.verdict import Verdict

AT = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)
ROOT = Authority.root()
HELD = ROOT.intermediate().issue("localhost", "127.0.0.1", "bank.test")
OTHER = Authority.root("Other").issue("bank.test")


def policy_of(port: int = 443, *, pin: str | None = None, more: str = "", private: bool = True) -> Policy:
    """Return a policy that pins a key for the hosts of a bank, and reports to a collector on the loopback."""
    return Policy.loads(f"""
format = 1
name = "bank"
version = 9
[hosts."*.bank.test"]
pins = ["{Pin.of(HELD.der)}"]
backup-pins = ["sha256/{"A" * 43}="]
expires = 2027-03-01T00:00:00Z
report-to = ["main"]
[reporting.main]
url = "https://localhost:{port}/v1"
heartbeats = true
pins = ["{pin or Pin.of(HELD.der)}"]
allow-private = {str(private).lower()}
{more}""")


def verdict_on(policy: Policy, host: str = "api.bank.test", chain: tuple[bytes, ...] | None = None) -> Verdict:
    """Return the verdict on a chain, another authority's if none is given."""
    certificates = chain or (OTHER.der, OTHER.authority.certificate)
    return evaluate(ValidatedChain(certificates), policy, host=host, at=AT, port=443)


def channel_of(policy: Policy, **more: Any) -> Channel:
    """Return the policy's channel, over a context with the channel's own pins."""
    named = policy.reporting["main"]
    pins = ", ".join(f'"{pin}"' for pin in named.pins)
    own = Policy.loads(f'format = 1\nname = "channel"\nversion = 1\n[hosts."{named.host}"]\npins = [{pins}]\n')
    return Channel.of(policy, "main", PinnedContext(own, trust=ROOT.pem), **more)
