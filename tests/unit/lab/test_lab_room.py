"""The room as a whole: its front, and what it says when its extra is missing."""

from __future__ import annotations

import subprocess
import sys

import pinscher.lab


def test_every_name_of_the_front_is_there() -> None:
    """Each name that the lab says it offers is one it has."""
    assert sorted(set(pinscher.lab.__all__)) == sorted(pinscher.lab.__all__)
    assert all(hasattr(pinscher.lab, name) for name in pinscher.lab.__all__)


def test_a_missing_extra_is_one_sentence() -> None:
    """Without ``cryptography`` the lab says which extra brings it."""
    program = "import sys; sys.modules['cryptography'] = None; import pinscher.lab"
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30)
    last = completed.stderr.strip().splitlines()[-1]
    assert "ImportError: the lab needs cryptography; install it with: pip install 'pinscher[lab]'" == last
