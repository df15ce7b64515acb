"""
Which reader reads a file: by its name where names are kept to, and otherwise by how it begins.

To add a reader, write one file and add one line here.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from pinscher.discover.access_log import LINE, read_log
from pinscher.discover.flows import read_flows
from pinscher.discover.har import read_har
from pinscher.discover.lexing import LANGUAGES
from pinscher.discover.openapi import read_openapi_json, read_openapi_yaml
from pinscher.discover.packages import read_package
from pinscher.discover.settings import read_json_settings, read_settings, read_yaml_settings
from pinscher.discover.sources import read_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pinscher.discover.sighting import Find, Source

    Reader = Callable[[Source], Iterator[Find]]

READERS: dict[str, Reader] = {
    "har": read_har,
    "flows": read_flows,
    "openapi-json": read_openapi_json,
    "openapi-yaml": read_openapi_yaml,
    "log": read_log,
    "settings": read_settings,
    "json": read_json_settings,
    "yaml": read_yaml_settings,
    "code": read_code,
    "package": read_package,
}
"""Each reader by its name, which ``--as`` takes."""

_SETTINGS = frozenset(
    {".ini", ".cfg", ".conf", ".toml", ".properties", ".xml", ".plist", ".env", ".xcconfig", ".gradle"}
)
_HAR = re.compile(rb'\s*\{\s*"log"\s*:\s*\{')
_OPENAPI_JSON = re.compile(rb'\s*\{.{0,2000}?"(?:openapi|swagger)"\s*:', re.DOTALL)
_OPENAPI_YAML = re.compile(rb"^[\"']?(?:openapi|swagger)[\"']?\s*:", re.MULTILINE)
_FLOWS = re.compile(rb"\d{2,12}:\d{1,12}:")
BEGINNING = 4096
"""Octets of a file that are looked at to find its reader."""


def reader_of(name: str, beginning: bytes) -> str | None:
    """Return the name of the reader of a file, or None when there is none."""
    base = os.path.basename(name).lower()
    suffix = os.path.splitext(base)[1]
    by_content = _by_content(beginning, suffix)
    if by_content:
        return by_content
    if base.startswith(".env"):
        return "settings"
    return _BY_SUFFIX.get(suffix, "log" if LINE.match(beginning) else None)


_BY_SUFFIX = {
    **dict.fromkeys(LANGUAGES, "code"),
    **dict.fromkeys(_SETTINGS, "settings"),
    ".har": "har",
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".log": "log",
}


def _by_content(beginning: bytes, suffix: str) -> str | None:
    if beginning.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "package"
    if _FLOWS.match(beginning):
        return "flows"
    if suffix in (".yaml", ".yml"):
        return "openapi-yaml" if _OPENAPI_YAML.search(beginning) else None
    if suffix in ("", ".json") and _HAR.match(beginning):
        return "har"
    if suffix in ("", ".json") and _OPENAPI_JSON.match(beginning):
        return "openapi-json"
    return None
