"""A TPM in software (swtpm) with its state in a private folder, reached over a socket in it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = shutil.which("swtpm")
HAS_BINDINGS = importlib.util.find_spec("tpm2_pytss") is not None
needs_bindings = pytest.mark.skipif(
    not HAS_BINDINGS and not os.environ.get("CI"),
    reason="tpm2-pytss is not installed; it is built where its headers are",
)


class SoftwareTpm:
    """A running TPM; ``interface`` is its address for the programs that talk to one."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._socket = os.path.join(folder, "socket")
        self.interface = f"swtpm:path={self._socket}"
        self._number: int | None = None

    def start(self) -> None:
        """Switch it on; the program ends its parent once it listens."""
        assert PROGRAM is not None
        number = Path(self._folder, "number")
        arguments = [
            "--tpm2", "--daemon", "--tpmstate", f"dir={self._folder}", "--pid", f"file={number}",
            "--server", f"type=unixio,path={self._socket}", "--ctrl", f"type=unixio,path={self._socket}.ctrl",
            "--flags", "not-need-init,startup-clear",
        ]  # fmt: skip
        subprocess.run([PROGRAM, "socket", *arguments], check=True, capture_output=True, timeout=30)
        self._number = int(number.read_text())

    def stop(self) -> None:
        """Switch it off."""
        if self._number is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._number, signal.SIGTERM)
            self._number = None
        for end in ("", ".ctrl"):
            Path(f"{self._socket}{end}").unlink(missing_ok=True)


@contextlib.contextmanager
def software_tpm() -> Iterator[SoftwareTpm]:
    """Run a new TPM, which nobody has used; skip outside CI where there is none."""
    if (PROGRAM is None or not HAS_BINDINGS) and not os.environ.get("CI"):
        pytest.skip("swtpm or tpm2-pytss is not installed")
    # A socket's path is short; the folder of a test may not be.
    with tempfile.TemporaryDirectory(prefix="tpm") as folder:
        made = SoftwareTpm(folder)
        made.start()
        try:
            yield made
        finally:
            made.stop()
