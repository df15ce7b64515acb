"""
The policy: whom to trust for which host, found fast and never changed.

Rules of this file:

1. The most specific pattern wins: the exact host, then the longest suffix, ``*.`` before ``**.``.
2. Two entries for one pattern are an error, however differently they are spelt.
3. A look-up of something that is no host is an error, and never "not found".
4. What a policy refers to (channels, alternates) is in it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from pinscher.canonical import table_of, to_json
from pinscher.document import LARGEST_TEXT, Document, document_of
from pinscher.entry import HostPolicy, InvalidPolicyError, Key, ReportChannel, UnlistedHosts, dotted
from pinscher.fields import plain_copy
from pinscher.host import HostPattern, Reach, canonical_host
from pinscher.text import read_text
from pinscher.toml import write_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["InvalidPolicyError", "Policy"]


class Policy:
    """
    An immutable policy; read it with :meth:`load` or :meth:`loads`, or build it in code.

    Args:
        hosts: the entries, at least one.
        name: what the policy is called in verdicts and reports.
        version: a whole number from 1 on, which only ever grows.
        unlisted_hosts: what follows for a host without an entry.
        keys: the keys that the entries name.
        reporting: the report channels.
        extensions: what other programs keep in the document.

    Raises:
        InvalidPolicyError: the parts contradict each other.
    """

    __slots__ = ("__weakref__", "_below", "_digest", "_document", "_exact", "_one_below")

    _document: Document
    _digest: str | None
    _exact: dict[str, HostPolicy]
    _one_below: dict[str, HostPolicy]
    _below: dict[str, HostPolicy]

    def __init__(
        self,
        hosts: Iterable[HostPolicy],
        *,
        name: str = "policy",
        version: int = 1,
        unlisted_hosts: UnlistedHosts = UnlistedHosts.DENY,
        keys: Iterable[Key] = (),
        reporting: Iterable[ReportChannel] = (),
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        entries = tuple(hosts)
        built = Document(
            name=name,
            version=version,
            unlisted_hosts=unlisted_hosts,
            keys=tuple(keys),
            hosts=entries,
            reporting=tuple(reporting),
            extensions=dict(extensions or {}),
        )
        # What code builds is held to the rules of the document by writing it and reading it back.
        table = table_of(built)
        read = document_of(table)
        _check_same(built, read)
        self._index(read, table)

    @classmethod
    def loads(cls, text: str | bytes, *, source: str | None = None) -> Self:
        """Read a policy from TOML or JSON; raise :class:`InvalidPolicyError` for anything else."""
        table, line_of = read_text(text, source)
        try:
            policy = cls.__new__(cls)
            policy._index(document_of(table), table)  # noqa: SLF001
        except InvalidPolicyError as error:
            raise error.placed(source, line_of(error.keys)) from None
        return policy

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """
        Read a policy from a file; raise :class:`InvalidPolicyError` for whatever cannot be read as one.

        The file is opened once, and what was checked is what is read: a regular file that not everybody can write. It
        does not prove who wrote the file; a signed bundle does.
        """
        return cls.loads(_read_file(os.fspath(path)), source=os.fspath(path))

    def _index(self, document: Document, table: Mapping[str, Any]) -> None:
        """Build the index; *table* is what the document was read from, and knows how each host was spelt there."""
        object.__setattr__(self, "_document", document)
        object.__setattr__(self, "_digest", None)
        tables: dict[Reach, dict[str, HostPolicy]] = {reach: {} for reach in Reach}
        exact = tables[Reach.EXACT]
        for entry, spelt in zip(document.hosts, table["hosts"], strict=True):
            pattern = entry.pattern
            known = exact if pattern.reach is Reach.EXACT else tables[pattern.reach]
            if pattern.name in known:
                raise _second(entry, spelt, table)
            known[pattern.name] = entry
        object.__setattr__(self, "_exact", exact)
        object.__setattr__(self, "_one_below", tables[Reach.ONE_LABEL])
        object.__setattr__(self, "_below", tables[Reach.ANY_DEPTH])
        self._check_references(table)

    def _check_references(self, table: Mapping[str, Any]) -> None:
        channels = {channel.name for channel in self._document.reporting}
        for entry, spelt in zip(self._document.hosts, table["hosts"], strict=True):
            if entry.report_to and not channels.issuperset(entry.report_to):
                position, missing = next(
                    (position, name) for position, name in enumerate(entry.report_to) if name not in channels
                )
                reason = f"there is no [{dotted(('reporting', missing))}]"
                raise InvalidPolicyError(reason, path=("hosts", spelt, "report-to", position))
            if entry.alternate is not None:
                self._check_alternate(entry.alternate, spelt)

    def _check_alternate(self, alternate: str, spelt: str) -> None:
        other = self.lookup_canonical(alternate)
        if other is None or other.pinset is None:
            reason = f"{alternate!r} is not pinned by this policy, and an alternate is"
            raise InvalidPolicyError(reason, path=("hosts", spelt, "alternate"))

    def lookup(self, host: str) -> HostPolicy | None:
        """Return the entry for a host, or None; raise ``InvalidHostError`` for what is no host (rule 3)."""
        # A host that is listed as it was written is canonical already: the entries are kept by their canonical names.
        return self._exact.get(host) or self.lookup_canonical(canonical_host(host))

    def lookup_canonical(self, canonical: str) -> HostPolicy | None:
        """Return the entry for a host that ``canonical_host`` returned, or None."""
        found = self._exact.get(canonical)
        if found is not None or not (self._below or self._one_below):
            return found
        found = self._below.get(canonical)
        if found is not None:
            return found
        _, dot, suffix = canonical.partition(".")
        if not dot:
            return None
        found = self._one_below.get(suffix)
        while found is None and dot:
            found = self._below.get(suffix)
            _, dot, suffix = suffix.partition(".")
        return found

    @property
    def name(self) -> str:
        """What the policy is called."""
        return self._document.name

    @property
    def version(self) -> int:
        """The version, which only ever grows."""
        return self._document.version

    @property
    def unlisted_hosts(self) -> UnlistedHosts:
        """What follows for a host without an entry."""
        return self._document.unlisted_hosts

    @property
    def hosts(self) -> tuple[HostPolicy, ...]:
        """The entries, in the document's order."""
        return self._document.hosts

    @property
    def keys(self) -> Mapping[str, Key]:
        """The keys that the document names, by name."""
        return MappingProxyType({key.name: key for key in self._document.keys})

    @property
    def reporting(self) -> Mapping[str, ReportChannel]:
        """The report channels, by name."""
        return MappingProxyType({channel.name: channel for channel in self._document.reporting})

    @property
    def extensions(self) -> Mapping[str, Any]:
        """What other programs keep in the document, as a copy."""
        return MappingProxyType({name: plain_copy(value) for name, value in self._document.extensions.items()})

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical JSON, in hexadecimal."""
        if self._digest is None:
            object.__setattr__(self, "_digest", hashlib.sha256(self.to_json()).hexdigest())
        return self._digest or ""

    def to_json(self) -> bytes:
        """Return the canonical JSON (RFC 8785); ``Policy.loads`` of it is this policy."""
        return to_json(self._document)

    def to_toml(self) -> str:
        """Return the policy as a TOML document for people; ``Policy.loads`` of it is this policy."""
        return write_toml(table_of(self._document))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse: a changed policy is another policy."""
        raise AttributeError(f"cannot set {name!r}: a policy does not change; load another and replace it")

    def __delattr__(self, name: str) -> NoReturn:
        """Refuse, as for setting."""
        raise AttributeError(f"cannot delete {name!r}: a policy does not change")

    def __eq__(self, other: object) -> bool:
        """Compare by what the policies say."""
        if not isinstance(other, Policy):
            return NotImplemented
        return self is other or self.digest == other.digest

    def __hash__(self) -> int:
        """Hash by what the policy says."""
        return hash(self.digest)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as the canonical JSON."""
        return type(self).loads, (self.to_json(),)

    def __repr__(self) -> str:
        """Return the name, version and size."""
        return f"<Policy {self.name!a} version {self.version}, {len(self.hosts)} hosts>"


def _second(entry: HostPolicy, spelt: str, table: Mapping[str, Any]) -> InvalidPolicyError:
    first = next(name for name in table["hosts"] if HostPattern.parse(name) == entry.pattern)
    place = dotted(("hosts", first))
    return InvalidPolicyError(
        f"a second entry for {entry.host!r}, after {place}; names are compared as TLS does", path=("hosts", spelt)
    )


def _check_same(given: Document, read: Document) -> None:
    """Refuse what code can say and a document cannot: two values of one name, or a name for another pin."""
    for what, before, after in (
        ("hosts", [entry.host for entry in given.hosts], read.hosts),
        ("keys", [key.name for key in given.keys], read.keys),
        ("reporting", [channel.name for channel in given.reporting], read.reporting),
    ):
        if len(before) != len(after):
            twice = next(name for place, name in enumerate(before) if name in before[:place])
            raise InvalidPolicyError("a second entry of this name", path=(what, twice))
    for host, host_read in zip(given.hosts, read.hosts, strict=True):
        if host.pinset != host_read.pinset:
            raise InvalidPolicyError("a pin's key name stands for another pin in keys", path=("hosts", host.host))
    for channel, channel_read in zip(given.reporting, read.reporting, strict=True):
        if channel.pins != channel_read.pins:
            raise InvalidPolicyError(
                "a pin's key name stands for another pin in keys", path=("reporting", channel.name)
            )


def _read_file(path: str) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        raise InvalidPolicyError(f"the policy cannot be read: {_why(error)}", source=path) from error
    try:
        # Opening the descriptor as a file would already fail for a directory, in other words.
        _check_file(os.fstat(descriptor), path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(LARGEST_TEXT + 1)
    except OSError as error:
        raise InvalidPolicyError(f"the policy cannot be read: {_why(error)}", source=path) from error
    finally:
        os.close(descriptor)


def _why(error: OSError | ValueError) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _check_file(status: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InvalidPolicyError("the policy is not a regular file", source=path)
    if os.name == "posix" and status.st_mode & stat.S_IWOTH:
        raise InvalidPolicyError("everybody on this machine can write the policy; run chmod o-w on it", source=path)
