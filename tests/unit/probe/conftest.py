"""What the tests of this room share: an authority, and the folder of the harness on the path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from loopback import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return a certificate authority of this test."""
    return Authority(tmp_path)
