"""What probing many endpoints costs: processor time against ``openssl s_time -new`` and other programs, and memory."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import resource
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import rivals
from measuring import ratio, record
from rivals import floor_of

from pinscher.lab.authority import Authority
from pinscher.pin import Pin

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

HOST = "bank.test"
ENDPOINTS = 1500
ROUNDS = 5
HELD_OPEN = 1000
LIMIT, MEMORY_LIMIT = 1.0, 64.0
"""Of the processor's time of ``openssl s_time -new`` for one handshake, and in KB for one probe in flight."""

_PROBES = """
import asyncio, gc, json, mmap, resource, sys
from pathlib import Path
from pinscher.policy import Policy
from pinscher.probe import Endpoint, Trust
from pinscher.probe.survey import Limits, Survey
from pinscher.tls import chains_of
folder, port, count, in_flight, kind = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
policy = Policy.load(folder + "/pins.toml")
limits = Limits(in_flight=in_flight, per_host=in_flight, retries=0, seconds=30.0 if kind == "cpu" else 4.0)
survey = Survey(policy=policy, trust=Trust.of(folder + "/ca.pem"), chains=chains_of, limits=limits)
def endpoints(count):
    for number in range(count):
        yield Endpoint(f"h{number}.bank.test", port, connect_to="127.0.0.1")
def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE
def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
told = {"match": 0}
def tell(sighting):
    if sighting.verdict is not None and sighting.verdict.outcome.value == "match":
        told["match"] += 1
asyncio.run(survey.run(endpoints(50), tell)) if kind == "cpu" else None
if kind == "cpu":
    before = used()
    asyncio.run(survey.run(endpoints(count), tell))
    print(json.dumps({"seconds": (used() - before) / count, "match": told["match"]}))
else:
    peak = [0]
    async def watch():
        while True:
            await asyncio.sleep(0.2)
            peak[0] = max(peak[0], resident())
    async def both():
        watching = asyncio.create_task(watch())
        await survey.run(endpoints(count), tell)
        watching.cancel()
    asyncio.run(survey.run(endpoints(1), tell)) if kind == "finished" else None
    before = resident()
    asyncio.run(both())
    print(json.dumps({"octets": (peak[0] - before) / count}))
"""


def _serve(folder: str, pipe: Connection) -> None:
    """Run in another process: hand-shake on one port, accept and stay silent on another, stop half-way on a third."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/server.pem")

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read(1)
        writer.close()

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(65_536):
                pass

    async def half_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send the server's flight without its last octets, so that the client holds everything and waits."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = context.wrap_bio(incoming, outgoing, server_side=True)
        with contextlib.suppress(OSError):
            incoming.write(await reader.read(65_536))
            with contextlib.suppress(ssl.SSLWantReadError):
                secured.do_handshake()
            writer.write(outgoing.read()[:-10])
            while await reader.read(65_536):
                pass

    async def main() -> None:
        servers = [
            await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context, backlog=4096),
            await asyncio.start_server(silent, "127.0.0.1", 0, backlog=4096),
            await asyncio.start_server(half_way, "127.0.0.1", 0, backlog=4096),
        ]
        pipe.send([server.sockets[0].getsockname()[1] for server in servers])
        await asyncio.Event().wait()

    asyncio.run(main())


def run() -> bool:
    """Print the ratio and the memory with their limits, and tell whether each is kept."""
    print(f"\nprobing {ENDPOINTS} distinct endpoints, against 'openssl s_time -new' in the same run")
    if shutil.which("openssl") is None:
        print("  openssl is not installed: nothing to compare with")
        return False
    with tempfile.TemporaryDirectory() as folder:
        _write(folder)
        near, far = multiprocessing.Pipe()
        server = multiprocessing.Process(target=_serve, args=(folder, far), daemon=True)
        server.start()
        ports = near.recv()
        try:
            is_kept = [_processor(folder, ports[0]), rivals.run(folder, ports[0], lambda: _probe(folder, ports[0]))]
            return all([*is_kept, _memory(folder, ports[1:])])
        finally:
            server.terminate()
            server.join()


def _write(folder: str) -> None:
    root = Authority.root("Bench Root")
    held = root.intermediate("Bench Intermediate").issue(HOST, f"*.{HOST}")
    files = {
        "server.pem": held.key_pem + held.chain_pem,
        "ca.pem": root.pem,
        "pins.toml": (
            f'format = 1\nname = "b"\nversion = 1\n[hosts."**.{HOST}"]\npins = ["{Pin.of(held.der)}"]\n'.encode()
        ),
    }
    for name, content in files.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)


def _processor(folder: str, port: int) -> bool:
    ours: list[float] = []
    theirs: list[float] = []
    again: list[float] = []
    for _ in range(ROUNDS):
        theirs.append(_s_time(folder, port))
        ours.append(_probe(folder, port))
        again.append(_s_time(folder, port))
    record("probe", "openssl s_time -new", [*theirs, *again], unit="s")
    record("probe", "a probe with its verdict", ours, unit="s")
    floor = floor_of(again, theirs)
    middle, low, high = ratio(ours, [*theirs, *again])
    is_good = middle <= max(LIMIT, floor)
    print(f"  processor, openssl s_time -new   {statistics.median(theirs) * 1e6:8.0f} us a handshake")
    print(f"  processor, a probe with verdict  {statistics.median(ours) * 1e6:8.0f} us")
    told = f"limit {LIMIT}, or the floor {floor:.3f}: {'within' if is_good else 'ABOVE'}"
    print(f"  ratio {middle:.3f}  ({low:.3f} to {high:.3f})  {told}")
    return is_good


def _probe(folder: str, port: int) -> float:
    """Return the processor's seconds of one probe with its verdict."""
    told = _probes(folder, port, ENDPOINTS, 128, "cpu")
    assert told["match"] == ENDPOINTS + 50, told
    return told["seconds"]


def _probes(folder: str, port: int, count: int, in_flight: int, kind: str) -> dict[str, float]:
    command = [sys.executable, "-c", _PROBES, folder, str(port), str(count), str(in_flight), kind]
    ran = subprocess.run(command, capture_output=True, check=True)
    answer: dict[str, float] = json.loads(ran.stdout)
    return answer


def _s_time(folder: str, port: int) -> float:
    """Return the processor's seconds of one new session, the chain verified as ours is."""
    command = ["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", "2", "-verify", "3"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run([*command, "-CAfile", f"{folder}/ca.pem"], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    count = int(ran.stdout.partition(" connections in")[0].split()[-1])
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / count


def _memory(folder: str, ports: list[int]) -> bool:
    is_good = True
    for port, kind in zip(ports, ("silent", "half-way"), strict=True):
        figures = [_probes(folder, port, HELD_OPEN, HELD_OPEN, kind)["octets"] / 1024 for _ in range(3)]
        record("probe, memory", f"the server {kind}", figures, unit="KB", limit=MEMORY_LIMIT)
        middle = statistics.median(figures)
        is_good &= middle <= MEMORY_LIMIT
        print(
            f"  memory of a probe in flight, the server {kind:9} {middle:6.1f} KB  limit {MEMORY_LIMIT:g}: "
            f"{'within' if middle <= MEMORY_LIMIT else 'ABOVE'}"
        )
    return is_good


if __name__ == "__main__":
    raise SystemExit(not run())
