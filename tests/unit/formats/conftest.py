"""What the tests of this room share: the folder of the harness on the path, and the moment at which they stand."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from worlds import AT

from pinscher.formats import Choices

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def choices() -> Choices:
    """Return choices that accept no loss."""
    return Choices(AT)


@pytest.fixture
def tool() -> Callable[[str], str]:
    """Return the path of a real consumer; where it is missing, skip with the reason, but never in CI."""

    def found(name: str) -> str:
        path = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
        if path is None and not os.environ.get("CI"):
            pytest.skip(f"{name} is not installed")
        assert path is not None, f"CI installs {name}"
        return path

    return found
