"""
What a program is shipped with: the root of its updates, a first policy, and the rollback floor.

``pinscher embed`` writes it as a module, as JSON and as a resource of lines; each says the same. Reading one loads no
third-party package.

Rules of this file:

1. Nothing of it is used before everything of it was verified: both digests, the root's form, the policy, the floor.
2. The policy is the canonical JSON, exactly the octets that were signed.
3. The floor is from 1 to the policy's own version: above it, the program would refuse what it was shipped with.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, NoReturn, Self

from pinscher.errors import PinningError, escaped
from pinscher.policy import InvalidPolicyError, Policy

FORMAT = 1
_FIELDS = ("bundle", "bundle-sha256", "floor", "format", "root", "root-sha256")


class EmbeddedPinsError(PinningError, ValueError):
    """What is embedded in this program is not what ``pinscher embed`` wrote; build it again."""


@dataclass(frozen=True)
class Embedded:
    """
    Embedded pins; making one verifies nothing, using one verifies everything once (rule 1).

    It does not prove who wrote it: who can change the program can change this. The digests find an accident, a merge
    or a resource of another build.
    """

    root_octets: bytes = field(repr=False)
    bundle_octets: bytes = field(repr=False)
    floor_number: int
    root_digest: str
    bundle_digest: str

    @classmethod
    def of(cls, *, root: bytes, bundle: bytes, floor: int) -> Self:
        """Embed these; raise :class:`EmbeddedPinsError` for what could not be used later."""
        made = cls(root, bundle, floor, _digest(root), _digest(bundle))
        _ = made.policy
        return made

    @property
    def root(self) -> bytes:
        """The first root of the updates, as it was signed."""
        _ = self._verified
        return self.root_octets

    @property
    def bundle(self) -> bytes:
        """The policy's canonical JSON."""
        _ = self._verified
        return self.bundle_octets

    @property
    def policy(self) -> Policy:
        """The policy."""
        return self._verified

    @property
    def floor(self) -> int:
        """The version below which no policy is accepted."""
        _ = self._verified
        return self.floor_number

    @functools.cached_property
    def _verified(self) -> Policy:
        for what, octets, digest in (
            ("root", self.root_octets, self.root_digest),
            ("bundle", self.bundle_octets, self.bundle_digest),
        ):
            if _digest(octets) != digest:
                _refuse(f"the {what} has the SHA-256 {_digest(octets)}, expected {escaped(str(digest))}")
        _check_root(self.root_octets)
        try:
            policy = Policy.loads(self.bundle_octets, source="<embedded>")
        except InvalidPolicyError as error:
            _refuse(str(error))
        if policy.to_json() != self.bundle_octets:
            _refuse("the bundle is not the canonical JSON of its policy")
        if type(self.floor_number) is not int or not 1 <= self.floor_number <= policy.version:
            _refuse(f"a floor of {self.floor_number!r}, expected 1 to {policy.version}, the policy's version")
        return policy

    def to_json(self) -> bytes:
        """Return the JSON resource: one object, its octets in base64."""
        return json.dumps(self._table(), indent=2, sort_keys=True).encode() + b"\n"

    def to_lines(self) -> bytes:
        """
        Return the resource of lines, ``name=value`` in ASCII, for Kotlin, Swift and anything else.

        A properties file of Java is read alike, and so is what is split at each line's first equals sign.
        """
        return "".join(f"{name}={value}\n" for name, value in sorted(self._table().items())).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Read a JSON resource, and verify it."""
        try:
            table = json.loads(content)
        except (ValueError, RecursionError):
            _refuse("the resource is not JSON")
        return cls._from(table)

    @classmethod
    def from_lines(cls, content: bytes) -> Self:
        """Read a resource of lines, and verify it."""
        try:
            pairs = [line.split("=", 1) for line in content.decode("ascii").splitlines()]
            table: dict[str, Any] = dict((name, value) for name, value in pairs)  # noqa: C402  (a line without '=')
        except ValueError:
            _refuse("the resource is not lines of name=value in ASCII")
        if len(table) != len(pairs):
            _refuse("the resource names a field twice")
        for name in ("floor", "format"):
            table[name] = int(table[name]) if str(table.get(name, "")).isdecimal() else None
        return cls._from(table)

    @classmethod
    def _from(cls, table: Any) -> Self:
        if not isinstance(table, dict) or tuple(sorted(table)) != _FIELDS:
            _refuse(f"a resource with other fields than {', '.join(_FIELDS)}")
        if table["format"] != FORMAT:
            _refuse(f"a resource of format {table['format']!r:.20}, expected {FORMAT}")
        try:
            root, bundle = (base64.b64decode(table[name], validate=True) for name in ("root", "bundle"))
        except (binascii.Error, TypeError, ValueError):
            _refuse("a resource whose root or bundle is not base64")
        made = cls(root, bundle, table["floor"], table["root-sha256"], table["bundle-sha256"])
        _ = made.policy
        return made

    def _table(self) -> dict[str, str | int]:
        return {
            "format": FORMAT,
            "root": base64.b64encode(self.root).decode(),
            "root-sha256": self.root_digest,
            "bundle": base64.b64encode(self.bundle).decode(),
            "bundle-sha256": self.bundle_digest,
            "floor": self.floor,
        }


def _check_root(root: bytes) -> None:
    """Refuse what is no root of an update repository at all; whose signatures it bears, the updater verifies."""
    try:
        table = json.loads(root)
        kind, version = table["signed"]["_type"], table["signed"]["version"]
        signatures = table["signatures"]
    except (ValueError, TypeError, KeyError, RecursionError):
        _refuse("the root is not the metadata of an update repository")
    if kind != "root" or type(version) is not int or version < 1 or not isinstance(signatures, list) or not signatures:
        _refuse(f"the root is {escaped(str(kind)[:40])!r}, expected signed 'root' metadata")


def _digest(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


def _refuse(reason: str) -> NoReturn:
    raise EmbeddedPinsError(f"the embedded pins cannot be used: {reason}; run pinscher embed again") from None
