"""The key in a systemd credential: a file that only this machine's host key or TPM opens."""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import dataclass

from pinscher.errors import escaped
from pinscher.store.errors import KeyUnavailableError
from pinscher.store.folder import Folder, Privacy

_LARGEST = 64 * 1024
_SECONDS = 30


@dataclass(frozen=True, slots=True)
class SystemdCredential:
    """
    A credential file that ``systemd-creds`` seals and opens, under the name that it was sealed for.

    By itself ``systemd-creds`` uses the TPM where there is one, and the host's key otherwise; reading the host's key
    takes root. A service without root is given the opened credential by ``LoadCredentialEncrypted=``: then use
    ``provided_key``.
    """

    path: str
    name: str = "pinscher"
    program: str = "systemd-creds"

    @property
    def place(self) -> str:
        """The credential's file."""
        return self.path

    def load(self) -> str | None:
        """Return the credential's text, or None if there is no file yet."""
        folder = Folder.open(self._folder(), Privacy.CLOSED_FILES)
        if folder is None:
            return None
        with contextlib.closing(folder):
            content = folder.read(os.path.basename(self.path), limit=_LARGEST)
        if content is None:
            return None
        return self._run("decrypt", content).decode("ascii", errors="replace")

    def save(self, text: str) -> None:
        """Seal a text, and replace the file as a whole."""
        content = self._run("encrypt", text.encode())
        with contextlib.closing(Folder.make(self._folder(), Privacy.CLOSED_FILES)) as folder:
            for leftover in folder.leftovers():
                folder.remove(leftover)
            folder.replace(os.path.basename(self.path), content)

    def _folder(self) -> str:
        return os.path.dirname(os.path.abspath(self.path))

    def _run(self, verb: str, given: bytes) -> bytes:
        try:
            ran = subprocess.run(  # noqa: S603  (a program that the caller names, and no shell)
                [self.program, verb, f"--name={self.name}", "-", "-"],
                input=given,
                capture_output=True,
                check=False,
                timeout=_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise self._unavailable(verb, str(error)) from None
        if ran.returncode != 0:
            raise self._unavailable(verb, ran.stderr.decode(errors="replace").strip())
        return ran.stdout

    def _unavailable(self, verb: str, reason: str) -> KeyUnavailableError:
        return KeyUnavailableError(
            f"{os.path.basename(self.program)} cannot {verb} the credential ({escaped(reason)})",
            path=self.path,
            remedy="a credential opens on the machine that sealed it, as root, under the name it was sealed for",
        )
