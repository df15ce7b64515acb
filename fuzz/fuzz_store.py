"""
Fuzz what a program reads at its start: sealed files, key records, and what is embedded in it.

Invariant: any bytes are refused with the store's own errors, or are written back as the same bytes; and nothing is
opened that the key did not seal.
"""

from __future__ import annotations

import contextlib

from runner import run

from pinscher.store import Embedded, EmbeddedPinsError, KeyUnavailableError
from pinscher.store.header import HEADER_LENGTH, Header, HeaderError, Kind
from pinscher.store.record import KeyRecord
from pinscher.store.seal import NotOpenedError, opened, sealed

KEY = bytes(32)
HEADER = Header(
    kind=Kind.INDEX, store=bytes(16), file=bytes(16), machine=bytes(32), nonce=bytes(12), derivation=None
)  # fmt: skip
SEALED = sealed(b"content", HEADER, KEY)
SEEDS = (
    SEALED,
    b"pinscher-key 1 made policy:0.42,root:3 " + b"0" * 64 + b"\n",
    b'{"bundle": "", "bundle-sha256": "", "floor": 1, "format": 1, "root": "", "root-sha256": ""}',
    b"bundle=\nbundle-sha256=\nfloor=1\nformat=1\nroot=\nroot-sha256=\n",
)


def fuzz(data: bytes) -> None:
    """Check the invariant at the head of this file for *data*."""
    with contextlib.suppress(HeaderError):
        assert Header.read(data).write() == data[:HEADER_LENGTH]
    try:
        opened(data, KEY)
    except NotOpenedError:
        pass
    else:
        assert data == SEALED
    try:
        record = KeyRecord.read(data.decode("latin-1"), "here")
    except KeyUnavailableError:
        pass
    else:
        assert record.write().encode() == data.removesuffix(b"\n") + b"\n"
    for read in (Embedded.from_json, Embedded.from_lines):
        try:
            read(data)
        except EmbeddedPinsError as error:
            assert str(error).isascii(), error


if __name__ == "__main__":
    run(fuzz, SEEDS)
