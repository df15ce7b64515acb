"""What the pytest plugin hands to an application's tests."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.errors import PinningError
from pinscher.lab.authority import Authority
from pinscher.lab.client import CannotExpressError, Client, Contestant, Reply
from pinscher.lab.errand import Errand
from pinscher.lab.scenario import Capability
from pinscher.lab.server import HOST, TlsServer
from pinscher.lab.workplace import private
from pinscher.pin import Pin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pinscher.lab.scenario import Visit


@dataclass(frozen=True, slots=True)
class RogueServer:
    """A hostile server on the loopback: what a client under test must not send a byte to."""

    server: TlsServer

    @property
    def url(self) -> str:
        """The address to ask for, under the name that is pinned."""
        return f"https://localhost:{self.server.port}/"

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.server.port

    @property
    def application_bytes(self) -> int:
        """How many bytes it decrypted, once every connection made so far has ended."""
        self.server.wait_idle()
        return self.server.application_bytes


@dataclass(frozen=True, slots=True)
class GenuineServer(RogueServer):
    """The server that the policy pins."""

    ca_file: Path
    """PEM: the authority that the client trusts."""
    policy_file: Path
    """TOML: pins the server's key for ``localhost`` and denies every other host."""
    pins: tuple[str, ...]
    authority: Authority
    """Who issued the certificate; it issues the impostor's as well."""

    @classmethod
    @contextlib.contextmanager
    def listening(cls, folder: Path) -> Iterator[GenuineServer]:
        """Listen on a free port, with the files in *folder*."""
        root = Authority.root()
        authority = root.intermediate()
        held = authority.issue("localhost", HOST)
        pin = str(Pin.of(held.der))
        files = {"ca.pem": root.pem, "policy.toml": _POLICY.format(pin=pin).encode()}
        for name, content in files.items():
            with private(folder / name) as file:
                file.write(content)
        with TlsServer(held) as server:
            yield cls(server, folder / "ca.pem", folder / "policy.toml", (pin,), authority)

    @contextlib.contextmanager
    def impostor(self) -> Iterator[RogueServer]:
        """Listen with a new key under the same authority and name."""
        with TlsServer(self.authority.issue("localhost", HOST)) as server:
            yield RogueServer(server)


_POLICY = """format = 1
name = "test"
version = 1

[hosts."localhost"]
pins = ["{pin}"]
# A backup key that nobody holds.
backup-pins = ["sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
"""


class CallableClient:
    """A function of a test as a client; what it raises is a refusal."""

    def __init__(
        self, connect: Callable[[Errand], object], folder: Path, refusals: tuple[type[BaseException], ...]
    ) -> None:
        self._connect = connect
        self._folder = folder
        self._refusals: tuple[type[BaseException], ...] = (*refusals, PinningError)

    @classmethod
    def contestant(
        cls, connect: Callable[[Errand], object], folder: Path, refusals: tuple[type[BaseException], ...],
        can: Iterable[str],
    ) -> Contestant:  # fmt: skip
        """Return the function as a contestant; *can* is the words of :class:`Capability`."""

        def new() -> Client:
            return cls(connect, folder, refusals)

        return Contestant(getattr(connect, "__name__", "client"), frozenset(map(Capability, can)), new)

    def visit(self, visit: Visit) -> Reply:
        """Call the function with the files of the visit."""
        try:
            self._connect(Errand.of(visit, self._folder))
        except CannotExpressError:
            raise
        except self._refusals as error:
            return Reply(accepted=False, said=f"{type(error).__name__}: {error}")
        return Reply(accepted=True)

    def close(self) -> None:
        """Leave everything to the test."""
