"""How pins, comments and literals are written into the files of the dialects."""

from __future__ import annotations

import binascii
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.pin import Pin


def encoded(pin: Pin) -> str:
    """Return a pin's digest in base64, without a prefix."""
    return binascii.b2a_base64(pin.digest, newline=False).decode("ascii")


def xml_comment(line: str) -> str:
    """Return a line as an XML comment, in which two hyphens never meet."""
    return f"<!-- {line.replace('--', '-&#45;').rstrip('-')} -->"


def comments(lines: tuple[str, ...], mark: str) -> list[str]:
    """Return lines as comments behind a mark such as ``#`` or ``//``."""
    return [f"{mark} {line}" for line in lines]


def literal(text: str) -> str:
    """Return a text as a double-quoted literal that Kotlin, Java, Swift, Dart, Go and JavaScript read alike."""
    return json.dumps(text).replace("$", "\\u0024")
