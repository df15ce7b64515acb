"""What following a repository costs: a check that finds nothing new, a new policy, a start from the store."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import connections
from measuring import Series, compare, race, record

from pinscher import Keeper, Pin, PinnedContext, Policy
from pinscher.keeper import Reporting
from pinscher.lab.authority import Authority
from pinscher.lab.protocols.http import read_request, response
from pinscher.lab.server import TlsServer
from pinscher.updates import Intervals, Updater
from pinscher.updates.repository import (
    Repository,
    RoleKeys,
    SigningKey,
    make_key,
    public_key,
    publish,
    renew,
    sign,
    start,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.lab.authority import HeldCertificate
    from pinscher.lab.conversation import Conversation

LARGE = 10_000
"""Hosts of a large policy."""
NO_WAIT = Intervals(least=timedelta())


def run() -> bool:
    """Measure everything, and tell whether all is in bounds."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = all([_follow(Path(folder) / "small", 10), _follow(Path(folder) / "large", LARGE)])
        kept = [
            _kept_handshakes(Path(folder) / "kept", "handshakes of a kept context, beside one that nobody keeps"),
            _kept_handshakes(Path(folder) / "told", "the same, with a reporter that sends heartbeats", reports=True),
        ]
        return all(kept) and sizes


_CHANNEL = """report-to = ["main"]
[reporting.main]
url = "https://localhost:{port}/v1"
heartbeats = true
allow-private = true
"""


def _kept_handshakes(folder: Path, title: str, *, reports: bool = False) -> bool:
    """Compare a pinned context that a keeper keeps ('pinned') with one that nobody does ('plain'), both matching."""
    root = Authority.root("Bench Root")
    held = root.issue(connections.HOST)
    collector = root.issue("localhost")
    with TlsServer(collector, protocol=_store) as collecting:
        text = (
            f'format = 1\nname = "bench"\nversion = 1\n[hosts."{connections.HOST}"]\npins = ["{Pin.of(held.der)}"]\n'
            'on-mismatch = ["refresh", "override"]\n'
        )
        kept = Policy.loads(text + (_CHANNEL.format(port=collecting.port) if reports else ""))
        series = _raced(folder, held, root, plain=Policy.loads(text), kept=kept)
        if reports:
            print(f"  heartbeats that were stored meanwhile: {len(collecting.evidence.connections)}")
    return compare(title, series, limit=1.02)


def _store(conversation: Conversation) -> None:
    """Answer that a heartbeat is stored."""
    conversation.secure()
    if read_request(conversation) is not None:
        conversation.send(response(201, b""))


def _raced(folder: Path, held: HeldCertificate, root: Authority, *, plain: Policy, kept: Policy) -> dict[str, Series]:
    """Measure handshakes of two contexts that nobody keeps, and of one that follows a repository."""
    publisher = _Publisher(folder)
    publisher.publish(kept)
    server = publisher.serve()
    try:
        with (
            connections.served(held, root) as bank,
            Keeper(
                publisher.address, root=publisher.root, store=folder / "store", trust=root.pem,
                reporting=Reporting(trust=root.pem, heartbeat=5.0),
            ) as keeper,
        ):  # fmt: skip
            contexts = {name: PinnedContext(plain, trust=root.pem) for name in ("plain", "plain again")}
            contexts["pinned"] = keeper.context
            contenders = {name: (lambda one=one: connections.connect(bank, one)) for name, one in contexts.items()}
            return race(contenders, rounds=1000, after=ssl.SSLSocket.close)
    finally:
        server.terminate()
        server.wait()


def _policy(version: int, hosts: int) -> Policy:
    def pin(text: str) -> str:
        return "sha256/" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    entries = "".join(
        f'[hosts."h{n}.bank.test"]\npins = ["{pin(str(n))}"]\nbackup-pins = ["{pin("b")}"]\n' for n in range(hosts)
    )
    return Policy.loads(f'format = 1\nname = "bench"\nversion = {version}\n{entries}')


class _Publisher:
    """A repository of two signers and an online key, and a server of it that is a process of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        for name in ("alice", "bob", "online"):
            make_key(str(folder / name))
        self._keys = {name: SigningKey.load(str(folder / name)) for name in ("alice", "bob", "online")}
        public = {name: public_key(str(folder / f"{name}.pub")) for name in self._keys}
        both = RoleKeys((public["alice"], public["bob"]), 2)
        self._repository = Repository(folder / "repository")
        start(self._repository, root=both, targets=both, online=RoleKeys((public["online"],), 1), at=datetime.now(UTC))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}"

    def publish(self, policy: Policy) -> None:
        """Publish with every signature."""
        publish(self._repository, policy, at=datetime.now(UTC))
        for name in ("alice", "bob"):
            sign(self._repository, self._keys[name])
        renew(self._repository, [self._keys["online"]], at=datetime.now(UTC))

    @property
    def root(self) -> bytes:
        """The embedded root."""
        return (Path(self._repository.public) / "metadata" / "1.root.json").read_bytes()

    def serve(self) -> subprocess.Popen[bytes]:
        """Start the server, and wait until it listens."""
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "http.server",
                "--bind",
                "127.0.0.1",
                "--directory",
                self._repository.public,
                str(self._port),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return server


def _follow(folder: Path, hosts: int) -> bool:
    print(f"\nfollowing a repository over loopback HTTP, {hosts} hosts, processor's time of the client")
    publisher = _Publisher(folder)
    publisher.publish(_policy(1, hosts))
    server = publisher.serve()
    try:
        updater = Updater(publisher.address, root=publisher.root, store=folder / "store", intervals=NO_WAIT)
        first = _cpu(updater.refresh, 1)
        checks = _cpu(updater.refresh, 50)
        starts = _cpu(
            lambda: Updater(publisher.address, root=publisher.root, store=folder / "store", intervals=NO_WAIT).start(),
            9,
        )
        publisher.publish(_policy(2, hosts))
        news = _cpu(updater.refresh, 1)
    finally:
        server.terminate()
        server.wait()
    _report("the first policy, fetched, verified and stored", first, None)
    _report("a newer policy", news, None)
    starting = f"a start from the plain folder, {hosts} hosts, all of it verified"
    _report(starting, starts, 400.0 if hosts == LARGE else None)
    return _report(f"a check that finds nothing new, {hosts} hosts", checks, 10.0)


def _cpu(call: Callable[[], object], times: int) -> list[float]:
    """Return the milliseconds of the processor that each call took."""
    figures = []
    for _ in range(times):
        began = time.process_time()
        call()
        figures.append((time.process_time() - began) * 1e3)
    return figures


def _report(title: str, figures: list[float], limit: float | None) -> bool:
    record("updates", title, figures, unit="ms", limit=limit)
    middle = statistics.median(figures)
    is_good = limit is None or middle <= limit
    bounds = "" if limit is None else f"  limit {limit}: {'within' if is_good else 'ABOVE'}"
    print(f"  {title:52} {middle:8.2f} ms  ({min(figures):.2f} to {max(figures):.2f}){bounds}")
    return is_good


if __name__ == "__main__":
    sys.exit(0 if run() else 1)
