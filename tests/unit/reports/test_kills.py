"""A sender that is killed at any call to the disk loses nothing that it accepted, and tells nothing twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from banking import HELD, ROOT
from collecting import Collector

from pinscher.lab.server import TlsServer


def killed(tmp_path: Path, port: int, scenario: str) -> dict[str, Any]:
    """Run a scenario, killed at every call, and return what its program tells."""
    (tmp_path / "root.pem").write_bytes(ROOT.pem)
    program = Path(__file__).with_name("dying_sender.py")
    ran = subprocess.run(
        [sys.executable, program, tmp_path / "spool", str(port), tmp_path / "root.pem", scenario],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert (0, "") == (ran.returncode, ran.stderr)
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


def test_killed_while_delivering(tmp_path: Path) -> None:
    """Everything accepted is stored once, whenever the sender died; nothing stays in the spool that was stored."""
    collector = Collector()
    with TlsServer(HELD, protocol=collector) as server:
        told = killed(tmp_path, server.port, "deliver")
    assert ([], 0) == (told["wrong"], told["left"])
    assert told["deaths"] >= 60
    stored = Counter(content.decode() for _, content in collector.stored.values())
    assert set(told["accepted"]) <= set(stored)
    assert {1} == set(stored.values())
    assert len(collector.requests) > len(stored)


def test_killed_while_dropping_the_oldest(tmp_path: Path) -> None:
    """What gives way is counted exactly once, whenever the spool died, and the newest stay."""
    told = killed(tmp_path, 1, "full")
    assert [] == told["wrong"]
    assert told["deaths"] >= 70
