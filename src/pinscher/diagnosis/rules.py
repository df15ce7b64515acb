"""
From evidence to a cause: an ordered table of small rules, of which the first that applies gives the diagnosis.

Settled by the outcome alone:

1. ``MATCH`` and ``NOT_PINNED`` need no explanation.
2. ``UNLISTED_HOST`` is an unlisted host; a listed name one slip away is told.
3. ``DENIED_KEY`` is a denied key.
4. ``POLICY_EXPIRED`` is an expired policy that fails closed.

``CHAIN_NOT_VALIDATED``, where nothing is proven and every name may be forged, in ``refusals``:

5. Without a word from OpenSSL, the check itself could not be made.
6. A certificate that is not valid yet: the clock is behind, for certain if it stands before this release's own data.
7. A certificate that has expired: so it has, unless everything presented had expired, which a fast clock would explain.
8. Names of a captive portal, on a wrong host name or an unknown issuer: possibly a captive portal.
9. A certificate for another host name.
10. An issuer nobody trusts that bears the name of an interception product: possibly that product.
11. An issuer nobody trusts.

``NO_MATCHING_PIN``, where the chain was validated, in ``mismatches``:

12. Every certificate was accepted before: the policy has changed.
13. The leaf's key was accepted before: the same server, with another certificate or certification path.
14. A CA key of the last accepted chain stands above a new leaf key: a rotation, likely if that CA signed the leaf.
15. A CA key from the policy's own key table stands above the leaf: a rotation.
16. A root outside Mozilla's programme that bears the name of an interception product: likely that product.
17. A root outside Mozilla's programme that the application did not name: a local interception, likely for a public
    host, merely possible for an inner name, which may well have a private CA.
18. Pins past their expiry, still enforced: possibly overtaken by a change they were meant to end before.
19. Accepted before under other CAs: possibly a change of CA.
20. Under the trust anchors that the application named, never accepted before: likely a new key of its own CA.
21. A publicly trusted root, and nothing that ties it to before: possibly a certificate that was wrongly issued.

22. Whatever is left is unknown, and called so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.diagnosis import mismatches, refusals
from pinscher.diagnosis.cause import Cause, Confidence, Diagnosis, Facts
from pinscher.diagnosis.evidence import Evidence
from pinscher.diagnosis.finding import Finding
from pinscher.diagnosis.nearest import nearest_listed_name
from pinscher.diagnosis.observations import observations
from pinscher.errors import escaped
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.verdict import Verdict


def diagnose(verdict: Verdict, facts: Facts | None = None) -> Diagnosis:
    """
    Say why *verdict* came out as it did, from it and from *facts*; the rules are this file's head.

    It proves nothing about the server. A diagnosis of a rotation is no reason to add a key: ask who operates the host.
    """
    evidence = Evidence(verdict, Facts() if facts is None else facts)
    found = next(finding for rule in _RULES[verdict.outcome] if (finding := rule(evidence)) is not None)
    return Diagnosis(
        cause=found.cause,
        confidence=found.confidence,
        sentence=_bounded(found.sentence),
        next_action=_NEXT_ACTIONS[found.cause] if found.next_action is None else _bounded(found.next_action),
        product=found.product,
        facts=tuple(map(_bounded, (*found.facts, *observations(evidence)))),
    )


_LONGEST_LINE = 420


def _bounded(line: str) -> str:
    """Bound a line whose foreign parts were escaped when they were read, without escaping them a second time."""
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 3] + "..."


def _nothing_failed(evidence: Evidence) -> Finding | None:
    said = (
        "a pinned key matched" if evidence.verdict.outcome is Outcome.MATCH else "the policy pins nothing for this host"
    )
    return Finding(Cause.NONE, Confidence.CERTAIN, said)


def _unlisted(evidence: Evidence) -> Finding | None:
    host = evidence.verdict.host
    if host is None:
        return Finding(
            Cause.UNLISTED,
            Confidence.CERTAIN,
            "the connection was opened without a usable host name, so no pins can be looked up",
            next_action="pass the host's name as server_hostname",
        )
    near = nearest_listed_name(host, evidence.verdict.policy)
    said = f"{escaped(host)} has no entry in the policy, which denies unlisted hosts"
    if near is None:
        return Finding(Cause.UNLISTED, Confidence.CERTAIN, said)
    return Finding(
        Cause.UNLISTED,
        Confidence.CERTAIN,
        f"{said}; listed is {near}",
        next_action=f"correct the name if {near} was meant, or add an entry for {escaped(host)} with its pins",
    )


def _denied_key(_: Evidence) -> Finding | None:
    return Finding(
        Cause.DENIED_KEY_SEEN,
        Confidence.CERTAIN,
        "the chain holds a key that the policy denies by name: somebody still uses a key that was given up",
    )


def _policy_expired(evidence: Evidence) -> Finding | None:
    entry = evidence.verdict.host_policy
    since = "" if entry is None or entry.expires is None else f" on {entry.expires:%Y-%m-%d %H:%M} UTC"
    return Finding(
        Cause.POLICY_EXPIRED, Confidence.CERTAIN, f"the pins of this host expired{since} and 'on-expiry' is 'fail'"
    )


def _unknown(_: Evidence) -> Finding | None:
    return Finding(Cause.UNKNOWN, Confidence.UNKNOWN, "unknown: the facts at hand do not tell one cause from another")


_RULES: dict[Outcome, tuple[Callable[[Evidence], Finding | None], ...]] = {
    Outcome.MATCH: (_nothing_failed,),
    Outcome.NOT_PINNED: (_nothing_failed,),
    Outcome.UNLISTED_HOST: (_unlisted,),
    Outcome.DENIED_KEY: (_denied_key,),
    Outcome.POLICY_EXPIRED: (_policy_expired,),
    Outcome.CHAIN_NOT_VALIDATED: (*refusals.RULES, _unknown),
    Outcome.NO_MATCHING_PIN: (*mismatches.RULES, _unknown),
}

_NEXT_ACTIONS = {
    Cause.NONE: "nothing",
    Cause.UNLISTED: "add the host with its pins, or do not connect to it through this context",
    Cause.DENIED_KEY_SEEN: "treat the key as compromised: tell the host's operator, and do not remove the denial",
    Cause.POLICY_EXPIRED: "confirm the pins with the host's operator, then ship a policy with a later 'expires'",
    Cause.CHECK_FAILED: "connect anew; if it repeats, report it with this text",
    Cause.CLOCK_SKEW: "set this machine's clock, then connect again",
    Cause.CERTIFICATE_EXPIRED: "compare this machine's clock, then ask the host's operator to renew the certificate",
    Cause.CAPTIVE_PORTAL: "log in to the network, or leave it, then connect again",
    Cause.HOST_NAME_MISMATCH: "check the host's name and its address in DNS; do not switch host name checks off",
    Cause.UNTRUSTED_ISSUER: "find out who issued the certificate; trusting its CA would not satisfy the pins",
    Cause.POLICY_CHANGED: "compare the policy with its previous version: a pin that was in use has been removed",
    Cause.DIFFERENT_PATH: "pin the leaf's key rather than a certificate, or a CA key on every path to it",
    Cause.KEY_ROTATION: "confirm the new key with the host's operator over another way, then ship a policy with it",
    Cause.LOCAL_INTERCEPTION: "ask who administers this machine or network to exempt this host from inspection; "
    "do not pin the interceptor",
    Cause.CA_CHANGE: "ask the host's operator whether the CA was changed; until they confirm it, treat it as an attack",
    Cause.MISISSUE_OR_ATTACK: "compare from another network ('pinscher show HOST') and ask the host's operator; "
    "until then treat it as an attack",
    Cause.UNKNOWN: "compare from another network ('pinscher show HOST') and ask the host's operator",
}
"""What to do about each cause; no entry ever says to add the key that was seen without asking."""
