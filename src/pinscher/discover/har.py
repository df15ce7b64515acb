"""
HAR files (HTTP Archive 1.2), as browsers and proxies record them, read as a stream.

Of a header's value only the scheme of an authorization and the names of cookies are looked at, of a body the names of
its fields. A certificate counts where the recorder wrote its issuer down (``_securityDetails``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.discover.exchange import sighting_of
from pinscher.discover.json_events import DamagedError, fields_of
from pinscher.discover.limits import MOST_FIELDS
from pinscher.discover.matters import of_cookie, of_name
from pinscher.discover.ownership import issuer_named
from pinscher.discover.sighting import Place, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.discover.json_events import Field
    from pinscher.discover.sighting import Find, Source


@dataclass(slots=True)
class _Entry:
    number: int
    line: int
    method: str = ""
    url: str = ""
    issuer: str | None = None
    headers: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    names: dict[tuple[str, int], str] = field(default_factory=dict)
    bodies: list[str] = field(default_factory=list)
    cut: int = 0
    surplus: int = 0


def read_har(source: Source) -> Iterator[Find]:
    """Yield the sighting of every entry."""
    entry: _Entry | None = None
    has_entries = False
    try:
        for one in fields_of(source.stream):
            path = one.path
            if len(path) < 2 or path[0] != "log" or path[1] != "entries":
                continue
            has_entries = True
            if len(path) == 3 and isinstance(path[2], int):
                if entry:
                    yield from _finds(entry, source)
                entry = _Entry(path[2], one.line)
            elif entry and len(path) > 3:
                _take(entry, one)
    except DamagedError as error:
        if entry:
            yield from _finds(entry, source)
        raise source.error(f"damaged: {error.reason}", line=error.line) from None
    if entry:
        yield from _finds(entry, source)
    if not has_entries:
        raise source.error("expected a HAR with log.entries, found another document", line=1)


def _take(entry: _Entry, one: Field) -> None:
    path, value = one.path, one.value
    if value is None:
        return
    entry.cut += one.is_cut
    match path[3:]:
        case ["request", "method"]:
            entry.method = value[:16]
        case ["request", "url"]:
            entry.url, entry.line = value, one.line
        case ["request" | "response" as side, "headers", int(number), "name" | "value" as part]:
            if len(entry.headers) < MOST_FIELDS or (side, number) in entry.headers:
                entry.headers.setdefault((str(side), number), ["", ""])[part == "value"] = value
            else:
                entry.surplus += 1
        case ["request" | "response" as side, "cookies", int(number), "name"] | [
            "request" as side, "postData", "params", int(number), "name"
        ]:  # fmt: skip
            if len(entry.names) < MOST_FIELDS:
                entry.names[f"{side} {path[4]}", number] = value
            else:
                entry.surplus += 1
        case ["request", "postData", "text"] | ["response", "content", "text"]:
            entry.bodies.append(value)
        case ["_securityDetails" | "response", *_, "issuer"] if "_securityDetails" in path[3:5]:
            entry.issuer = issuer_named(value)


def _finds(entry: _Entry, source: Source) -> Iterator[Find]:
    place = Place(source.name, entry.line)
    has_header = {name.lower() for name, _ in entry.headers.values()}
    more = []
    for (section, _), name in entry.names.items():
        if section.endswith("cookies"):
            # A recorder writes a cookie twice: in its header, and taken apart.
            if ("cookie" if section.startswith("request") else "set-cookie") not in has_header:
                more.append(of_cookie(name))
        elif (crossing := of_name(name)) and not entry.bodies:
            more.append(crossing)
    yield sighting_of(
        entry.method, entry.url, place, bodies=entry.bodies, more=more, issuer=entry.issuer,
        headers=[(name, value) for name, value in entry.headers.values()],
    )  # fmt: skip
    if entry.cut:
        yield Skipped("the rest of a long text", place, entry.cut)
    if entry.surplus:
        yield Skipped("more fields in one request than are looked at", place, entry.surplus)
