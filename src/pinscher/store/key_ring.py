"""The key in the keyring of a desktop: Keychain, Credential Locker, Secret Service, KWallet."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.store.errors import KeyUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyring.backend import KeyringBackend

_REMEDY = (
    "unlock the keyring; on a machine without one keep the key in a systemd credential, "
    "in a key file outside the store's folder, or use a passphrase"
)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """
    One entry of a keyring; *label* tells one store of this user from another.

    *backend* is None for the one that the ``keyring`` package chooses. What any program of this user may do with an
    unlocked keyring, another program of this user may do too.
    """

    label: str
    service: str = "pinscher"
    backend: KeyringBackend | None = None

    @property
    def place(self) -> str:
        """The entry's name."""
        return f"keyring entry {self.label} of {self.service}"

    def load(self) -> str | None:
        """Return the entry, or None."""
        with self._answering():
            return self._backend().get_password(self.service, self.label)

    def save(self, text: str) -> None:
        """Replace the entry."""
        with self._answering():
            self._backend().set_password(self.service, self.label, text)

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        # Loading it takes longer than everything else at a start; whoever keeps the key elsewhere does not pay.
        try:
            from keyring.errors import KeyringError  # noqa: PLC0415
        except ModuleNotFoundError:
            raise self._unavailable("it needs keyring: pip install 'pinscher[updates]'") from None
        try:
            yield
        except (KeyringError, RuntimeError) as error:
            raise self._unavailable(type(error).__name__) from None

    def _backend(self) -> KeyringBackend:
        from keyring import get_keyring  # noqa: PLC0415

        return self.backend or get_keyring()

    def _unavailable(self, reason: str) -> KeyUnavailableError:
        return KeyUnavailableError(f"the keyring does not answer ({reason})", path=self.place, remedy=_REMEDY)
