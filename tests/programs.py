"""Programs of a test that run in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys


def said(program: str, *, is_measured: bool = True) -> str:
    """
    Run a program, and return what it said; one that does not end fails the test.

    Coverage guards its records with a lock that a child forked at the wrong moment waits for; a program whose threads
    work while it forks is therefore not measured.
    """
    around = {name: value for name, value in os.environ.items() if is_measured or not name.startswith("COVERAGE_")}
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120, env=around
    )
    assert 0 == ran.returncode, ran.stderr
    return ran.stdout.strip()
