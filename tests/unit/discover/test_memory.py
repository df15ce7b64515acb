"""A damaged HAR of 200 MB is read as a stream, in little memory, with a bar for those who watch."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

MEBI = 1 << 20
ENTRY = (
    '{"request":{"method":"POST","url":"https://api%d.bank.example/v1/pay?token=x","headers":[{"name":"Authorization",'
    '"value":"Bearer %s"}]},"response":{"content":{"text":"%s"}}}'
)
MEASURED = """
import sys
from pinscher.cli.app import run
code = run(sys.argv[1:])
# What getrusage says begins with the size of the process that forked; this is of the program alone.
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print("peak", peak, file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A HAR of 200 MB: many entries, one body of 100 MB, and an end that is missing."""
    path = tmp_path_factory.mktemp("har") / "damaged.har"
    with path.open("w") as file:
        file.write('{"log":{"entries":[\n')
        small = ",\n".join(ENTRY % (number % 5, "s" * 40, "b" * 5000) for number in range(200))
        while file.tell() < 100 * MEBI:
            file.write(small + ",\n")
        head, tail = (ENTRY % (9, "s", "|")).split("|")
        file.write(head)
        for _ in range(100):
            file.write("b" * MEBI)
        file.write(tail + ',\n{"request":{"url":"https://last.bank.example/","method":')
    return path


def test_a_damaged_har_of_200_megabytes_is_read_in_bounded_memory(damaged: Path) -> None:
    """The peak of the whole process stays below 100 MB, every entry counts, and the damage has its line."""
    assert damaged.stat().st_size > 200_000_000
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "discover", str(damaged)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert 2 == done.returncode
    *said, peak = done.stderr.splitlines()
    assert int(peak.split()[1]) < 100_000, peak
    assert "last.bank.example" in done.stdout
    assert "api9.bank.example" in done.stdout
    assert any("damaged: the file ends where a value was expected" in line for line in said)
    assert any("the rest of a long text" in line for line in said)


def test_long_work_shows_a_bar_on_a_terminal(damaged: Path) -> None:
    """On a terminal the verb shows how many MiB of the file it has read."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "pinscher.cli", "discover", str(damaged)], stdout=subprocess.DEVNULL, stderr=slave
    ) as program:
        os.close(slave)
        shown = b""
        while b"MiB" not in shown and (chunk := os.read(master, 4096)):
            shown += chunk
        program.kill()
    os.close(master)
    assert b"reading" in shown
