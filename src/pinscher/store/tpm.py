"""
The key in a file that one TPM opens, and a counter in that TPM that makes an older copy of the file worthless.

Rules of this file:

1. The file says the count at which it was written. A file below the TPM's count is an older copy, and refused: so
   whoever restores the store together with its key's file, or a whole disk, is found out.
2. A save writes the file one count ahead and then lets the TPM count. Whoever is killed in between leaves a file ahead
   of the TPM, which is the newest there is, and the next save catches up.
3. A second index is defined while the first file is made, and removed by the next save. Without it a counter that has
   counted and has no file tells that somebody took the file away.
4. A reader asks the TPM before it reads the file, so that a writer in between cannot make the file look old.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from dataclasses import dataclass, field, replace
from typing import Self

from pinscher.store.errors import KeyUnavailableError, SealBrokenError
from pinscher.store.folder import Folder, Privacy
from pinscher.store.lock import locked
from pinscher.store.seal import NotOpenedError, boxed, unboxed
from pinscher.store.tpm_device import SEALED_LENGTH, Sealed, TpmDevice

_LARGEST = 16 * 1024
_LOCK_SECONDS = 10.0
_FORM = re.compile(
    rb"(pinscher-tpm 1 ([0-9]{1,19}) ([0-9a-f]{2,2048}) ([0-9a-f]{2,2048}) ([0-9a-f]{24})) ([0-9a-f]{34,4096})\n",
    re.ASCII,
)
_OWNERS_FIRST, _OWNERS_COUNT = 0x01800000, 0x00400000
"""The numbers of indices that the registry of the Trusted Computing Group leaves to a TPM's owner."""
DEVICE = "device:/dev/tpmrm0"
"""The kernel's resource manager, which several programs may use at once."""


@dataclass(frozen=True, slots=True)
class Tpm:
    """
    A file that only this machine's TPM opens, and only while it is the newest that was written.

    *interface* is a TCTI, as the programs of tpm2-tools take it. *index* is the number of the counter, an even one of
    the owner's range; it follows from the file's path unless it is said. The TPM's owner needs no password.

    It does not keep root out: who may clear the TPM or remove its indices can begin anew, and can never make an older
    file the newest.
    """

    path: str
    interface: str = DEVICE
    index: int = -1
    _opened: dict[Sealed, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Choose the counter's number."""
        if self.index == -1:
            object.__setattr__(self, "index", _index_of(self.path))
        if self.index % 2 or not 0 <= self.index - _OWNERS_FIRST < _OWNERS_COUNT:
            raise ValueError(f"an index is an even number from 0x01800000 to 0x01bffffe, found {self.index:#x}")

    @property
    def place(self) -> str:
        """The key's file."""
        return self.path

    def load(self) -> str | None:
        """Return the text, or None if none was ever saved here."""
        with TpmDevice.open(self.interface, self.path) as device:
            try:
                found = self._found(device)
            except SealBrokenError:
                # A first save may have ended between the question and the reading.
                found = self._found(device)
        return None if found is None else found[1]

    def save(self, text: str) -> None:
        """Seal a text, replace the file as a whole, and count (rule 2)."""
        with contextlib.closing(Folder.make(self._folder(), Privacy.CLOSED_FILES)) as folder:
            lock = os.path.join(folder.path, f".{os.path.basename(self.path)}.lock")
            with locked(lock, _LOCK_SECONDS), TpmDevice.open(self.interface, self.path) as device:
                before = self._found(device)
                blob = self._begun(device) if before is None else self._caught_up(device, before[0])
                for leftover in folder.leftovers():
                    folder.remove(leftover)
                folder.replace(os.path.basename(self.path), blob.holding(text, self._key(device, blob.sealed)))
                if before is not None:
                    device.step(self.index)
                    device.undefine(self.index + 1)

    def _begun(self, device: TpmDevice) -> _Blob:
        """Return a first blob, at the count of a counter that is there from now on (rule 3)."""
        device.define(self.index + 1)
        device.define(self.index)
        count = device.step(self.index)
        key = secrets.token_bytes(SEALED_LENGTH)
        blob = _Blob(count, device.seal(key))
        self._opened[blob.sealed] = key
        return blob

    def _caught_up(self, device: TpmDevice, blob: _Blob) -> _Blob:
        """Return the blob of the next count, the TPM being at this one's (rule 2)."""
        if device.count(self.index) != blob.count:
            device.step(self.index)
        return replace(blob, count=blob.count + 1)

    def _found(self, device: TpmDevice) -> tuple[_Blob, str] | None:
        """Return the newest blob and its text, or None before the first; the TPM is asked first (rule 4)."""
        count, is_begun = device.count(self.index), device.has(self.index + 1)
        content = self._content()
        if content is None:
            if count and not is_begun:
                raise self._broken("the key's file is gone, and the TPM's counter remembers it")
            return None
        blob, nonce, box = _Blob.read(content, self.path)
        text = blob.text(nonce, box, self._key(device, blob.sealed), self.path)
        if not count:
            raise self._broken("the TPM's counter is gone, or the key's file comes from another place")
        if blob.count < count:
            raise self._broken(
                f"the key's file is an older copy, of count {blob.count}: the TPM has counted to {count}"
            )
        return blob, text

    def _key(self, device: TpmDevice, sealed: Sealed) -> bytes:
        if sealed not in self._opened:
            self._opened[sealed] = device.opened(sealed)
        return self._opened[sealed]

    def _content(self) -> bytes | None:
        folder = Folder.open(self._folder(), Privacy.CLOSED_FILES)
        if folder is None:
            return None
        with contextlib.closing(folder):
            return folder.read(os.path.basename(self.path), limit=_LARGEST)

    def _folder(self) -> str:
        return os.path.dirname(os.path.abspath(self.path))

    def _broken(self, reason: str) -> SealBrokenError:
        return SealBrokenError(
            reason,
            path=self.path,
            remedy="find out who did it; then remove the store, the key's file and the counter, and begin from the "
            f"embedded floor: tpm2_nvundefine 0x{self.index:08x}",
        )


@dataclass(frozen=True, slots=True)
class _Blob:
    """A file's count, and the key that opens the rest of it, as the TPM sealed it."""

    count: int
    sealed: Sealed

    def holding(self, text: str, key: bytes) -> bytes:
        """Return the file with a text."""
        nonce = secrets.token_bytes(12)
        head = self._head(nonce)
        return b"%b %b\n" % (head, boxed(text.encode(), nonce, head, key).hex().encode())

    def _head(self, nonce: bytes) -> bytes:
        words = (str(self.count), self.sealed.public.hex(), self.sealed.private.hex(), nonce.hex())
        return f"pinscher-tpm 1 {' '.join(words)}".encode()

    def text(self, nonce: bytes, box: bytes, key: bytes, path: str) -> str:
        """Return the file's text."""
        try:
            return unboxed(box, nonce, self._head(nonce), key).decode("ascii", errors="replace")
        except NotOpenedError:
            raise SealBrokenError(
                "the key's file was changed since it was sealed", path=path, remedy="restore the newest copy of it"
            ) from None

    @classmethod
    def read(cls, content: bytes, path: str) -> tuple[Self, bytes, bytes]:
        """Read a file's blob, its nonce and what is boxed; raise :class:`KeyUnavailableError` for anything else."""
        found = _FORM.fullmatch(content)
        try:
            if found is None:
                raise ValueError("no file of a key")  # noqa: TRY301  (as hexadecimal digits that are cut)
            public, private, nonce, box = (bytes.fromhex(found[part].decode()) for part in (3, 4, 5, 6))
        except ValueError:
            raise KeyUnavailableError(
                "what is kept here is no key that a TPM sealed",
                path=path,
                remedy="name another file, or remove this one",
            ) from None
        return cls(int(found[2]), Sealed(public, private)), nonce, box


def _index_of(path: str) -> int:
    """Return the number of the counter for a file, which others of this machine are unlikely to have."""
    digest = hashlib.sha256(b"pinscher store " + os.fsencode(os.path.abspath(path))).digest()
    return _OWNERS_FIRST + (int.from_bytes(digest[:4], "big") % _OWNERS_COUNT) // 2 * 2
