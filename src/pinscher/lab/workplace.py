"""
Where programs under test run: a private folder, and processes that do not outlive their time, nor the lab.

The folder is 0700 and what is put into it 0600. A janitor, a small process in a session of its own, waits for the end
of a pipe; so that after a crash, a SIGTERM or a SIGKILL of the lab no key, no file and no program under test is left.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from pinscher.errors import PinningError, escaped
from pinscher.lab.mitmdump import shipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import BinaryIO, Self


class ProgramError(PinningError):
    """A program under test cannot be run at all."""


class Workplace:
    """A private folder for files and programs; ``with`` ends both."""

    def __enter__(self) -> Self:
        """Make the folder, and set the janitor to watch over it."""
        self.folder = Path(tempfile.mkdtemp(prefix="pinscher-lab-"))
        self._lock = threading.Lock()
        self._groups: set[int] = set()
        self._is_closed = False
        self._janitor = subprocess.Popen(  # noqa: S603  (our own interpreter with our own text)
            [sys.executable, "-I", "-S", "-c", shipped("janitor.py"), str(self.folder)],
            stdin=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill what still runs, remove the folder, and let the janitor go."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._janitor.stdin is not None:
            self._janitor.stdin.close()
        self._janitor.wait()

    def stop(self) -> None:
        """Kill what still runs and start nothing any more; from any thread."""
        with self._lock:
            self._is_closed = True
            for group in self._groups:
                _kill(group)

    def subfolder(self) -> Path:
        """Make a folder for one case; whoever asks for it removes it."""
        return Path(tempfile.mkdtemp(prefix="case-", dir=self.folder))

    def start(self, command: Sequence[str], *, environment: Mapping[str, str], output: Path) -> Program:
        """Start a program in a process group of its own, its words going to a file."""
        with self._lock, private(output) as stream:
            if self._is_closed:
                raise ProgramError("the lab is closing")
            try:
                process = subprocess.Popen(  # noqa: S603  (the program that the user chose)
                    command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
                    env=dict(environment), process_group=0,
                )  # fmt: skip
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                raise ProgramError(f"cannot run '{escaped(command[0])}': {reason.lower()}") from None
            self._groups.add(process.pid)
            self._tell("+", process.pid)
        return Program(process, self)

    def forget(self, group: int) -> None:
        """Note that a process group has ended."""
        with self._lock:
            self._groups.discard(group)
            self._tell("-", group)

    def _tell(self, sign: str, group: int) -> None:
        if self._janitor.stdin is not None and not self._janitor.stdin.closed:
            with contextlib.suppress(OSError):
                self._janitor.stdin.write(b"%b %d\n" % (sign.encode(), group))
                self._janitor.stdin.flush()


class Program:
    """One process under test, with everything that it started."""

    def __init__(self, process: subprocess.Popen[bytes], workplace: Workplace) -> None:
        self._process = process
        self._workplace = workplace
        self._has_ended = False

    @property
    def number(self) -> int:
        """The number of the process and of its group."""
        return self._process.pid

    def wait(self) -> int:
        """Wait for the program's end, kill what it left behind in its group, and return its exit code."""
        if hasattr(os, "waitid"):
            # Not reaped before the group is killed: until then its number cannot be anybody else's.
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        else:  # pragma: no cover  (macOS before Python 3.13)
            self._process.wait()
        self.kill()
        self._has_ended = True
        self._workplace.forget(self._process.pid)
        return self._process.wait()

    def kill(self) -> None:
        """Kill the whole process group; from any thread, while somebody waits for it."""
        if not self._has_ended:
            _kill(self._process.pid)


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def private(path: Path) -> BinaryIO:
    """Open a new file that only this user can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
