"""What the check, the import and a large policy cost, in microseconds and milliseconds of one run."""

from __future__ import annotations

import base64
import functools
import json
import os
import resource
import ssl
import statistics
import subprocess
import sys
import timeit
from typing import TYPE_CHECKING, Any

from measuring import record

import pinscher
from pinscher.lab.authority import Authority
from pinscher.tls.judgement import ConnectionGate

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "bank.test"


def run() -> bool:
    """Measure everything, and tell whether all is in bounds."""
    return all([_check(), _import(), _policy()])


def _report(title: str, figures: list[float], limit: float, unit: str) -> bool:
    record("costs", title, figures, unit=unit.strip(), limit=limit)
    middle = statistics.median(figures)
    is_good = middle <= limit
    spread = f"{min(figures):.2f} to {max(figures):.2f}"
    print(f"  {title:52} {middle:8.2f} {unit}  ({spread})  limit {limit}: {'within' if is_good else 'ABOVE'}")
    return is_good


def _microseconds(call: Callable[[], object], number: int = 20_000) -> list[float]:
    return [seconds / number * 1e6 for seconds in timeit.repeat(call, number=number, repeat=9)]


def _check() -> bool:
    """Judge a finished handshake again and again, to the verdict, and to the open connection."""
    print("\nthe check itself, a chain of three certificates seen before")
    root = Authority.root("Bench Root")
    held = root.intermediate("Bench Intermediate").issue(HOST)
    results = []
    for title, der, limit in (("leaf pinned", held.der, 2.0), ("root pinned", root.certificate, 10.0)):
        policy = pinscher.Policy.loads(
            f'format = 1\nname = "b"\nversion = 1\n[hosts."{HOST}"]\npins = ["{pinscher.Pin.of(der)}"]\n'
        )
        context = pinscher.PinnedContext(policy, trust=root.pem)
        client = _handshake(context, held)
        gate = ConnectionGate(context._bench, HOST, 443, client)
        gate._inner = client._sslobj
        leaf = client.getpeercert(True)
        check = functools.partial(gate._judge, False, leaf)
        results.append(_report(f"{title}, to the verdict", _microseconds(check), limit, "us"))
        everything = _microseconds(functools.partial(gate.after, client, False, leaf))
        print(f"  {title + ', registered, counted and open':52} {statistics.median(everything):8.2f} us")
    return all(results)


def _handshake(context: ssl.SSLContext, held: Any) -> Any:
    import tempfile

    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as pem:
        pem.write(held.key_pem + held.chain_pem)
        pem.flush()
        server_context.load_cert_chain(pem.name)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname=HOST)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    for _ in range(10):
        for side in tuple(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    return client


def _import() -> bool:
    """Compare whole processes, because what an import costs is what a program's start costs."""
    print("\nprocess CPU of an import, against that of 'import ssl'")
    seconds: dict[str, list[float]] = {"import ssl": [], "import pinscher": [], "import pinscher.tls": []}
    for _ in range(25):
        for statement, series in seconds.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", statement], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            series.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    plain = statistics.median(seconds["import ssl"])
    print(f"  {'import ssl':52} {plain * 1e3:8.2f} ms")
    loaded = [figure / plain for figure in seconds["import pinscher.tls"]]
    _report("import pinscher.tls, all that a context needs", loaded, 3.0, "x ")
    return _report("import pinscher", [figure / plain for figure in seconds["import pinscher"]], 1.5, "x ")


_LOAD = """
import gc, mmap, sys, time, pinscher
pinscher.Policy
def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE
text = sys.stdin.buffer.read()
pinscher.Policy.loads(b'{"format":1,"name":"small","version":1,"hosts":{"a.example":{"unpinned":"x"}}}')
before = resident()
started = time.perf_counter()
policy = pinscher.Policy.loads(text)
seconds = time.perf_counter() - started
print(seconds * 1000, (resident() - before) / 1024 ** 2)
"""


def _policy() -> bool:
    print("\na JSON policy of 10,000 hosts, two pins and a backup pin each")

    def pin() -> str:
        return "sha256/" + base64.b64encode(os.urandom(32)).decode()

    names = [f"host{number}.example.com" for number in range(10_000)]
    hosts = {name: {"pins": [pin(), pin()], "backup-pins": [pin()]} for name in names}
    text = json.dumps({"format": 1, "name": "large", "version": 1, "hosts": hosts}).encode()
    loads, sizes = [], []
    for _ in range(7):
        ran = subprocess.run([sys.executable, "-c", _LOAD], input=text, capture_output=True, check=True)
        milliseconds, megabytes = map(float, ran.stdout.split())
        loads.append(milliseconds)
        sizes.append(megabytes)
    results = [_report("ready, in a fresh process", loads, 250.0, "ms")]
    print(f"  {'resident cost':52} {statistics.median(sizes):8.2f} MB")
    policy = pinscher.Policy.loads(text)
    places = iter(range(10**9))
    results.append(
        _report("look-up, hit", _microseconds(lambda: policy.lookup(names[next(places) % 10_000])), 2.5, "us")
    )
    missing = [f"absent{number}.example.org" for number in range(10_000)]
    results.append(
        _report("look-up, miss", _microseconds(lambda: policy.lookup(missing[next(places) % 10_000])), 2.5, "us")
    )
    return all(results)
