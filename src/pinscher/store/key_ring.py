"""The key in the keyring of a desktop: Keychain, Credential Locker, Secret Service, KWallet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.store.errors import KeyUnavailableError

if TYPE_CHECKING:
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
        import keyring.errors  # noqa: PLC0415

        try:
            return self._backend().get_password(self.service, self.label)
        except (keyring.errors.KeyringError, RuntimeError) as error:
            raise self._unavailable(error) from None

    def save(self, text: str) -> None:
        """Replace the entry."""
        import keyring.errors  # noqa: PLC0415

        try:
            self._backend().set_password(self.service, self.label, text)
        except (keyring.errors.KeyringError, RuntimeError) as error:
            raise self._unavailable(error) from None

    def _backend(self) -> KeyringBackend:
        # Loading it takes longer than everything else at a start; whoever keeps the key elsewhere does not pay.
        import keyring  # noqa: PLC0415

        return self.backend or keyring.get_keyring()

    def _unavailable(self, error: Exception) -> KeyUnavailableError:
        reason = type(error).__name__
        return KeyUnavailableError(f"the keyring does not answer ({reason})", path=self.place, remedy=_REMEDY)
