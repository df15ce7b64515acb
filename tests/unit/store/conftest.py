"""What the tests of the store share: a store whose key lies in a file beside it, and its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pinscher.store import KeptKey, KeyFile, SealedStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def custody(tmp_path: Path) -> KeptKey:
    """Return a key that a file keeps."""
    return KeptKey(KeyFile(str(tmp_path / "keys" / "store.key")))


@pytest.fixture
def store(tmp_path: Path, custody: KeptKey) -> Iterator[SealedStore]:
    """Return a store with two entries and a floor."""
    with SealedStore.open(tmp_path / "store", custody) as opened:
        opened.write({"bundle": b"a policy", "tuf/root": b""}, floor={"policy": (0, 3)})
        yield opened
