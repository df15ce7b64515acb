"""
Where the files of a repository lie.

Rules of this file:

1. ``public/metadata/`` and ``public/targets/`` are what is served. A file there is replaced as a whole, and files with
   a version or a hash in their names are written once (consistent snapshots).
2. ``staging/`` holds metadata without a version in their names, one for each role that is to change, and
   ``staging/targets/`` the bundles they speak of.
3. ``timestamp.json`` is written last: before that, nobody looks for anything new.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import Metadata, Root, Signed, TargetFile, Targets
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from pinscher.errors import escaped
from pinscher.replacement import replace_file
from pinscher.updates.repository.errors import BrokenRepositoryError, RepositoryError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODE = 0o644
TOP_ROLES = ("root", "targets", "snapshot", "timestamp")
OVERRIDE_ROLE, OVERRIDE_BUNDLE = "override", "override.json"
BUNDLE = "policy.json"


class Repository:
    """The folder of one repository."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)

    @property
    def public(self) -> str:
        """What is served."""
        return os.path.join(self.path, "public")

    def _metadata(self, name: str) -> str:
        return os.path.join(self.public, "metadata", name)

    def _staged(self, role: str) -> str:
        return os.path.join(self.path, "staging", f"{quote(role, safe='')}.json")

    def exists(self) -> bool:
        """Tell whether anything was staged or published here."""
        return os.path.exists(self._staged("root")) or os.path.exists(self._metadata("1.root.json"))

    def require(self) -> None:
        """Refuse a folder that is no repository."""
        if not self.exists():
            raise RepositoryError(f"'{escaped(self.path)}' is no repository; 'pinscher repo init' makes one")

    def staged_roles(self) -> list[str]:
        """Return the roles that are to change, root and targets first."""
        names = _names(os.path.join(self.path, "staging"))
        roles = [unquote(name.removesuffix(".json")) for name in names if name.endswith(".json") and name[0] != "."]
        return sorted(roles, key=lambda role: (TOP_ROLES.index(role) if role in TOP_ROLES else len(TOP_ROLES), role))

    def staged(self, role: str) -> Metadata[Any] | None:
        """Return what is staged for a role, or None."""
        return _metadata_at(self._staged(role))

    def stage(self, role: str, metadata: Metadata[Any]) -> None:
        """Stage metadata, in the place of what was staged for the role."""
        self._write(self._staged(role), metadata.to_bytes(_SERIALIZER))

    def unstage(self, role: str) -> None:
        """Forget what is staged for a role."""
        if os.path.exists(self._staged(role)):
            os.unlink(self._staged(role))

    def version(self, role: str) -> int:
        """Return the newest published version of a role, 0 when there is none."""
        if role == "timestamp":
            published = _metadata_at(self._metadata("timestamp.json"))
            return int(published.signed.version) if published else 0
        return max(self._versions(role), default=0)

    def _versions(self, role: str) -> Iterator[int]:
        end = f".{quote(role, safe='')}.json"
        for name in _names(os.path.join(self.public, "metadata")):
            number = name.removesuffix(end)
            if name.endswith(end) and number.isascii() and number.isdecimal():
                yield int(number)

    def published(self, role: str, version: int | None = None) -> Metadata[Any] | None:
        """Return the newest published metadata of a role, or a version of them, or None."""
        if role == "timestamp":
            return _metadata_at(self._metadata("timestamp.json"))
        number = self.version(role) if version is None else version
        return _metadata_at(self._metadata(f"{number}.{quote(role, safe='')}.json"))

    def current(self, role: str) -> Metadata[Any] | None:
        """Return what a role says once everything staged is published."""
        return self.staged(role) or self.published(role)

    def root(self) -> Root:
        """Return the newest root, staged or published."""
        self.require()
        found = self.current("root")
        if found is None or not isinstance(found.signed, Root):
            raise BrokenRepositoryError("the repository has no root that can be read")
        return found.signed

    def targets(self) -> Targets:
        """Return the newest targets metadata, staged or published."""
        self.require()
        found = self.current("targets")
        if found is None or not isinstance(found.signed, Targets):
            raise BrokenRepositoryError("the repository has no targets metadata that can be read")
        return found.signed

    def publish(self, role: str, metadata: Metadata[Any]) -> None:
        """Put metadata where they are served."""
        name = f"{quote(role, safe='')}.json"
        if role != "timestamp":
            name = f"{metadata.signed.version}.{name}"
        self._write(self._metadata(name), metadata.to_bytes(_SERIALIZER))

    def octets(self, role: str, version: int) -> bytes:
        """Return the bytes of published metadata."""
        return _content(self._metadata(f"{version}.{quote(role, safe='')}.json")) or b""

    def stage_bundle(self, name: str, content: bytes) -> TargetFile:
        """Stage a bundle, and return what metadata say of it."""
        described = TargetFile.from_data(name, content, ["sha256"])
        self._write(os.path.join(self.path, "staging", "targets", _hashed(described)), content)
        return described

    def publish_bundle(self, described: TargetFile) -> None:
        """Put a staged bundle where it is served; one that is served already is left alone."""
        served = os.path.join(self.public, "targets", _hashed(described))
        if os.path.exists(served):
            return
        content = _content(os.path.join(self.path, "staging", "targets", _hashed(described)))
        if content is None:
            raise BrokenRepositoryError(f"the bundle '{escaped(described.path)}' is not in the staging folder")
        self._write(served, _checked(described, content))

    def bundle(self, described: TargetFile) -> bytes:
        """Return the bytes of a bundle, staged or published."""
        for folder in (os.path.join(self.path, "staging"), self.public):
            content = _content(os.path.join(folder, "targets", _hashed(described)))
            if content is not None:
                return _checked(described, content)
        raise BrokenRepositoryError(f"the bundle '{escaped(described.path)}' is missing")

    def forget_bundles(self) -> None:
        """Empty the staging folder of bundles that are served."""
        top = os.path.join(self.path, "staging", "targets")
        for folder, _, names in os.walk(top):
            for name in names:
                place = os.path.join(folder, name)
                if os.path.exists(os.path.join(self.public, "targets", os.path.relpath(place, top))):
                    os.unlink(place)

    @staticmethod
    def _write(path: str, content: bytes) -> None:
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            replace_file(path, content, mode=_MODE)
        except OSError as error:
            raise RepositoryError(f"cannot write '{escaped(path)}': {error.strerror}") from error


_SERIALIZER = JSONSerializer(compact=True, validate=True)


def new_metadata(signed: Signed) -> Metadata[Any]:
    """Return metadata that nobody has signed."""
    return Metadata(signed)


def copy_of(metadata: Metadata[Any]) -> Metadata[Any]:
    """Return a copy without signatures, which can be changed."""
    copied: Metadata[Any] = Metadata.from_bytes(metadata.to_bytes(_SERIALIZER))
    copied.signatures.clear()
    return copied


def _checked(described: TargetFile, content: bytes) -> bytes:
    """Refuse other bytes than the metadata describe: what is shown to signers is what they sign."""
    try:
        described.verify_length_and_hashes(content)
    except LengthOrHashMismatchError:
        raise BrokenRepositoryError(
            f"the bundle '{escaped(described.path)}' is not what its metadata describe"
        ) from None
    return content


def _hashed(described: TargetFile) -> str:
    folder, _, name = described.path.rpartition("/")
    return os.path.join(folder, f"{described.hashes['sha256']}.{name}")


def _metadata_at(path: str) -> Metadata[Any] | None:
    content = _content(path)
    if content is None:
        return None
    try:
        return Metadata.from_bytes(content)
    except DeserializationError:
        raise BrokenRepositoryError(f"'{escaped(path)}' is no metadata") from None


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BrokenRepositoryError(f"cannot read '{escaped(folder)}': {error.strerror}") from error


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BrokenRepositoryError(f"cannot read '{escaped(path)}': {error.strerror}") from error
