"""A real NATS server of one's own, with JetStream in a private directory and a password; it can be killed and started again."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

USER, PASSWORD = "grace", "open-sesame-after-midnight"


def program() -> str | None:
    """Return the server's program, or None where it is not installed."""
    return shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/usr/local/sbin")


class NatsServer:
    """A server on the loopback, on one port for as long as its directory is there."""

    def __init__(self, directory: Path, *, max_payload: int = 2**20) -> None:
        self.directory = directory
        self.max_payload = max_payload
        self.port = -1
        self.start()

    @property
    def url(self) -> str:
        """The address, with the password."""
        return f"nats://{USER}:{PASSWORD}@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, on the port of the last time if there was one, and wait until it takes connections."""
        (self.directory / "nats.conf").write_text(
            f'host: "127.0.0.1"\nport: {self.port}\nserver_name: "loopback"\nmax_payload: {self.max_payload}\n'
            f'jetstream {{ store_dir: "{self.directory}", max_file_store: 2147483648, max_memory_store: 1048576 }}\n'
            f'authorization {{ user: "{USER}", password: "{PASSWORD}" }}\n'
        )
        command = [str(program()), "-c", str(self.directory / "nats.conf"), "--ports_file_dir", str(self.directory)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if "Listening for client connections on" in line:
                self.port = int(line.rsplit(":", 1)[1])
            if "Server is ready" in line:
                return
        raise AssertionError("no NATS server came up")

    def stop(self) -> None:
        """End it, as an operator would."""
        self._process.terminate()
        self._process.communicate(timeout=30)

    def kill(self) -> None:
        """End it as a loss of power would, but for what the operating system has not written yet."""
        self._process.kill()
        self._process.communicate(timeout=30)


@contextlib.contextmanager
def nats_server(*, max_payload: int = 2**20) -> Iterator[NatsServer]:
    """Run a server that takes so many octets at once, and remove its directory afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="pinscher-nats-"))
    server = NatsServer(directory, max_payload=max_payload)
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(directory)
