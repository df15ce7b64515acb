"""What the tests of this room share: a collector that runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from banking import HELD
from collecting import Collector

from pinscher.lab.server import TlsServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def collector() -> Collector:
    """A collector that stores everything."""
    return Collector()


@pytest.fixture
def server(collector: Collector) -> Iterator[TlsServer]:
    """The collector's server."""
    with TlsServer(HELD, protocol=collector) as running:
        yield running
