"""Both ends of an update for the tests: a repository with several signers, and a loopback server that can lie."""

from __future__ import annotations

import base64
import hashlib
import http.server
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuf.api.metadata import Metadata, Signed

from pinscher import Policy
from pinscher.updates import Event, EventKind, Intervals, Limits, Updater
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
    from collections.abc import Callable, Iterable, Iterator

START = datetime(2027, 3, 1, 12, tzinfo=UTC)
"""When the tests' world begins; its clock moves only when a test says so."""
SIGNERS = ("alice", "bob", "carol", "dave")


def pin(name: str) -> str:
    """Return a pin that no key has, told by a name."""
    return "sha256/" + base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


def policy(version: int, *, host: str = "api.example", key: str | None = None, name: str = "app") -> Policy:
    """Return a small policy, whose pins tell its version."""
    return Policy.loads(
        f'format = 1\nname = "{name}"\nversion = {version}\n[hosts."{host}"]\n'
        f'pins = ["{pin(key or f"key {version}")}"]\nbackup-pins = ["{pin("backup")}"]\n'
    )


class Clock:
    """A clock that stands still until it is moved; its seconds for intervals move along."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        """Return the time."""
        return self.at

    def seconds(self) -> float:
        """Return the seconds since the beginning."""
        return (self.at - START).total_seconds()

    def move(self, **by: float) -> None:
        """Let time pass."""
        self.at += timedelta(**by)


class Publisher:
    """A repository and the keys of everybody who signs for it: two of alice, bob and carol, and one online key."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder, self.clock = folder, clock
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*SIGNERS, "online", "online2", "thief"):
            make_key(str(folder / name))
        self.keys = {name: SigningKey.load(str(folder / name)) for name in (*SIGNERS, "online", "online2", "thief")}
        self.public = {name: public_key(str(folder / f"{name}.pub")) for name in self.keys}
        self.online = ["online"]
        self.repository = Repository(folder / "repository")
        start(
            self.repository, root=self.role("alice", "bob", "carol"), targets=self.role("alice", "bob", "carol"),
            online=self.role("online", threshold=1), at=clock(),
        )  # fmt: skip
        self.signed_by("alice", "bob")

    def role(self, *names: str, threshold: int = 2) -> RoleKeys:
        """Return the keys of a role."""
        return RoleKeys(tuple(self.public[name] for name in names), threshold)

    def publish(self, new: Policy, *, by: Iterable[str] = ("alice", "bob"), role: str = "targets") -> None:
        """Publish a policy, all its signatures and the online ones with it."""
        publish(self.repository, new, role=role, at=self.clock())
        self.signed_by(*by)

    def signed_by(self, *names: str) -> None:
        """Sign what is staged, and renew."""
        for name in names:
            sign(self.repository, self.keys[name])
        self.renew()

    def renew(self) -> None:
        """Sign a new timestamp, and publish what is complete."""
        renew(self.repository, [self.keys[name] for name in self.online], at=self.clock())

    @property
    def root(self) -> bytes:
        """The first root, as a program embeds it."""
        return self.file("metadata/1.root.json")

    def file(self, name: str) -> bytes:
        """Return a file that is served."""
        return (Path(self.repository.public) / name).read_bytes()

    def forged(self, signed: Signed, *by: str) -> bytes:
        """Return metadata that somebody signed without asking anybody."""
        metadata: Metadata[Any] = Metadata(signed)
        for name in by:
            key = self.keys[name]
            signature = key.sign(metadata.signed_bytes, [self.public[name]])
            assert signature is not None
            metadata.signatures[signature.keyid] = signature
        return metadata.to_bytes()

    def signed(self, role: str) -> Any:
        """Return what a role's newest published metadata say, to be altered."""
        found = self.repository.published(role)
        assert found is not None
        return found.signed


class Server:
    """Serves a repository on the loopback, and lies where ``answers`` says so; counts what it is asked for."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.answers: dict[str, bytes | int | Callable[[], Iterator[bytes]]] = {}
        self.asked: Counter[str] = Counter()
        self.octets = 0
        self.ending = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def address(self) -> str:
        """The address of the repository."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """End the server and whatever it still sends."""
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def frozen(self) -> dict[str, bytes]:
        """Return every file as it is now, for a mirror that stands still."""
        top = Path(self.folder)
        return {f"/{path.relative_to(top)}": path.read_bytes() for path in top.rglob("*") if path.is_file()}

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 20

            def do_GET(self) -> None:
                server.asked[self.path] += 1
                answer = server.answers.get(self.path)
                if answer is None:
                    path = Path(server.folder) / self.path.lstrip("/")
                    answer = path.read_bytes() if path.is_file() else 404
                try:
                    self._give(answer)
                except OSError:
                    self.close_connection = True

            def _give(self, answer: bytes | int | Callable[[], Iterator[bytes]]) -> None:
                if isinstance(answer, int):
                    self.send_error(answer)
                elif isinstance(answer, bytes):
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                else:
                    for part in answer():
                        self.wfile.write(part)
                        server.octets += len(part)
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class Follower:
    """A client of a repository, its events, and the policies that came into force."""

    def __init__(self, publisher: Publisher, addresses: list[str], store: Path, **settings: Any) -> None:
        self.events: list[Event] = []
        self.policies: list[Policy] = []
        self.store = store
        named: dict[str, Any] = {
            "root": publisher.root, "store": store, "on_policy": self.policies.append, "on_event": self.events.append,
            "intervals": Intervals(least=timedelta()), "now": publisher.clock, "clock": publisher.clock.seconds,
            "limits": Limits(idle_seconds=60, file_seconds=60, lock_seconds=60),
        } | settings  # fmt: skip
        self.updater = Updater(addresses, **named)

    def kinds(self) -> list[EventKind]:
        """Return what was told, without the good news, and forget it."""
        kinds = [event.kind for event in self.events if event.kind.is_alarm]
        self.events.clear()
        return kinds
