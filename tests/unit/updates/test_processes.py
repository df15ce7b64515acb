"""Several processes that share one store."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from publisher import Publisher, Server, policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from publisher import Follower

PROGRAM = """
import sys
from datetime import datetime, timedelta
from pathlib import Path
from pinscher.updates import EventKind, Intervals, Updater

address, root, store, at = sys.argv[1:]
told, versions = [], []
updater = Updater(
    address, root=Path(root).read_bytes(), store=store, on_event=told.append, intervals=Intervals(least=timedelta()),
    now=lambda: datetime.fromisoformat(at), on_policy=lambda policy: versions.append(policy.version),
)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(60):
    updater.refresh()
alarms = [event.text for event in told if event.kind.is_alarm]
print("ok" if not alarms and versions == sorted(versions) else [alarms, versions], versions[-1])
"""


def test_processes_share_a_store(
    publisher: Publisher, server: Server, tmp_path: Path, follow: Callable[..., Follower]
) -> None:
    """Three processes that refresh one store as fast as they can, while policies are published, do not disturb each other."""
    (tmp_path / "root.json").write_bytes(publisher.root)
    words = [server.address, str(tmp_path / "root.json"), str(tmp_path / "store"), publisher.clock.at.isoformat()]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in running:
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for version in range(2, 8):
        publisher.publish(policy(version))
    for process in running:
        out, err = process.communicate(timeout=120)
        assert ("ok", "") == (out.split()[0], err), out
    client = follow()
    client.updater.refresh()
    assert policy(7) == client.updater.policy
    assert [] == client.kinds()
