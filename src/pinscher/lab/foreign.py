"""
Any program as a client under test: run once for each visit, judged by its exit code and by what the servers saw.

Exit 0 says that the program got through, anything else that it refused or failed.
"""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

from pinscher.lab.client import Client, Contestant, Reply
from pinscher.lab.errand import Errand, check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pinscher.lab.scenario import Capability, Visit
    from pinscher.lab.workplace import Program, Workplace


def program(
    command: Sequence[str], *, workplace: Workplace, capabilities: Iterable[Capability] = (), name: str | None = None
) -> Contestant:
    """Return the contestant that runs *command*, its placeholders filled, with the files in *workplace*."""
    check(command)

    def filled(errand: Errand, _: Visit) -> Sequence[str]:
        return errand.filled(command)

    return commanded(name or command[0], filled, workplace=workplace, capabilities=capabilities)


def commanded(
    name: str,
    command: Callable[[Errand, Visit], Sequence[str]],
    *,
    workplace: Workplace,
    capabilities: Iterable[Capability],
    note: str = "",
) -> Contestant:
    """Return the contestant that runs what *command* makes of each visit; see :class:`ForeignClient`."""

    def new() -> Client:
        return ForeignClient(command, workplace)

    return Contestant(name, frozenset(capabilities), new, note)


class ForeignClient:
    """Runs a program for each visit of one case, in a folder that is gone when it is closed."""

    def __init__(self, command: Callable[[Errand, Visit], Sequence[str]], workplace: Workplace) -> None:
        self._command = command
        self._workplace = workplace
        self._folder = workplace.subfolder()
        self._lock = threading.Lock()
        self._running: Program | None = None
        self._is_closed = False

    def visit(self, visit: Visit) -> Reply:
        """Run the program to its end."""
        errand = Errand.of(visit, self._folder)
        output = self._folder / "output.txt"
        output.unlink(missing_ok=True)
        command = self._command(errand, visit)
        running = self._workplace.start(command, environment=errand.environment, output=output)
        with self._lock:
            self._running = running
            if self._is_closed:
                running.kill()
        code = running.wait()
        with output.open("rb") as words:
            return Reply(accepted=code == 0, said=_said(code, words.read(_KEPT)))

    def close(self) -> None:
        """Kill what still runs and remove the files."""
        with self._lock:
            self._is_closed = True
            if self._running is not None:
                self._running.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


_KEPT = 8192
"""How many bytes of a program's words are kept."""


def _said(code: int, output: bytes) -> str:
    ended = f"exit {code}" if code >= 0 else f"killed by signal {-code}"
    return f"{ended}\n{output.decode('utf-8', 'backslashreplace')}"
