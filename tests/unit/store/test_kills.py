"""A crash at any instruction leaves the old state or the new one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LEAST = {"update": 600, "make": 500, "reset": 600}
"""Points at which each scenario is killed, at least, half of the octets of a write among them."""


@pytest.mark.parametrize("scenario", sorted(LEAST))
def test_killed_at_any_point(tmp_path: Path, scenario: str) -> None:
    """A process that is killed at any call to the disk, or any line of the store's code, leaves a valid store."""
    program = Path(__file__).with_name("dying.py")
    ran = subprocess.run(
        [sys.executable, program, tmp_path, scenario], capture_output=True, text=True, check=False, timeout=300
    )
    assert (0, "") == (ran.returncode, ran.stderr)
    told = json.loads(ran.stdout)
    assert [] == told["wrong"]
    assert LEAST[scenario] <= sum(told["deaths"].values()), told["deaths"]
