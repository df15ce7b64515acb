"""
OpenAPI 3 and Swagger 2 documents, in JSON or YAML: the servers they name, and what their operations take.

What a document says holds for each of its servers. A server's address with variables is read with their defaults.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.discover import json_events, yaml_events
from pinscher.discover.addresses import addresses_in
from pinscher.discover.json_events import DamagedError
from pinscher.discover.limits import MOST_FINDS
from pinscher.discover.matters import MOVING_METHODS, Crossing, Matter, of_name, of_path
from pinscher.discover.sighting import Evidence, Place, Sighting, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pinscher.discover.json_events import Field
    from pinscher.discover.sighting import Find, Source

_SECURITY = {
    "apikey": Crossing(Matter.TOKEN, "api key"),
    "oauth2": Crossing(Matter.TOKEN, "access token"),
    "openidconnect": Crossing(Matter.TOKEN, "access token"),
    "bearer": Crossing(Matter.TOKEN, "authorization bearer"),
    "basic": Crossing(Matter.CREDENTIAL, "authorization basic"),
    "mutualtls": Crossing(Matter.CREDENTIAL, "private key"),
}
_METHODS = frozenset(method.lower() for method in MOVING_METHODS)


@dataclass(slots=True)
class _Document:
    servers: dict[tuple[str | int, ...], tuple[str, int]] = field(default_factory=dict)
    defaults: dict[tuple[str | int, ...], str] = field(default_factory=dict)
    issuers: list[tuple[str, int]] = field(default_factory=list)
    crossed: Counter[Crossing] = field(default_factory=Counter)
    host: tuple[str, int] | None = None
    schemes: list[str] = field(default_factory=list)
    surplus: int = 0


def read_openapi_json(source: Source) -> Iterator[Find]:
    """Yield the servers of a JSON document."""
    yield from _read(source, json_events.fields_of(source.stream))


def read_openapi_yaml(source: Source) -> Iterator[Find]:
    """Yield the servers of a YAML document."""
    yield from _read(source, yaml_events.fields_of(source.stream))


def _read(source: Source, fields: Iterable[Field]) -> Iterator[Find]:
    document = _Document()
    try:
        for one in fields:
            _take(document, one)
    except DamagedError as error:
        yield from _finds(document, source)
        raise source.error(f"damaged: {error.reason}", line=error.line) from None
    yield from _finds(document, source)


def _take(document: _Document, one: Field) -> None:
    path, value = one.path, one.value
    if value is None:
        _container(document, path)
        return
    match path:
        case [*above, "servers", int(_), "url"]:
            if len(document.servers) < MOST_FINDS:
                document.servers[*above, path[-2]] = value, one.line
            else:
                document.surplus += 1
        case [*above, "servers", int(number), "variables", str(name), "default"] if len(name) < 100:
            document.defaults[*above, number, name] = value[:253]
        case ["host"]:
            document.host = value, one.line
        case ["schemes", int(_)] if len(document.schemes) < 8:
            document.schemes.append(value)
        case ["components", "securitySchemes", _, "type" | "scheme"] | ["securityDefinitions", _, "type"]:
            document.crossed.update([_SECURITY[value.lower()]] if value.lower() in _SECURITY else [])
        case [*_, "tokenUrl" | "authorizationUrl" | "refreshUrl" | "openIdConnectUrl"] if len(document.issuers) < 100:
            document.issuers.append((value, one.line))
        case [*_, "parameters", _, "name"]:
            _name(document, value)


def _container(document: _Document, path: list[str | int]) -> None:
    match path:
        case ["paths", str(address), str(method)] if method.lower() in _METHODS:
            document.crossed.update(of_path(address))
        case [*_, "properties", str(name)]:
            _name(document, name)


def _name(document: _Document, name: str) -> None:
    crossing = of_name(name)
    if crossing:
        document.crossed[crossing] += 1


_VARIABLE = re.compile(r"\{([^{}]{1,100})\}")


def _finds(document: _Document, source: Source) -> Iterator[Find]:
    served = [
        (_VARIABLE.sub(lambda found, at=at: document.defaults.get((*at, found[1]), found[0]), url), line)  # type: ignore[misc]
        for at, (url, line) in document.servers.items()
    ]
    if document.host:
        host, line = document.host
        known = [one for one in document.schemes if one in ("https", "http", "wss", "ws")] or ["https"]
        served += [(f"{scheme}://{host}/", line) for scheme in known]
    for url, line in served:
        yield from _sightings(url, Place(source.name, line), document.crossed)
    for url, line in document.issuers:
        yield from _sightings(url, Place(source.name, line), Counter({Crossing(Matter.CREDENTIAL, "client secret"): 1}))
    if not served and not document.issuers:
        yield Skipped("a description that names no server", Place(source.name))
    if document.surplus:
        yield Skipped("more servers in one description than are looked at", Place(source.name), document.surplus)


def _sightings(url: str, place: Place, crossed: Counter[Crossing]) -> Iterator[Find]:
    found = list(addresses_in(url)) or ["a server without a host"]
    for address in found:
        if isinstance(address, str):
            yield Skipped(address, place)
        else:
            yield Sighting(
                address.host, place, Evidence.DECLARED, port=address.port, scheme=address.scheme,
                crossed=address.carried + crossed,
            )  # fmt: skip
