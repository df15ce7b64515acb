"""``pinscher forward`` as a process between clients that cannot pin and servers on the loopback."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pinscher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pinscher.lab.authority import Authority, HeldCertificate

HOST = "bank.test"


class Forwarded:
    """A forwarder that runs, its port, and what it said when it ended."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.said = ""


@contextlib.contextmanager
def forwarding(folder: Path, root: Authority, pinned: HeldCertificate, port: int, *options: str) -> Iterator[Forwarded]:
    """Run a forwarder to a port of the loopback, which must end cleanly."""
    (folder / "ca.pem").write_bytes(root.pem)
    text = f'format = 1\nname = "bank"\nversion = 1\n[hosts."{HOST}"]\npins = ["{pinscher.Pin.of(pinned.der)}"]\n'
    (folder / "pins.toml").write_text(text)
    command = [sys.executable, "-m", "pinscher.cli", "forward", "--policy", "pins.toml", "--ca-file", "ca.pem"]
    command += ["--connect", "127.0.0.1", *options, "127.0.0.1:0", f"{HOST}:{port}"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        forwarded = Forwarded(int(process.stdout.readline().partition(" -> ")[0].rpartition(":")[2]))
        try:
            yield forwarded
        finally:
            process.send_signal(signal.SIGTERM)
            _, forwarded.said = process.communicate(timeout=30)
    assert 0 == process.returncode, forwarded.said
