"""The blocks of a PEM file (RFC 7468), each with the line it begins at."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----\s*")


class PemError(ValueError):
    """A block that is not closed or not Base64; ``line`` is where it begins."""

    def __init__(self, reason: str, *, line: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class PemBlock:
    """One block: its label, its decoded bytes, its own text, and the line its label stands on."""

    label: str
    der: bytes
    text: bytes
    line: int = field(kw_only=True)
    is_encrypted: bool = field(kw_only=True)


def is_pem(content: bytes) -> bool:
    """Tell whether *content* holds a PEM label; everything else is read as DER."""
    return b"-----BEGIN " in content


def read_blocks(content: bytes) -> Iterator[PemBlock]:
    """Yield the blocks of a PEM file in order, passing over the text between them as RFC 7468 section 2 allows."""
    lines = content.splitlines()
    number = 0
    while number < len(lines):
        begin = _BEGIN.fullmatch(lines[number].lstrip())
        if begin is None:
            number += 1
            continue
        closing = b"-----END " + begin[1] + b"-----"
        end = next((at for at in range(number + 1, len(lines)) if lines[at].strip() == closing), None)
        if end is None:
            raise PemError(f"the block is not closed, expected '{closing.decode()}'", line=number + 1)
        yield _block(begin[1].decode(), lines[number : end + 1], line=number + 1)
        number = end + 1


def _block(label: str, lines: list[bytes], *, line: int) -> PemBlock:
    body = lines[1:-1]
    # The headers of RFC 1421 (an old encrypted private key) come first, and none of them is Base64.
    is_encrypted = any(text.startswith(b"Proc-Type:") and b"ENCRYPTED" in text for text in body)
    encoded = b"".join(text for text in body if b":" not in text)
    try:
        der = base64.b64decode(b"".join(encoded.split()), validate=True)
    except binascii.Error:
        raise PemError("its content is not Base64", line=line) from None
    return PemBlock(label, der, b"\n".join(lines) + b"\n", line=line, is_encrypted=is_encrypted)
