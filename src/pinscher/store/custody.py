"""
Where a store's key comes from, in the three ways there are: kept by a place, derived, or provided.

A place that keeps a key also remembers that its store was made, and a counter. The order of writing is what makes a
crash harmless: the key as *pending*, the store, and then the key as *made* with the counter. A key that was made and
has no store tells that somebody took the store away.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pinscher.store.argon import one_derivation
from pinscher.store.errors import KeyUnavailableError, SealBrokenError
from pinscher.store.header import Derivation, Header
from pinscher.store.record import KeyRecord, Stage
from pinscher.store.seal import KEY_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.store.floor import Floor


class Vault(Protocol):
    """A place that keeps one short text: a keyring, a file, a credential."""

    @property
    def place(self) -> str:
        """Where that is, for people."""
        ...

    def load(self) -> str | None:
        """Return the text, or None if there is none yet."""
        ...

    def save(self, text: str) -> None:
        """Keep a text in place of the one before."""
        ...


class Custody(Protocol):
    """What a store asks of whoever has its key."""

    @property
    def place(self) -> str:
        """Where the key comes from, for people."""
        ...

    @property
    def counter(self) -> Floor:
        """The floor beside the key, or an empty one where there is none."""
        ...

    def has_made_a_store(self) -> bool:
        """Tell whether a store was made with this key; False where that is not remembered."""
        ...

    def key_of(self, header: Header) -> bytes:
        """Return the key of a store that is there."""
        ...

    def begin(self, *, anew: bool) -> tuple[bytes, Derivation | None]:
        """Return the key of a store that is about to be made; *anew* is a new key that keeps the counter."""
        ...

    def settle(self, floor: Floor) -> None:
        """Remember that the store was written, and its rollback floor."""
        ...


class KeptKey:
    """A key that this program makes and a place keeps."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    @property
    def place(self) -> str:
        """Where the key is kept."""
        return self._vault.place

    @property
    def counter(self) -> Floor:
        """The floor beside the key."""
        record = self._record()
        return record.counter if record else {}

    def holds_a_key(self) -> bool:
        """Tell whether the place keeps a key at all."""
        return self._record() is not None

    def has_made_a_store(self) -> bool:
        """Tell whether a store was made with the key."""
        record = self._record()
        return record is not None and record.stage is Stage.MADE

    def key_of(self, _header: Header) -> bytes:
        """Return the key; a store without one comes from another machine or user."""
        record = self._record()
        if record is None:
            raise SealBrokenError(
                "a sealed store lies here, and its key does not",
                path=self.place,
                remedy="if the store was copied from another machine or user, remove it here",
            )
        return record.key

    def begin(self, *, anew: bool) -> tuple[bytes, Derivation | None]:
        """Return the key of a store that is about to be made, kept as pending."""
        record = self._record()
        if record is None or anew:
            record = KeyRecord(Stage.PENDING, record.counter if record else {}, secrets.token_bytes(KEY_LENGTH))
            self._vault.save(record.write())
        return record.key, None

    def settle(self, floor: Floor) -> None:
        """Keep the key as made, and raise the counter."""
        record = self._record()
        if record is not None and record != record.made(floor):
            self._vault.save(record.made(floor).write())

    def _record(self) -> KeyRecord | None:
        text = self._vault.load()
        return None if text is None else KeyRecord.read(text, self.place)


class _WithoutMemory:
    """A key that comes from outside: nothing tells a missing store from a first start, and nothing counts."""

    @property
    def counter(self) -> Floor:
        """An empty floor."""
        return {}

    def has_made_a_store(self) -> bool:
        """Tell that this is not remembered."""
        return False

    def settle(self, floor: Floor) -> None:
        """Remember nothing: there is no place for it."""


@dataclass(frozen=True)
class ProvidedKey(_WithoutMemory):
    """32 octets that somebody provides at every start: a key management service, a mounted secret."""

    key: bytes = field(repr=False)
    place: str = "the key provided"

    def __post_init__(self) -> None:
        """Refuse a key of another length."""
        if len(self.key) != KEY_LENGTH:
            raise KeyUnavailableError(
                f"a key of {len(self.key)} octets, expected {KEY_LENGTH}",
                path=self.place,
                remedy="make one with: openssl rand -hex 32",
            )

    def key_of(self, _header: Header) -> bytes:
        """Return the key."""
        return self.key

    def begin(self, *, anew: bool) -> tuple[bytes, Derivation | None]:  # noqa: ARG002  (the key is what it is)
        """Return the key."""
        return self.key, None


@dataclass
class Passphrase(_WithoutMemory):
    """
    A passphrase, from which Argon2id makes the key (RFC 9106, the second recommended option).

    *ask* is called once, when the key is first needed. The parameters stand in the store's header, within limits.
    """

    ask: Callable[[], str] = field(repr=False)
    memory: int = 64 * 1024
    passes: int = 3
    lanes: int = 4
    place = "a passphrase"
    _known: dict[Derivation, bytes] = field(default_factory=dict, init=False, repr=False)

    def key_of(self, header: Header) -> bytes:
        """Derive the key as the header says."""
        if header.derivation is None:
            raise SealBrokenError(
                "the store was not sealed with a passphrase", path=self.place, remedy="name the place that has its key"
            )
        return self._derive(header.derivation)

    def begin(self, *, anew: bool) -> tuple[bytes, Derivation | None]:  # noqa: ARG002  (a new salt is a new key)
        """Derive a key with a new salt."""
        derivation = Derivation(self.memory, self.passes, self.lanes, os.urandom(16))
        return self._derive(derivation), derivation

    def _derive(self, how: Derivation) -> bytes:
        if how not in self._known:
            self._known[how] = _argon2id(self.ask().encode(), how)
        return self._known[how]


def _argon2id(passphrase: bytes, how: Derivation) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  (others do not pay for it)
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id  # noqa: PLC0415

    try:
        function = Argon2id(
            salt=how.salt, length=KEY_LENGTH, iterations=how.passes, lanes=how.lanes, memory_cost=how.memory
        )
        with one_derivation():
            return function.derive(passphrase)
    except (UnsupportedAlgorithm, MemoryError) as error:
        raise KeyUnavailableError(
            f"Argon2id cannot be had here ({str(error) or 'no memory'})",
            path="cryptography",
            remedy="install cryptography from its own wheels, or keep the key in another place",
        ) from None
