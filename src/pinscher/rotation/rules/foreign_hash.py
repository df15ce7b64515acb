"""Rule ``foreign-hash``: a pin is SHA-256 of a key, and not another hash that was made to fit.

A pin of another kind is refused when the document is read. What is left is another hash inside 32 octets, padded or as
the text of its hexadecimal digits, and a pin in the extensions, which nothing reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.rotation.finding import Confidence, Severity
from pinscher.rotation.rules.rule import Rule
from pinscher.rotation.rules.standing import BACKUP_PINS, DENIED_KEYS, PINS, standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.entry import Path
    from pinscher.policy import Policy
    from pinscher.rotation.circumstances import Circumstances
    from pinscher.rotation.finding import Finding

_PADDED = {16: "MD5", 20: "SHA-1", 28: "SHA-224"}
"""Other hashes by their octets, the shortest first: its padding is that of the longer ones too."""
_HEXADECIMAL = frozenset(b"0123456789abcdefABCDEF")
_PREFIXES = ("sha1/", "sha-1/", "sha1:", "sha-1:", "sha1-", "md5/", "md5:", "sha512/", "sha384/", "pin-sha1=")


def check(policy: Policy, _circumstances: Circumstances) -> Iterator[Finding]:
    """Yield a finding for each pin that holds another hash, and for each text in the extensions that looks like one."""
    for one in standing(policy, PINS, BACKUP_PINS, DENIED_KEYS):
        if named := hash_within(one.pin.digest):
            text = f"the pin {one.shown} of {one.entry.pattern} holds {named} and is no SHA-256: it never matches"
            yield RULE.finding(text, one.keys)
    for path, text in _texts(dict(policy.extensions), ("extensions",)):
        if text.lower().startswith(_PREFIXES):
            told = (
                f"a pin of another hash stands in the extensions, where no client reads it: '{escaped(text, limit=60)}'"
            )
            yield RULE.finding(told, path, severity=Severity.INFORMATION, confidence=Confidence.LOW)


def hash_within(digest: bytes) -> str:
    """Return the name of the hash that 32 octets hold, padded with zeros or spelt in hexadecimal, or nothing."""
    if _HEXADECIMAL.issuperset(digest):
        return "the hexadecimal text of an MD5 or of half a fingerprint"
    for size, name in _PADDED.items():
        padding = bytes(len(digest) - size)
        if (digest.endswith(padding) or digest.startswith(padding)) and len(set(digest)) > size // 2:
            return f"a padded {name}"
    return ""


def _texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield every text below a value of the extensions, with the way to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, (*path, name))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _texts(inner, (*path, position))


RULE = Rule(
    "foreign-hash",
    "a pin is the SHA-256 of a key, and no other hash",
    check,
    Severity.ERROR,
    Confidence.HIGH,
    "make the pin anew from the certificate or the key with 'pinscher pin FILE'",
)
