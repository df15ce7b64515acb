"""What grows with what: the size of a policy, the length of a chain, the number of endpoints, the number of reports."""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
import json
import multiprocessing
import statistics
import tempfile
import timeit
from typing import TYPE_CHECKING

import connections
import costs
import measuring
import monitor
import probe
from measuring import record

import pinscher
from pinscher.lab.authority import Authority
from pinscher.tls.judgement import ConnectionGate

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTS = (10, 100, 1_000, 10_000)
CHAIN = (2, 3, 4, 5, 6)
ENDPOINTS = (50, 200, 800)
BATCHES = 6
ROUNDS = 9


def run() -> bool:
    """Print how each cost grows; nothing here has a limit of its own."""
    for measure in (_policy, _chain, _endpoints, _reports):
        measure()
    return True


def _line(group: str, name: str, at: int, figures: list[float], unit: str) -> None:
    record(group, name, figures, unit=unit, at=at)
    middle = statistics.median(figures)
    print(f"  {name:44} {at:7} {middle:10.2f} {unit}  ({min(figures):.2f} to {max(figures):.2f})")


def _microseconds(call: Callable[[], object], number: int) -> list[float]:
    number = max(1, number // measuring.DIVISOR)
    return [seconds / number * 1e6 for seconds in timeit.repeat(call, number=number, repeat=ROUNDS)]


def _policy() -> None:
    print("\ngrowth with the policy's size, in hosts")

    def pin(name: str) -> str:
        return f"sha256/{base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()}"

    for size in HOSTS:
        hosts = {
            f"h{number}.example": {"pins": [pin(f"a{number}")], "backup-pins": [pin(f"b{number}")]}
            for number in range(size)
        }
        text = json.dumps({"format": 1, "name": "large", "version": 1, "hosts": hosts}).encode()
        loads = [figure / 1e3 for figure in _microseconds(functools.partial(pinscher.Policy.loads, text), 1)]
        _line("policy size", "a policy is read", size, loads, "ms")
        policy = pinscher.Policy.loads(text)
        for what, names in (
            ("a host", [*hosts]),
            ("a host that is not there", [f"absent{n}.example" for n in range(size)]),
        ):
            _line("policy size", f"{what} is looked up", size, _looked_up(policy, names), "us")


def _looked_up(policy: pinscher.Policy, names: list[str]) -> list[float]:
    """Look up one name after the other, so that no memory of the last one answers."""
    asked = itertools.cycle(names)
    return _microseconds(lambda: policy.lookup(next(asked)), 20_000)


def _chain() -> None:
    print("\ngrowth with the length of the validated chain, in certificates")
    for length in CHAIN:
        authority = root = Authority.root("Bench Root")
        for number in range(length - 2):
            authority = authority.intermediate(f"Bench Intermediate {number}")
        held = authority.issue(costs.HOST)
        for name, der in (("the leaf is pinned", held.der), ("the root is pinned", root.certificate)):
            policy = pinscher.Policy.loads(
                f'format = 1\nname = "b"\nversion = 1\n[hosts."{costs.HOST}"]\npins = ["{pinscher.Pin.of(der)}"]\n'
            )
            context = pinscher.PinnedContext(policy, trust=root.pem)
            client = costs._handshake(context, held)
            gate = ConnectionGate(context._bench, costs.HOST, 443, client)
            gate._inner = client._sslobj
            check = functools.partial(gate._judge, False, client.getpeercert(True))
            _line("chain length", f"a chain is judged, {name}", length, _microseconds(check, 4_000), "us")
        with connections.served(held, root) as bank:
            contexts = {"plain": bank.plain(), "pinned": bank.pinned()}
            plays = {name: (lambda c=context: connections.connect(bank, c)) for name, context in contexts.items()}
            series = measuring.race(plays, rounds=200, after=lambda secured: secured.close())
        for name, one in series.items():
            _line("chain length", f"a handshake, {name}", length, [seconds * 1e6 for seconds in one.wall], "us")


def _endpoints() -> None:
    print("\ngrowth with the number of endpoints that are probed, the processor's time of each")
    with tempfile.TemporaryDirectory() as folder:
        probe._write(folder)
        near, far = multiprocessing.Pipe()
        server = multiprocessing.Process(target=probe._serve, args=(folder, far), daemon=True)
        server.start()
        try:
            port = near.recv()[0]
            for count in ENDPOINTS:
                figures = [probe._probes(folder, port, count, 128, "cpu")["seconds"] * 1e6 for _ in range(3)]
                _line("endpoints", "an endpoint is probed", count, figures, "us")
        finally:
            server.terminate()
            server.join()


def _reports() -> None:
    print("\ngrowth with the number of reports that are stored, the time until one more is on the disk")
    chain = _presented()
    with tempfile.TemporaryDirectory() as folder:
        contender = monitor.Contender("durable", folder)
        try:
            for batch in range(BATCHES):
                contender.play(chain)
                stored = (batch + 1) * monitor.REPORTS
                _line("reports", "a report is stored", stored, [contender.wall[-1] * 1e6], "us")
                _line("reports", "the server's processor for it", stored, [contender.cpu[-1] * 1e6], "us")
        finally:
            contender.end()


def _presented() -> list[str]:
    root = Authority.root("Bench Root")
    held = root.intermediate("Bench Intermediate").issue("api.x.example")
    return [held.pem.decode(), held.authority.pem.decode(), root.pem.decode()]
