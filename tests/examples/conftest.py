"""The bank that the examples talk to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .bank import Bank

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    """A genuine bank, which can be made to give way to a rogue."""
    made = Bank.make(tmp_path)
    with made.server:
        yield made
