"""
Certificate chains, and the difference between what a server presented and what was validated.

A server may present anything: the genuine certificates of its victim among them (CVE-2016-2402). Only the chain that
was validated up to a trust anchor says whose key answered, so the two are two types, and ``evaluate`` takes the second
only. Three places construct a :class:`ValidatedChain`: ``tls/_chain.py`` from a handshake that OpenSSL verified,
``clients/_chain.py`` for stacks with their own TLS, and ``probe/paths.py``; an architecture test keeps it so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pinscher.errors import PinningError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class EmptyChainError(PinningError, ValueError):
    """A chain without a certificate: nothing was shown, or a resumed connection showed nothing anew."""


class _Chain:
    """DER certificates, the leaf first; never empty and never changed."""

    __slots__ = ("_certificates",)
    _certificates: tuple[bytes, ...]

    def __init__(self, certificates: Iterable[bytes]) -> None:
        self._certificates = _checked(certificates)
        if not self._certificates:
            raise EmptyChainError("a chain holds at least the leaf certificate, found none")

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """The DER certificates, the leaf first."""
        return self._certificates

    @property
    def leaf(self) -> bytes:
        """The certificate of the server itself."""
        return self._certificates[0]

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the DER certificates from the leaf on."""
        return iter(self.certificates)

    def __len__(self) -> int:
        """Return how many certificates the chain has."""
        return len(self.certificates)

    def __eq__(self, other: object) -> bool:
        """Compare by certificates; a presented chain never equals a validated one."""
        if type(self) is not type(other):
            return NotImplemented
        return self.certificates == other.certificates

    def __hash__(self) -> int:
        """Hash by certificates."""
        return hash(self.certificates)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by certificates, those above the leaf included."""
        return type(self), (self.certificates,)

    def __repr__(self) -> str:
        """Return the length alone; certificates are shown by who explains a verdict."""
        return f"<{type(self).__name__} of {len(self)} certificates>"


def _checked(certificates: Iterable[bytes]) -> tuple[bytes, ...]:
    checked = tuple(certificates)
    for certificate in checked:
        if type(certificate) is not bytes:
            raise TypeError(f"a chain holds DER bytes, found {type(certificate).__name__}")
    return checked


class PresentedChain(_Chain):
    """What a server sent, in its order; it proves nothing at all."""

    __slots__ = ()


class ValidatedChain(_Chain):
    """
    What was verified up to a trust anchor, the anchor included; constructing one claims that this was done.

    The claim is the caller's: this type cannot check it. Outside the two places that the house allows, and tests,
    constructing one is a mistake.
    """

    __slots__ = ("_rest",)
    _rest: Callable[[], Iterable[bytes]] | None

    def __init__(self, certificates: Iterable[bytes]) -> None:
        super().__init__(certificates)
        self._rest = None

    @classmethod
    def deferred(cls, leaf: bytes, rest: Callable[[], Iterable[bytes]]) -> Self:
        """Return a chain whose certificates above the leaf are fetched when somebody looks at them."""
        chain = cls.__new__(cls)
        chain._certificates = (leaf,)  # noqa: SLF001  (its own)
        chain._rest = rest  # noqa: SLF001
        return chain

    def __iter__(self) -> Iterator[bytes]:
        """Iterate from the leaf on; whoever finds what it looks for on the leaf fetches nothing above it."""
        yield self._certificates[0]
        yield from self.certificates[1:]

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """The DER certificates, the leaf first and the trust anchor last."""
        rest = self._rest
        if rest is not None:
            # Two threads that come here together fetch the same certificates and store the same tuple.
            self._certificates = (self._certificates[0], *_checked(rest()))
            self._rest = None
        return self._certificates
