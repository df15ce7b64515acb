"""The PostgreSQL server that a monitor's tests need, and its address."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.conformance.postgresql import PASSWORD, USER, programs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conformance.postgresql import Server


def installed() -> Path:
    """Return where the server's programs are; without them a test is skipped, and fails in CI."""
    where = programs()
    if where is None:
        if "CI" in os.environ:
            pytest.fail("install a PostgreSQL server: Debian's package is postgresql")
        pytest.skip("no PostgreSQL server is installed")
    return where


def address_of(server: Server) -> str:
    """Return the address of the database of a running server."""
    return f"postgresql+asyncpg://{USER}:{PASSWORD}@127.0.0.1:{server.port}/postgres?ssl=require"
