"""A program that is killed while it refreshes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_a_kill_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    """Killed at any of five hundred steps of its writing, a program starts with the old policy or the new one."""
    ran = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("kill_points.py")), str(tmp_path), "560"],
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert (0, "") == (ran.returncode, ran.stderr)
    found = json.loads(ran.stdout)
    assert [] == found["faults"]
    assert found["kills"] >= 500
    assert found["ends"] > 0
    assert (560, 0) == (found["last"], found["leftovers"])
