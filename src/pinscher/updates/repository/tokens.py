"""
A key in a PKCS#11 token, by its address (RFC 7512): ``pkcs11:token=alice;id=%02?module-path=/usr/lib/...so``.

Rules of this file:

1. A PIN is asked for, or read from the file that ``pin-source`` names; an address that holds one is refused, because
   whoever lists the processes of a machine reads their arguments.
2. A PIN is asked for once and tried once: a token locks itself after a few wrong ones.
3. An attribute that is not understood is refused, so that no other key signs than was meant.

``securesystemslib`` speaks to the token, through ``python-pkcs11``. It signs with ECDSA keys of P-256 and P-384, and
knows a key by its identifier.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import HSMSigner, SSlibKey

from pinscher.errors import escaped
from pinscher.updates.repository.errors import SigningKeyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from securesystemslib.signer import Key, Signature

    AskPin = Callable[[str], str | None]
    """What is asked for the PIN of a token, by the token's label; None when nobody answers."""

SCHEMES = ("pkcs11", HSMSigner.SCHEME)
_LIBRARY = "PYKCS11LIB"
_LONGEST_PIN = 256


@dataclass
class Token:
    """One key of one token; nothing is opened before it is used."""

    place: str
    label: str | None = None
    identifier: int = HSMSigner.SCHEME_KEYID
    library: str | None = None
    pin_file: str | None = None
    ask: AskPin | None = field(default=None, repr=False)
    _pin: str | None = field(default=None, init=False, repr=False)

    @classmethod
    def parse(cls, place: str, ask: AskPin | None = None) -> Self:
        """Read an address; raise :class:`SigningKeyError` for one that is not understood (rule 3)."""
        scheme, _, rest = place.partition(":")
        path, _, query = rest.partition("?")
        if scheme == HSMSigner.SCHEME:
            given = {"id": path} if path else {}
            given |= {"token" if name == "label" else name: value for name, value in parse_qsl(query)}
        else:
            parts = [*filter(None, path.split(";")), *filter(None, query.split("&"))]
            given = dict(_attribute(part) for part in parts)
            if len(given) != len(parts):
                raise SigningKeyError("the address of a key in a token says an attribute twice")
        if "pin-value" in given:
            raise SigningKeyError("a PIN does not stand in an address (pin-value); it is asked for, or pin-source=FILE")
        odd = sorted(given.keys() - {"token", "id", "type", "module-path", "pin-source"})
        if odd:
            raise SigningKeyError(
                f"the address of a key in a token says {', '.join(map(escaped, odd))}, which is not understood; "
                "expected token, id, module-path and pin-source"
            )
        identifier = _number(given["id"], scheme) if "id" in given else HSMSigner.SCHEME_KEYID
        pin_file = given.get("pin-source")
        return cls(
            place, given.get("token"), identifier, given.get("module-path"),
            pin_file.removeprefix("file://").removeprefix("file:") if pin_file else None, ask,
        )  # fmt: skip

    @property
    def name(self) -> str:
        """What the token is called."""
        return self.label or "token"

    def public_key(self) -> SSlibKey:
        """Read the public key from the token."""
        with self._answering():
            return HSMSigner.import_(self.identifier, self.label, self._asked)[1]

    def sign(self, content: bytes, candidates: Iterable[Key]) -> Signature | None:
        """Sign for that of the candidates which is this key, or return None when none of them is."""
        own = self.public_key()
        for key in candidates:
            if isinstance(key, SSlibKey) and key.keyval == own.keyval:
                with self._answering():
                    return HSMSigner(self.identifier, key, self._asked, self.label).sign(content)
        return None

    def _asked(self, _what: str) -> str:
        """Return the PIN (rules 1 and 2)."""
        if self._pin is None:
            given = _of_file(self.pin_file) if self.pin_file else self.ask(self.name) if self.ask else None
            if not given:
                raise SigningKeyError(f"the token '{escaped(self.name)}' wants a PIN, and none was given")
            self._pin = given
        return self._pin

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        """Turn what the token's library says into one error."""
        try:
            with _library(self.library):
                yield
        except UnsupportedLibraryError:
            raise self._unusable("a PKCS#11 token needs python-pkcs11: pip install 'pinscher[hsm]'") from None
        except (ValueError, RuntimeError, OSError) as error:
            # The exceptions of python-pkcs11 are RuntimeErrors, most of them without a text.
            raise self._unusable(escaped(str(error)) or type(error).__name__) from error

    def _unusable(self, reason: str) -> SigningKeyError:
        return SigningKeyError(f"the key '{escaped(self.place)}' cannot be used: {reason}")


@contextlib.contextmanager
def _library(path: str | None) -> Iterator[None]:
    """Name the token's library for as long as it is used, where securesystemslib looks for it."""
    before = os.environ.get(_LIBRARY)
    if path is None and not before:
        raise SigningKeyError(f"no PKCS#11 library is named: ?module-path=FILE in the address, or {_LIBRARY}")
    if path is not None:
        os.environ[_LIBRARY] = path
    try:
        yield
    finally:
        if path is not None and before is None:
            del os.environ[_LIBRARY]
        elif path is not None and before is not None:
            os.environ[_LIBRARY] = before


def _attribute(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not value:
        raise SigningKeyError(f"the address of a key in a token says '{escaped(text)}', expected NAME=VALUE")
    return name, value if name == "id" else unquote(value)


def _number(text: str, scheme: str) -> int:
    """Return an identifier: octets as PKCS#11 has them, or the number that securesystemslib writes."""
    if scheme == HSMSigner.SCHEME:
        if text.isascii() and text.isdecimal() and len(text) <= 9:
            return int(text)
    elif (octets := unquote_to_bytes(text)) and octets[0] and len(octets) <= 32:
        return int.from_bytes(octets, "big")
    raise SigningKeyError(f"the identifier of a key in a token is '{escaped(text)}', expected one such as %02")


def _of_file(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as stream:
            content = stream.read(_LONGEST_PIN + 2)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is no text"
        raise SigningKeyError(f"cannot read the PIN in '{escaped(path)}': {why.lower()}") from None
    pin = content.removesuffix("\n").removesuffix("\r")
    if not pin or len(pin) > _LONGEST_PIN or "\n" in pin:
        raise SigningKeyError(f"'{escaped(path)}' holds no PIN: expected one line of at most {_LONGEST_PIN} characters")
    return pin
