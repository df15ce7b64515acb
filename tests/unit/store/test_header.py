"""The header of a sealed file, and the seal."""

from __future__ import annotations

import os
import time

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from hypothesis import given
from hypothesis import strategies as st

from pinscher.store import KeyUnavailableError, Passphrase, SealBrokenError, SealedStore
from pinscher.store import seal as seal_file
from pinscher.store.floor import is_below, read_floor, rollback_floor, write_floor
from pinscher.store.header import HEADER_LENGTH, MOST_MEMORY, Derivation, Header, HeaderError, Kind
from pinscher.store.index import Index
from pinscher.store.seal import NotOpenedError, opened, sealed

DERIVATIONS = st.none() | st.builds(
    Derivation,
    st.integers(8 * 1024, MOST_MEMORY),
    st.integers(1, 10),
    st.integers(1, 8),
    st.binary(min_size=16, max_size=16),
)
HEADERS = st.builds(
    Header, kind=st.sampled_from(Kind), store=st.binary(min_size=16, max_size=16), file=st.binary(min_size=16, max_size=16),
    machine=st.binary(min_size=32, max_size=32), nonce=st.binary(min_size=12, max_size=12), derivation=DERIVATIONS,
)  # fmt: skip


def header(**changed: object) -> Header:
    """Return a header."""
    given = {"kind": Kind.INDEX, "store": bytes(16), "file": bytes(16), "machine": bytes(32), "nonce": bytes(12)}
    return Header(**(given | {"derivation": None} | changed))  # type: ignore[arg-type]


@given(HEADERS)
def test_a_header_is_read_as_it_was_written(one: Header) -> None:
    """A header has 128 octets, and is read as it was written."""
    assert (HEADER_LENGTH, one) == (len(one.write()), Header.read(one.write()))


@given(st.binary(max_size=200) | st.binary(max_size=130).map(lambda rest: b"PINSEAL\x01" + rest))
def test_any_octets_are_a_header_or_refused(content: bytes) -> None:
    """Any octets are a header, written back as the same octets, or refused with this room's own error."""
    try:
        one = Header.read(content)
    except HeaderError:
        return
    assert content[:HEADER_LENGTH] == one.write()


@pytest.mark.parametrize(
    ("memory", "passes", "lanes"), [(2**32 - 1, 1, 1), (1, 1, 1), (8192, 2**32 - 1, 1), (8192, 1, 255)]
)
def test_a_hostile_header_cannot_ask_for_memory(tmp_path: str, memory: int, passes: int, lanes: int) -> None:
    """A header that asks Argon2id for four terabytes, or a year, is a broken seal at once."""
    written = bytearray(header(derivation=Derivation(8192, 1, 1, bytes(16))).write() + bytes(32))
    written[9] = lanes
    written[12:20] = memory.to_bytes(4, "big") + passes.to_bytes(4, "big")
    os.mkdir(f"{tmp_path}/store", 0o700)
    with open(f"{tmp_path}/store/index", "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
        stream.write(written)
    started = time.process_time()
    with pytest.raises(SealBrokenError, match="Argon2id with"):
        SealedStore.open(f"{tmp_path}/store", Passphrase(lambda: "x"))
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [(0, 0, "no sealed file"), (7, 2, "version 2, expected 1"), (8, 3, "unknown parts"), (10, 1, "unknown parts"),
     (120, 1, "unknown parts"), (20, 1, "a salt and nothing to use it for")],
)  # fmt: skip
def test_an_odd_header_is_refused_with_its_reason(place: int, value: int, reason: str) -> None:
    """Another file, a later version, unknown parts and a needless salt are each named."""
    written = bytearray(header().write())
    written[place] = value
    with pytest.raises(HeaderError, match=reason):
        Header.read(bytes(written))


@given(st.binary(max_size=300))
def test_any_octets_are_opened_or_refused(content: bytes) -> None:
    """Any octets in place of a sealed file raise this room's own error."""
    with pytest.raises(NotOpenedError):
        opened(content, bytes(32))


@given(st.binary(max_size=300))
def test_what_is_sealed_is_opened(content: bytes) -> None:
    """What was sealed is opened with the key, the header comes with it, and another key opens nothing."""
    file = sealed(content, header(), bytes(32))
    assert (header(), content) == opened(file, bytes(32))
    with pytest.raises(NotOpenedError, match="another key"):
        opened(file, bytes(31) + b"\x01")


def test_an_openssl_without_the_cipher_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An OpenSSL without AES-GCM-SIV, or without Argon2id, is an error that says what to install."""

    def lacking(*_: object, **__: object) -> None:
        raise UnsupportedAlgorithm("not in this OpenSSL")

    seal_file._cipher.cache_clear()
    monkeypatch.setattr(seal_file, "AESGCMSIV", lacking)
    with pytest.raises(KeyUnavailableError, match=r"no AES-GCM-SIV, which came with OpenSSL 3\.2.*\n.*own wheels"):
        sealed(b"", header(), b"\x07" * 32)
    monkeypatch.setattr("cryptography.hazmat.primitives.kdf.argon2.Argon2id", lacking)
    with pytest.raises(KeyUnavailableError, match="Argon2id cannot be had here"):
        Passphrase(lambda: "x").begin(anew=False)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"entries": []}', b'{"entries": {"a": 1}}', b"[" * 100_000,
                                     b'{"entries": {}, "generation": 1, "floor": "x"}'])  # fmt: skip
def test_what_is_no_index_is_refused(content: bytes) -> None:
    """Octets that are no index raise ``ValueError``, although only the key's owner could have sealed them."""
    with pytest.raises(ValueError, match=r"."):
        Index.read(content)


COUNTERS = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=3).map(tuple)
FLOORS = st.dictionaries(st.sampled_from(["policy", "root", "seen"]), COUNTERS)


@given(FLOORS, FLOORS)
def test_the_greatest_floor_is_above_each(one: dict[str, tuple[int, ...]], other: dict[str, tuple[int, ...]]) -> None:
    """The greatest of two floors is below neither, whichever comes first, and is read as it was written."""
    greatest = rollback_floor(one, other)
    assert (False, False) == (is_below(greatest, one), is_below(greatest, other))
    assert greatest == rollback_floor(other, one) == read_floor(write_floor(greatest))
