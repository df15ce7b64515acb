"""A log of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pinscher.lab.transparency import CtLog
from pinscher.lab.transparency_server import CtServer
from tests.unit.monitor.transparency.world import Followed

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["tiles", "RFC 6962"])
def followed(request: pytest.FixtureRequest) -> Iterator[Followed]:
    """Return a log with a few certificates of others, served and followed as each kind."""
    with CtServer(CtLog()) as server:
        made = Followed(server, is_tiled=request.param == "tiles")
        made.fill(5)
        yield made
