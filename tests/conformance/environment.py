"""Environments of their own, for clients whose installation replaces a package that another client needs."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]


def environment(name: str) -> Path:
    """Return the Python of an environment with what ``requirements/NAME.txt`` lists, making it where it is missing."""
    wanted = (HERE / "requirements" / f"{name}.txt").read_text()
    home = HERE / ".venvs" / "{}-{}.{}".format(name, *sys.version_info[:2])
    home.parent.mkdir(exist_ok=True)
    python, stamp = home / "bin" / "python", home / ".made"
    with open(home.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _run(sys.executable, "-m", "venv", "--clear", str(home))
            for needed in ("pip", name):
                listed = str(HERE / "requirements" / f"{needed}.txt")
                _run(str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", listed)
            stamp.write_text(wanted)
    return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
