"""The causes a verdict can have, how sure a diagnosis is, and the facts it is made from."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.chain import PresentedChain, ValidatedChain


class Cause(enum.Enum):
    """Why a verdict came out as it did; the value stands in reports."""

    NONE = "none"
    UNLISTED = "unlisted"
    DENIED_KEY_SEEN = "denied-key-seen"
    POLICY_EXPIRED = "policy-expired"
    CHECK_FAILED = "check-failed"
    CLOCK_SKEW = "clock-skew"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CAPTIVE_PORTAL = "captive-portal"
    HOST_NAME_MISMATCH = "host-name-mismatch"
    UNTRUSTED_ISSUER = "untrusted-issuer"
    INVALID_CHAIN = "invalid-chain"
    MISWRITTEN_PIN = "miswritten-pin"
    POLICY_CHANGED = "policy-changed"
    DIFFERENT_PATH = "different-path"
    KEY_ROTATION = "key-rotation"
    KNOWN_CA = "known-ca"
    LOCAL_INTERCEPTION = "local-interception"
    CA_CHANGE = "ca-change"
    MISISSUE_OR_ATTACK = "misissue-or-attack"
    UNKNOWN = "unknown"


class Confidence(enum.Enum):
    """How sure a diagnosis is: ``CERTAIN`` needs no assumption, ``UNKNOWN`` means that the facts do not tell."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    What whoever judged the connection knows beside the verdict; everything may be missing.

    ``last_accepted`` is the chain of this host's last ``MATCH``, and never one that was merely allowed. ``trust_named``
    says whether the application named the trust anchors or left them to the machine. ``presented`` is what the server
    sent; ``openssl_error`` and ``verify_code`` are OpenSSL's words and number (``X509_V_ERR_…``) when it refused;
    ``at`` stands in for the verdict's time.
    """

    last_accepted: ValidatedChain | None = None
    trust_named: bool | None = None
    presented: PresentedChain | None = None
    openssl_error: str | None = None
    verify_code: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A cause with what it rests on; every text in it is printable ASCII of one line."""

    cause: Cause
    confidence: Confidence
    sentence: str
    next_action: str
    product: str | None = None
    facts: tuple[str, ...] = field(default=())
