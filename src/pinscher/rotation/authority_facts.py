"""
What certification authorities and delivery networks say of the certificates that they will use.

The facts are a dated file with the source of each, and a user may bring another in its place. They explain and advise;
nothing here decides about a connection.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from datetime import date
from importlib import resources
from typing import Any

from pinscher.errors import escaped
from pinscher.pin import InvalidPinError, Pin
from pinscher.rotation.unusable import UnusableFileError, read_json

FORMAT = 1
LARGEST_FACTS = 4 << 20
"""Octets of a file of facts."""


class InvalidAuthorityFactsError(UnusableFileError):
    """A file of facts that cannot be used."""


@dataclass(frozen=True, slots=True)
class Authority:
    """
    One certification authority.

    ``organisations`` are its names in certificates, ``key_names`` the words by which people call its keys.
    ``certificate_days`` is how long its certificates last, ``intermediates`` is ``"random"``, ``"rotated"`` or
    ``"stable"``; each is None where it is not known. ``all_roots`` says that it advises to pin every one or none.
    """

    name: str
    organisations: tuple[str, ...]
    key_names: tuple[str, ...]
    certificate_days: int | None
    intermediates: str | None
    all_roots: bool
    roots: dict[Pin, str] = field(hash=False)
    source: str
    date: date

    @property
    def is_moving(self) -> bool:
        """Whether it changes its intermediates without notice."""
        return self.intermediates in ("random", "rotated")


@dataclass(frozen=True, slots=True)
class Network:
    """A delivery network, the names of its own hosts, and the authorities that it may take a certificate from."""

    name: str
    hosts: tuple[str, ...]
    authorities: tuple[Authority, ...]
    source: str
    date: date


@dataclass(frozen=True, slots=True)
class AuthorityFacts:
    """The facts of one file."""

    date: date
    authorities: tuple[Authority, ...]
    networks: tuple[Network, ...]

    def of_root(self, pin: Pin) -> Authority | None:
        """Return the authority that one of its roots' keys belongs to."""
        return next((one for one in self.authorities if pin in one.roots), None)

    def named_in(self, distinguished_name: str) -> Authority | None:
        """Return the authority whose organisation a certificate's issuer or subject names, in the form of ``der``."""
        parts = distinguished_name.split(", ")
        return next((one for one in self.authorities if any(f"O={name}" in parts for name in one.organisations)), None)

    def called(self, key_name: str) -> Authority | None:
        """Return the authority that a key's name speaks of, as whole words; a name proves nothing."""
        words = f"-{key_name.lower().replace('_', '-')}-"
        return next((one for one in self.authorities if any(f"-{name}-" in words for name in one.key_names)), None)

    def network_of(self, host: str) -> Network | None:
        """Return the delivery network that a canonical host belongs to by its name."""
        return next(
            (one for one in self.networks if any(host == name or host.endswith(f".{name}") for name in one.hosts)), None
        )


@functools.cache
def shipped_facts() -> AuthorityFacts:
    """Read the facts that this release brings along."""
    name = "authority_facts.json"
    content = resources.files("pinscher.rotation").joinpath("data", name).read_bytes()
    return read_facts(content, source=name)


def read_facts(content: bytes, *, source: str) -> AuthorityFacts:
    """Read a file of facts; raise :class:`InvalidAuthorityFactsError` with the place for anything else."""
    document = read_json(content, source=source, most=LARGEST_FACTS, error=InvalidAuthorityFactsError)
    return _Reader(source).facts(document)


class _Reader:
    """Reads the parts of one file, with the place of whatever is wrong."""

    def __init__(self, source: str) -> None:
        self._source = source

    def facts(self, document: Any) -> AuthorityFacts:
        table = self._table(document, "")
        if self._field(table, "", "format", int) != FORMAT:
            raise self._wrong("format", f"{FORMAT} is the only format there is")
        known: dict[str, Authority] = {}
        for place, item in self._items(table, "authorities"):
            one = self._authority(item, place)
            if one.name in known:
                raise self._wrong(f"{place}.name", f"a second authority called {escaped(one.name)!r}")
            known[one.name] = one
        networks = tuple(self._network(item, place, known) for place, item in self._items(table, "networks"))
        return AuthorityFacts(self._day(table, ""), tuple(known.values()), networks)

    def _authority(self, item: dict[str, Any], place: str) -> Authority:
        days = item.get("certificate-days")
        if days is not None and (type(days) is not int or days < 1):
            raise self._wrong(f"{place}.certificate-days", "expected a whole number of days, or null")
        intermediates = item.get("intermediates")
        if intermediates not in ("random", "rotated", "stable", None):
            raise self._wrong(f"{place}.intermediates", 'expected "random", "rotated", "stable" or null')
        roots = {
            self._pin(root, root_place): self._field(root, root_place, "name", str)
            for root_place, root in self._items(item, "roots", place)
        }
        return Authority(
            self._field(item, place, "name", str),
            self._texts(item, place, "organisations"),
            tuple(name.lower() for name in self._texts(item, place, "key-names")),
            days,
            intermediates,
            self._field(item, place, "all-roots", bool),
            roots,
            self._field(item, place, "source", str),
            self._day(item, place),
        )

    def _network(self, item: dict[str, Any], place: str, known: dict[str, Authority]) -> Network:
        names = self._texts(item, place, "authorities")
        for name in names:
            if name not in known:
                raise self._wrong(f"{place}.authorities", f"there is no authority called {escaped(name)!r}")
        return Network(
            self._field(item, place, "name", str),
            self._texts(item, place, "hosts"),
            tuple(known[name] for name in names),
            self._field(item, place, "source", str),
            self._day(item, place),
        )

    def _wrong(self, path: str, reason: str) -> InvalidAuthorityFactsError:
        return InvalidAuthorityFactsError(self._source, path.removeprefix("."), reason)

    def _table(self, value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(place, f"expected an object, found {type(value).__name__}")
        return value

    def _field(self, table: dict[str, Any], place: str, name: str, kind: type) -> Any:
        value = table.get(name)
        if type(value) is not kind:
            found = "nothing" if name not in table else type(value).__name__
            raise self._wrong(f"{place}.{name}", f"expected {kind.__name__}, found {found}")
        return value

    def _items(self, table: dict[str, Any], name: str, place: str = "") -> list[tuple[str, dict[str, Any]]]:
        items = self._field(table, place, name, list)
        places = [f"{place}.{name}[{position}]".removeprefix(".") for position in range(len(items))]
        return [(at, self._table(item, at)) for at, item in zip(places, items, strict=True)]

    def _texts(self, table: dict[str, Any], place: str, name: str) -> tuple[str, ...]:
        found = self._field(table, place, name, list)
        if not all(isinstance(one, str) and one for one in found):
            raise self._wrong(f"{place}.{name}", "expected texts that are not empty")
        return tuple(found)

    def _day(self, table: dict[str, Any], place: str) -> date:
        text = self._field(table, place, "date", str)
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise self._wrong(f"{place}.date", f"expected YYYY-MM-DD, found '{escaped(text)}'") from None

    def _pin(self, root: dict[str, Any], place: str) -> Pin:
        try:
            return Pin.parse(self._field(root, place, "pin", str))
        except InvalidPinError as error:
            raise self._wrong(f"{place}.pin", str(error)) from None
