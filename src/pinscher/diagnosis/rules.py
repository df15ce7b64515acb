"""
From evidence to a cause: an ordered table of small rules, of which the first that applies gives the diagnosis.

Settled by the outcome alone:

1. ``MATCH`` and ``NOT_PINNED`` need no explanation.
2. ``UNLISTED_HOST`` is an unlisted host; a listed name one slip away is told.
3. ``DENIED_KEY`` is a denied key.
4. ``POLICY_EXPIRED`` is an expired policy that fails closed.

``CHAIN_NOT_VALIDATED``, where nothing is proven and every name may be forged, in ``refusals``:

5. A detail that is an exception of the check itself: the check could not be made.
6. A certificate that is not valid yet: the clock is behind, for certain if it stands before this release's own data.
7. A certificate that has expired: so it has, unless everything presented had expired, which a fast clock would explain.
8. Names of a captive portal, on a wrong host name or an unknown issuer: possibly a captive portal.
9. A certificate for another host name, for certain where it was seen.
10. An issuer nobody trusts that bears the name of an interception product: possibly that product.
11. An issuer nobody trusts.
12. A rule that OpenSSL says is broken, whoever broke it; the list is ``data/verify_codes.json``.

``NO_MATCHING_PIN``, where the chain was validated, in ``mismatches``:

13. A pin that is, but for a mistake in writing, the digest of what stands on the chain: a miswritten pin.
14. Every certificate was accepted before: the policy has changed.
15. The leaf's key was accepted before: the same server, with another certificate or certification path.
16. The serial number of the accepted leaf under a known or public CA with another key: likely a certificate that was
    wrongly issued.
17. A publicly trusted root over a leaf that lacks what those of public CAs have (``data/public_certificates.json``):
    possibly wrongly issued, likely where it lacks two things.
18. A CA key of the last accepted chain above a new leaf key: likely a rotation where the accepted certificate was due
    for renewal and the key is of the same type; else a known CA, which leaves rotation and misissue open.
19. A CA key from the policy's own key table stands above the leaf: a known CA.
20. A root outside Mozilla's programme that bears the name of an interception product: likely that product.
21. A root outside Mozilla's programme that the application left to the machine: a local interception, likely for a
    public host, merely possible for an inner name, which may well have a private CA.
22. A root outside Mozilla's programme, and a leaf with its CA's key, or one that copies the accepted leaf, or a host
    that was accepted under a public CA: possibly an interception, whoever named the root.
23. Pins past their expiry, still enforced: possibly overtaken by a change they were meant to end before.
24. Accepted before under other CAs: possibly a change of CA.
25. Under the trust anchors that the application named, never accepted before: a known CA.
26. A publicly trusted root and nothing against its leaf: unknown, for rotation and misissue look the same.

27. Whatever is left is unknown, and called so.

Knowing less never makes a diagnosis more confident: where a fact could only weaken a cause, the cause is no surer
without it.
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
    Apply the rules at this file's head to a verdict and its facts.

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
    Cause.INVALID_CHAIN: "tell the host's operator what was refused; until they explain it, treat it as an attack",
    Cause.MISWRITTEN_PIN: "write the pin anew from the certificate that the host's operator confirms",
    Cause.POLICY_CHANGED: "compare the policy with its previous version: a pin that was in use has been removed",
    Cause.DIFFERENT_PATH: "pin the leaf's key rather than a certificate, or a CA key on every path to it",
    Cause.KEY_ROTATION: "confirm the new key with the host's operator over another way, then ship a policy with it",
    Cause.KNOWN_CA: "ask the host's operator whether the key is theirs; until they confirm it, treat it as an attack",
    Cause.LOCAL_INTERCEPTION: "ask who administers this machine or network to exempt this host from inspection; "
    "do not pin the interceptor",
    Cause.CA_CHANGE: "ask the host's operator whether the CA was changed; until they confirm it, treat it as an attack",
    Cause.MISISSUE_OR_ATTACK: "compare from another network ('pinscher show HOST') and ask the host's operator; "
    "until then treat it as an attack",
    Cause.UNKNOWN: "compare from another network ('pinscher show HOST') and ask the host's operator",
}
"""What to do about each cause; no entry ever says to add the key that was seen without asking."""
