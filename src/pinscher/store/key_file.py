"""The key in a file of this user's own, or in one that somebody provides."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass

from pinscher.store.custody import ProvidedKey
from pinscher.store.errors import KeyUnavailableError
from pinscher.store.folder import Folder, Privacy
from pinscher.store.record import LONGEST_RECORD

_HEXADECIMAL = re.compile(rb"[0-9a-fA-F]{64}\s?", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """
    A file that this program makes, readable by this user alone; its folder is one that others cannot write.

    Keep it apart from the store: whoever copies or restores both sees and undoes everything.
    """

    path: str

    @property
    def place(self) -> str:
        """The file."""
        return self.path

    def load(self) -> str | None:
        """Return the file's text, or None if there is no file yet."""
        folder = Folder.open(_folder_of(self.path), Privacy.CLOSED_FILES)
        if folder is None:
            return None
        with contextlib.closing(folder):
            content = folder.read(os.path.basename(self.path), limit=LONGEST_RECORD)
        return None if content is None else content.decode("ascii", errors="replace")

    def save(self, text: str) -> None:
        """Replace the file as a whole."""
        with contextlib.closing(Folder.make(_folder_of(self.path), Privacy.CLOSED_FILES)) as folder:
            for leftover in folder.leftovers():
                folder.remove(leftover)
            folder.replace(os.path.basename(self.path), text.encode())


def provided_key(path: str) -> ProvidedKey:
    """
    Read a key that somebody provides in a file: 32 octets, or 64 hexadecimal digits.

    So are a service's credentials, in the folder that ``$CREDENTIALS_DIRECTORY`` names. The group may be able to read
    the file, because an access list shows as the group's bits; others may not. A symbolic link is not followed.
    """
    remedy = "make one with: openssl rand -hex 32"
    folder = Folder.open(_folder_of(path), Privacy.PROVIDED_FILES)
    if folder is None:
        raise KeyUnavailableError("there is no such folder", path=path, remedy=remedy)
    with contextlib.closing(folder):
        content = folder.read(os.path.basename(path), limit=LONGEST_RECORD)
    if content is None:
        raise KeyUnavailableError("there is no such file", path=path, remedy=remedy)
    return ProvidedKey(bytes.fromhex(content.decode()) if _HEXADECIMAL.fullmatch(content) else content, path)


def _folder_of(path: str) -> str:
    return os.path.dirname(os.path.abspath(path))
