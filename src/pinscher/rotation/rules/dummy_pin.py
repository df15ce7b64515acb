"""Rule ``dummy-pin``: a pin is the digest of a key that somebody holds, and no made-up value."""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING

from pinscher.pin import Pin
from pinscher.rotation.finding import Confidence, Severity
from pinscher.rotation.rules.foreign_hash import hash_within
from pinscher.rotation.rules.rule import Rule
from pinscher.rotation.rules.standing import BACKUP_PINS, DENIED_KEYS, PINS, standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.policy import Policy
    from pinscher.rotation.circumstances import Circumstances
    from pinscher.rotation.finding import Finding

_FEWEST_VALUES = 17
"""Different octets among 32; a digest has fewer once in ten million million."""
_TEXTS = (
    "", "\n", "0", "1", "a", "abc", "backup", "dummy", "example", "foo", "hello", "hello world", "key", "password",
    "pin", "placeholder", "secret", "test", "testing",
)  # fmt: skip
_OF_TEXTS = {hashlib.sha256(text.encode()).digest(): text for text in _TEXTS}
_FROM_DOCUMENTATION = {
    Pin.parse(pin).digest: where
    for pin, where in (
        ("sha256/d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=", "RFC 7469"),
        ("sha256/E9CZ9INDbd+2eRQozYqqbQ2yXLVKB9+xcprMF+44U1g=", "RFC 7469"),
        ("sha256/7HIpactkIAq2Y49orFOOQKurWxmmSFZhBCoQYcRhJ3Y=", "Android's documentation"),
        ("sha256/fwza0LRMXouZHRC8Ei+4PyuldPDcf3UKgO/04cDM1oE=", "Android's documentation"),
    )
}


def check(policy: Policy, _circumstances: Circumstances) -> Iterator[Finding]:
    """Yield a finding for each pin that is no digest of a key of anybody here."""
    for one in standing(policy, PINS, BACKUP_PINS, DENIED_KEYS):
        why = why_dummy(one.pin.digest)
        if why:
            what = "backup pin" if one.group == BACKUP_PINS else "pin"
            text = f"the {what} {one.shown} of {one.entry.pattern} {why}: nobody holds such a key"
            yield RULE.finding(text, one.keys)


def why_dummy(digest: bytes) -> str:
    """Say why 32 octets are no digest of a key that somebody here holds, or nothing."""
    if digest in _FROM_DOCUMENTATION:
        return f"is the example in {_FROM_DOCUMENTATION[digest]}"
    if digest in _OF_TEXTS:
        return f"is the SHA-256 of the text {_OF_TEXTS[digest]!r}"
    return _why_too_regular(digest)


def _why_too_regular(digest: bytes) -> str:
    if len(set(digest)) == 1:
        return f"repeats the octet {digest[0]:02x}"
    if len({(after - before) % 256 for before, after in itertools.pairwise(digest)}) == 1:
        return "counts"
    if all(0x20 <= octet < 0x7F for octet in digest):
        return "is a text and not a digest"
    if len(set(digest)) < _FEWEST_VALUES and not hash_within(digest):
        return f"has {len(set(digest))} different octets among its {len(digest)}"
    return ""


RULE = Rule(
    "dummy-pin",
    "a pin is the digest of a key that somebody holds",
    check,
    Severity.ERROR,
    Confidence.HIGH,
    "make a real key, and its pin with 'pinscher pin FILE'; a policy without a backup says so honestly",
)
