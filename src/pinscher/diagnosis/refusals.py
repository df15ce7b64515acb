"""
Rules 5 to 11: what OpenSSL refused before there was a chain to judge.

Nothing is proven here. Every name was chosen by whoever answered, so no rule that reads a name is more than possible.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from pinscher.diagnosis.cause import Cause, Confidence
from pinscher.diagnosis.finding import Finding
from pinscher.diagnosis.shipped import read_shipped
from pinscher.errors import escaped

if TYPE_CHECKING:
    from pinscher.diagnosis.evidence import Evidence

# Numbers of X509_V_ERR_… (openssl/x509_vfy.h), which have not changed since they were given.
NOT_YET_VALID = 9
HAS_EXPIRED = 10
_UNTRUSTED = frozenset({2, 18, 19, 20, 21, 27})
"""No issuer, self-signed leaf, self-signed root, no local issuer, unverifiable leaf, untrusted certificate."""
_OTHER_NAME = frozenset({62, 64})
"""A host name or an IP address that the certificate does not carry."""

_LONG_EXPIRED_DAYS = 90


def _check_failed(evidence: Evidence) -> Finding | None:
    detail = evidence.verdict.detail
    if not _EXCEPTION.match(detail):
        return None
    return Finding(Cause.CHECK_FAILED, Confidence.CERTAIN, f"the check could not be made: {escaped(detail)}")


_EXCEPTION = re.compile(r"\w*(Error|Exception): ", re.ASCII)
"""How a verdict's detail begins where it is an exception of the check itself, and never where OpenSSL refused."""


def _not_yet_valid(evidence: Evidence) -> Finding | None:
    if evidence.facts.verify_code != NOT_YET_VALID:
        return None
    clock = f"this machine's clock says {evidence.at:%Y-%m-%d %H:%M} UTC"
    if evidence.is_clock_behind:
        return Finding(
            Cause.CLOCK_SKEW, Confidence.CERTAIN, f"{clock}, which is before this release of pinscher was made"
        )
    return Finding(
        Cause.CLOCK_SKEW, Confidence.LIKELY, f"a certificate is not valid yet, and {clock}: it is probably behind"
    )


def _expired(evidence: Evidence) -> Finding | None:
    if evidence.facts.verify_code != HAS_EXPIRED:
        return None
    if evidence.is_clock_behind:
        said = "OpenSSL found an expired certificate, by a clock that stands before this release of pinscher was made"
        return Finding(Cause.CERTIFICATE_EXPIRED, Confidence.CERTAIN, said)
    ends = [summary.not_after for summary in evidence.shown if summary.not_after is not None]
    past = [end for end in ends if end < evidence.at]
    if not past:
        said = "OpenSSL found an expired certificate on the chain"
        return Finding(Cause.CERTIFICATE_EXPIRED, Confidence.POSSIBLE, said)
    if 1 < len(ends) == len(past):
        return Finding(
            Cause.CLOCK_SKEW,
            Confidence.POSSIBLE,
            f"every certificate presented had expired by {evidence.at:%Y-%m-%d %H:%M} UTC: "
            "this machine's clock may be ahead, or the server was abandoned",
        )
    days = (evidence.at - min(past)).days
    return Finding(
        Cause.CERTIFICATE_EXPIRED,
        Confidence.POSSIBLE if days > _LONG_EXPIRED_DAYS else Confidence.LIKELY,
        f"a certificate expired on {min(past):%Y-%m-%d %H:%M} UTC, {days} days before this machine's time",
    )


def _captive_portal(evidence: Evidence) -> Finding | None:
    portal = evidence.portal
    if portal is None or evidence.facts.verify_code not in _OTHER_NAME | _UNTRUSTED:
        return None
    return Finding(
        Cause.CAPTIVE_PORTAL,
        Confidence.POSSIBLE,
        f"the certificate bears the name of a captive portal ({portal.name}) that wants a log-in first",
        product=portal.name,
        facts=(_FORGEABLE,),
    )


def _other_name(evidence: Evidence) -> Finding | None:
    if evidence.facts.verify_code not in _OTHER_NAME:
        return None
    holder = f" but for {evidence.shown[0].subject}" if evidence.shown else ""
    host = "the host asked for" if evidence.verdict.host is None else escaped(evidence.verdict.host)
    # Whoever did not see the certificate cannot rule a captive portal out.
    confidence = Confidence.CERTAIN if evidence.shown else Confidence.POSSIBLE
    return Finding(Cause.HOST_NAME_MISMATCH, confidence, f"the server's certificate is not for {host}{holder}")


def _untrusted_product(evidence: Evidence) -> Finding | None:
    product = evidence.product
    if product is None or evidence.facts.verify_code not in _UNTRUSTED:
        return None
    return Finding(
        Cause.LOCAL_INTERCEPTION,
        Confidence.POSSIBLE,
        f"the certificate bears the name of {product.name} (a {product.kind}), whose CA this context does not trust",
        product=product.name,
        facts=(_FORGEABLE,),
    )


def _untrusted(evidence: Evidence) -> Finding | None:
    if evidence.facts.verify_code not in _UNTRUSTED:
        return None
    issuer = f" ({evidence.shown[-1].issuer})" if evidence.shown else ""
    return Finding(
        Cause.UNTRUSTED_ISSUER,
        Confidence.POSSIBLE,
        f"nobody this context trusts vouches for the certificate{issuer}: "
        "an interception, or a server that sends an incomplete chain",
    )


def _invalid(evidence: Evidence) -> Finding | None:
    broken = _broken_rules().get(evidence.facts.verify_code or 0)
    if broken is None:
        return None
    said = f"the chain is not valid, whoever made it: {broken}"
    return Finding(Cause.INVALID_CHAIN, Confidence.CERTAIN, said)


@functools.cache
def _broken_rules() -> dict[int, str]:
    return {one["code"]: one["broken"] for one in read_shipped("verify_codes.json")["codes"]}


_FORGEABLE = "the chain was not validated, so anyone may have written that name"

RULES = (
    _check_failed, _not_yet_valid, _expired, _captive_portal, _other_name, _untrusted_product, _untrusted, _invalid,
)  # fmt: skip
"""Rules 5 to 12, in the order they are tried."""
