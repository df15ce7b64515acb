"""A real PostgreSQL server of one's own: a free port, a private directory, TLS with any certificate, and its log."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pinscher.lab.encoding import pem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.lab.authority import HeldCertificate

USER = "ada"
PASSWORD = "correct-horse-battery-staple"
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
_ATTEMPTS = 5


def programs() -> Path | None:
    """Return the directory of the newest PostgreSQL's own programs, or None where none is installed."""
    on_path = shutil.which("initdb")
    found = [os.path.dirname(on_path)] if on_path else []
    found += sorted((place for pattern in _PLACES for place in glob.glob(pattern)), reverse=True)
    return next((Path(place) for place in found if (Path(place) / "initdb").exists()), None)


def account() -> str | None:
    """Return the user to run the server as: PostgreSQL refuses to be run by root."""
    return "postgres" if hasattr(os, "geteuid") and os.geteuid() == 0 else None


@dataclass(frozen=True)
class Cluster:
    """A database cluster on disk; ``serving`` runs it."""

    programs: Path
    directory: Path

    @contextlib.contextmanager
    def serving(
        self, held: HeldCertificate, *, port: int | None = None, largest_file: int | None = None
    ) -> Iterator[Server]:
        """
        Run the server with a certificate until the block ends, on a free port or the given one; then its log is whole.

        What would write a file beyond *largest_file* octets is refused, which the server takes as a full disk.
        """
        self._give("server.crt", pem("CERTIFICATE", *held.chain))
        self._give("server.key", held.key_pem)
        server = self._started(port, largest_file)
        try:
            yield server
        finally:
            server.stop()

    def _started(self, port: int | None, largest_file: int | None) -> Server:
        # PostgreSQL takes no port 0, so the port found free may be gone by the time it is asked for.
        for _ in range(_ATTEMPTS):
            server = Server(self._run(port or _free_port(), largest_file))
            if server.is_ready():
                return server
            server.stop()
        raise AssertionError("no PostgreSQL server came up:\n" + "".join(server.log))

    def _run(self, port: int, largest_file: int | None = None) -> tuple[subprocess.Popen[str], int]:
        settings = {
            "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off",
            "ssl": "on", "ssl_cert_file": "server.crt", "ssl_key_file": "server.key", "logging_collector": "off",
            "log_destination": "stderr", "log_connections": "on", "log_statement": "all", "log_min_messages": "info",
            "log_line_prefix": "[%a] ",
        }  # fmt: skip
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self.programs / "postgres"), "-D", str(self.directory / "data"), *options]
        if largest_file is not None:
            command = ["sh", "-c", f'ulimit -f {largest_file // 512}; exec "$@"', "sh", *command]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace", **_as_account(self))
        return process, port

    def _give(self, name: str, content: bytes) -> None:
        """Put a file where the server finds it, readable to nobody else."""
        path = self.directory / "data" / name
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        _hand_over(path)


class Server:
    """A running server and its log so far."""

    def __init__(self, running: tuple[subprocess.Popen[str], int]) -> None:
        self._process, self.port = running
        self.log: list[str] = []

    def is_ready(self) -> bool:
        """Read the log until the server takes connections, or gives up."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.log.append(line)
            if "ready to accept connections" in line:
                return True
        return False

    def stop(self) -> None:
        """End the server and every session, and read the rest of the log."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        _, rest = self._process.communicate(timeout=30)
        self.log += rest.splitlines(keepends=True)

    @contextlib.contextmanager
    def unread(self) -> Iterator[Server]:
        """Throw the log away until the block ends, and end the server: one whose log nobody reads would stop."""
        stream = self._process.stderr
        assert stream is not None
        reader = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(stream.fileno(), 65536), b"")])
        reader.start()
        try:
            yield self
        finally:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGINT)
            reader.join()

    def crash(self) -> None:
        """End the server and every session at once: nothing is put in its place, and the next start has to recover."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(timeout=30)


@contextlib.contextmanager
def cluster(where: Path, *more: str) -> Iterator[Cluster]:
    """Make a database cluster with one user, who needs TLS and a password, and remove it afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="pinscher-postgresql-"))
    try:
        _hand_over(directory)
        made = Cluster(where, directory)
        (directory / "password").write_text(PASSWORD + "\n")
        _hand_over(directory / "password")
        options = [
            "-U",
            USER,
            "-A",
            "scram-sha-256",
            "--pwfile",
            str(directory / "password"),
            "-E",
            "UTF8",
            "-N",
            *more,
        ]
        command = [str(where / "initdb"), "-D", str(directory / "data"), "--no-locale", *options]
        subprocess.run(command, check=True, capture_output=True, timeout=120, **_as_account(made))
        (directory / "data" / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        yield made
    finally:
        shutil.rmtree(directory)


def _as_account(made: Cluster) -> dict[str, object]:
    """Return how to start a program of the server's: with its account, in its directory, without our environment."""
    surroundings: dict[str, object] = {
        "cwd": made.directory,
        "env": {"PATH": os.defpath, "LC_ALL": "C"},
        "stdin": subprocess.DEVNULL,
    }
    user = account()
    return surroundings | ({"user": user, "group": user, "extra_groups": []} if user else {})


def _hand_over(path: Path) -> None:
    user = account()
    if user:
        shutil.chown(path, user, user)


def _free_port() -> int:
    """Return a port that nobody has, below those that the system gives to connections: it stays free for a restart."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with contextlib.suppress(OSError), socket.socket() as asked:
            asked.bind(("127.0.0.1", port))
            return port
