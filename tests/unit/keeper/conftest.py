"""A bank, the publisher of its pins, and keepers that follow both."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "updates"))

from publisher import Publisher, Server

import pinscher
from pinscher.lab.authority import Authority, HeldCertificate
from pinscher.lab.server import TlsServer
from pinscher.updates import Event, Intervals

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

HOST = "bank.test"
QUICK = Intervals(least=timedelta(milliseconds=50))


def real() -> datetime:
    """Return the time of this machine, which the bank's certificates are valid at."""
    return datetime.now(UTC)


@dataclass
class World:
    """The bank's authority and keys, the repository of its pins, and a server of each."""

    folder: Path
    root: Authority
    publisher: Publisher
    repository: Server
    bank: TlsServer
    keys: dict[str, HeldCertificate]
    stack: contextlib.ExitStack
    collecting: HeldCertificate
    name: str = "bank"
    """What the policies are called; verdicts of a process are counted by it."""
    reports_to: int = 0
    """The port of a collector, if there is one."""
    events: list[Event] = field(default_factory=list)
    reported: list[Any] = field(default_factory=list)

    def policy(self, version: int, *names: str, more: str = 'on-mismatch = ["refresh", "override"]') -> pinscher.Policy:
        """Return a policy that pins the keys of these names."""
        pins = ", ".join(f'"{pinscher.Pin.of(self.keys[name].der)}"' for name in names)
        return pinscher.Policy.loads(
            f'format = 1\nname = "{self.name}"\nversion = {version}\n[hosts."{HOST}"]\npins = [{pins}]\n{more}\n'
        )

    def pin(self, name: str) -> pinscher.Pin:
        """Return the pin of a key."""
        return pinscher.Pin.of(self.keys[name].der)

    def publish(self, version: int, *names: str, more: str = 'on-mismatch = ["refresh", "override"]') -> None:
        """Publish a policy with every signature."""
        self.publisher.publish(self.policy(version, *names, more=more))

    def keeper(self, **settings: Any) -> pinscher.Keeper:
        """Return a keeper that is not started."""
        named: dict[str, Any] = {
            "root": self.publisher.root, "store": self.folder / "store", "trust": self.root.pem, "intervals": QUICK,
            "on_event": self.events.append, "report": self.reported.append, "most_patience": 0.2,
            "heal_seconds": 20.0,
        } | settings  # fmt: skip
        made = pinscher.Keeper(self.repository.address, **named)
        self.stack.callback(made.close)
        return made

    def talk(self, keeper: pinscher.Keeper) -> pinscher.Verdict:
        """Talk to the bank over a blocking socket, and return the verdict."""
        import socket

        plain: socket.socket
        with socket.create_connection(self.bank.address, timeout=10) as plain:
            with keeper.context.wrap_socket(plain, server_hostname=HOST) as secured:
                secured.sendall(b"balance")
                assert b"balance" == secured.recv(100)
                verdict: pinscher.Verdict = secured.verdict
                return verdict

    def channel(self, port: int, *, name: str = "main") -> str:
        """Return what a policy says of hosts that report to a collector on the loopback, and of that channel."""
        pin = pinscher.Pin.of(self.collecting.der)
        return (
            f'on-mismatch = ["refresh", "override"]\nreport-to = ["{name}"]\n[reporting.{name}]\n'
            f'url = "https://localhost:{port}/v1"\nheartbeats = true\nallow-private = true\npins = ["{pin}"]\n'
        )

    def asked(self) -> int:
        """Return how often the repository was asked for news."""
        return self.repository.asked["/metadata/timestamp.json"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a bank with key a, whose first published policy pins that key."""
    root = Authority.root("Bank Root")
    keys = {name: root.issue(HOST) for name in "abc"}
    publisher = Publisher(tmp_path / "publisher", real)  # type: ignore[arg-type]
    with contextlib.ExitStack() as stack:
        repository = Server(publisher.repository.public)
        stack.callback(repository.close)
        bank = stack.enter_context(TlsServer(keys["a"], protocol="echo"))
        made = World(tmp_path, root, publisher, repository, bank, keys, stack, root.issue("localhost"))
        made.publish(1, "a")
        yield made
