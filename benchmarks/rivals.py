"""
What others pay for looking at a TLS endpoint: sslyze, and Prometheus's blackbox_exporter.

Both run as programs and are imported by nobody. One that is not installed is told as missing, and is no failure: the
limit then stands unproved in this run.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from measuring import ratio, record

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 3
CHEAPER_THAN_SSLYZE = 15.0
NO_DEARER_THAN_BLACKBOX = 1.0
_SSLYZE = Path(__file__).parent.parent / ".venvs" / "sslyze" / "bin" / "sslyze"
_LOOKS = 600
_AT_ONCE = 32


def run(folder: str, port: int, ours: Callable[[], float]) -> bool:
    """Compare the processor's time of one probe of *ours* with theirs, and tell whether each limit is kept."""
    return all([_against_sslyze(port, ours), _against_blackbox(folder, port, ours)])


def _against_sslyze(port: int, ours: Callable[[], float]) -> bool:
    program = str(_SSLYZE) if _SSLYZE.exists() else shutil.which("sslyze")
    if program is None:
        print("  sslyze is missing ('make .venvs/sslyze' installs it): not compared")
        return True
    own = [ours() for _ in range(ROUNDS)]
    scans = [_sslyze(program, port, [], (1, 3)) for _ in range(ROUNDS)]
    alone = [_sslyze(program, port, ["--certinfo"], (5, 25)) for _ in range(ROUNDS)]
    for name, figures in (("sslyze's scan", scans), ("sslyze --certinfo", alone)):
        record("probe", name, figures, unit="s")
    print(f"  processor, sslyze's scan         {statistics.median(scans) * 1e6:8.0f} us a server")
    print(f"  processor, sslyze --certinfo     {statistics.median(alone) * 1e6:8.0f} us a server")
    middle, low, high = ratio(alone, own)
    print(f"  a probe is {middle:.1f} times cheaper than --certinfo alone  ({low:.1f} to {high:.1f})")
    middle, low, high = ratio(scans, own)
    is_good = middle >= CHEAPER_THAN_SSLYZE
    told = "within" if is_good else "BELOW"
    limit = f"limit {CHEAPER_THAN_SSLYZE:g}: {told}"
    print(f"  and {middle:.0f} times cheaper than its scan  ({low:.0f} to {high:.0f})  {limit}")
    return is_good


def _sslyze(program: str, port: int, what: list[str], counts: tuple[int, int]) -> float:
    """Return what one server more costs, so that the program's start costs nothing."""
    spent = []
    for count in counts:
        # The name is looked up nowhere: the address stands behind it.
        servers = [f"h{number}.bank.test:{port}{{127.0.0.1}}" for number in range(count)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [program, *what, "--json_out=-", *servers]
        ran = subprocess.run(command, capture_output=True, check=False, timeout=300)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        scans = json.loads(ran.stdout)["server_scan_results"]
        assert count == sum(one["scan_result"]["certificate_info"]["status"] == "COMPLETED" for one in scans), (
            ran.stderr
        )
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return (spent[1] - spent[0]) / (counts[1] - counts[0])


def _against_blackbox(folder: str, port: int, ours: Callable[[], float]) -> bool:
    program = shutil.which("prometheus-blackbox-exporter") or shutil.which("blackbox_exporter")
    if program is None:
        print("  blackbox_exporter is missing (Debian's package is prometheus-blackbox-exporter): not compared")
        return True
    config = Path(folder) / "blackbox.yml"
    tls = f"{{ca_file: {folder}/ca.pem, server_name: bank.test}}"
    config.write_text(f"modules:\n  t:\n    prober: tcp\n    timeout: 5s\n    tcp: {{tls: true, tls_config: {tls}}}\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = free.getsockname()[1]
    command = [program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{listen}", "--log.level=error"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            asyncio.run(_ask(listen, port, 50))
            theirs, own, again = [], [], []
            for _ in range(ROUNDS):
                theirs.append(_blackbox(running.pid, listen, port))
                own.append(ours())
                again.append(_blackbox(running.pid, listen, port))
        finally:
            running.terminate()
    record("probe", "blackbox_exporter", [*theirs, *again], unit="s")
    floor = floor_of(again, theirs)
    middle, low, high = ratio(own, [*theirs, *again])
    is_good = middle <= max(NO_DEARER_THAN_BLACKBOX, floor)
    print(f"  processor, blackbox_exporter     {statistics.median(theirs) * 1e6:8.0f} us a look")
    told = f"limit {NO_DEARER_THAN_BLACKBOX}, or the floor {floor:.3f}: {'within' if is_good else 'ABOVE'}"
    print(f"  ratio {middle:.3f}  ({low:.3f} to {high:.3f})  {told}")
    return is_good


def floor_of(again: list[float], first: list[float]) -> float:
    """Return how far apart two measurements of the same thing are in this run: what is closer is no difference."""
    middle, _, high = ratio(again, first)
    return max(middle, 1 / middle, high)


def _blackbox(process: int, listen: int, port: int) -> float:
    before = _spent(process)
    asyncio.run(_ask(listen, port, _LOOKS))
    return (_spent(process) - before) / _LOOKS


def _spent(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _ask(listen: int, port: int, count: int) -> None:
    """Have it look so many times, over connections that stay open, as Prometheus keeps its own."""
    left = iter(range(count))
    deadline = time.monotonic() + 30

    async def connection() -> None:
        reader, writer = await _opened(listen, deadline)
        for _ in left:
            path = f"/probe?module=t&target=127.0.0.1:{port}"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
            body = await reader.readexactly(int(length.partition(b":")[2]))
            assert b"\nprobe_success 1\n" in body, body
        writer.close()

    await asyncio.gather(*(connection() for _ in range(_AT_ONCE)))


async def _opened(listen: int, deadline: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", listen)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)
