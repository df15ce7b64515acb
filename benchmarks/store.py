"""What it takes to start from a sealed store with 10,000 hosts, and to write to it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time

from pinscher.store import KeptKey, KeyFile, Passphrase, SealedStore

HOSTS = 10_000
ROUNDS = 9
STARTED = 400.0
"""Milliseconds from the first import to a policy that is in force."""
PROGRAM = """
import sys, time
started = time.perf_counter()
from pinscher.store import KeptKey, KeyFile, Passphrase, SealedStore
folder, kind = sys.argv[1:]
key = KeptKey(KeyFile(folder + "/keys/key")) if kind == "file" else Passphrase(lambda: "a passphrase")
with SealedStore.open(f"{folder}/{kind}", key) as store:
    octets = store.read("bundle")
opened = time.perf_counter()
from pinscher.policy import Policy
policy = Policy.loads(octets)
ended = time.perf_counter()
assert len(policy.hosts) == 10_000
print(opened - started, ended - started)
"""


def run() -> bool:
    """Print every figure with its limit, and tell whether each is kept."""
    print(f"\nthe sealed store, a policy of {HOSTS} hosts, the median of {ROUNDS} processes")
    bundle = _bundle()
    with tempfile.TemporaryDirectory() as folder:
        custodies = {"file": KeptKey(KeyFile(f"{folder}/keys/key")), "passphrase": Passphrase(lambda: "a passphrase")}
        is_good = True
        for kind, custody in custodies.items():
            with SealedStore.open(f"{folder}/{kind}", custody) as store:
                store.write({"bundle": bundle}, floor={"policy": (0, 1)})
            opened, started = (statistics.median(column) * 1e3 for column in zip(*_starts(folder, kind), strict=True))
            print(f"  {f'opened with a key from a {kind}':40} {opened:8.2f} ms, imports included")
            print(
                f"  {'  and its policy read':40} {started:8.2f} ms   limit {STARTED:g}: "
                f"{'within' if started <= STARTED else 'ABOVE'}"
            )
            is_good &= started <= STARTED
        with SealedStore.open(f"{folder}/file", custodies["file"]) as store:
            for what, content in (("1 kB written", bytes(1000)), (f"{len(bundle) >> 10} kB written", bundle)):
                print(f"  {what:40} {_median(lambda c=content: store.write({'x': c})):8.2f} ms, with its syncs")
        print(f"  {'1 kB written and synced, no store':40} {_median(lambda: _plain(folder)):8.2f} ms")
    return is_good


def _bundle() -> bytes:
    """Return the canonical JSON of a policy with two pins for each host."""
    from pinscher.policy import Policy

    def pin(text: str) -> str:
        return f"sha256/{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

    hosts = "".join(
        f'[hosts."h{number}.example"]\npins = ["{pin(f"a{number}")}"]\nbackup-pins = ["{pin(f"b{number}")}"]\n'
        for number in range(HOSTS)
    )
    return Policy.loads(f'format = 1\nname = "large"\nversion = 1\n{hosts}').to_json()


def _starts(folder: str, kind: str) -> list[tuple[float, float]]:
    command = [sys.executable, "-c", PROGRAM, folder, kind]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(ROUNDS)]
    return [(float(opened), float(started)) for opened, started in runs]


def _median(play: object) -> float:
    seconds = []
    for _ in range(20):
        started = time.perf_counter()
        play()  # type: ignore[operator]
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds) * 1e3


def _plain(folder: str) -> None:
    with contextlib.closing(open(f"{folder}/plain", "wb")) as stream:
        stream.write(bytes(1000))
        stream.flush()
        os.fsync(stream.fileno())


if __name__ == "__main__":
    raise SystemExit(not run())
