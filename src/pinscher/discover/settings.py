"""
Settings: ``.env``, INI, TOML, properties, XML and plist files by their lines, JSON and YAML by their fields.

A line is read as ``name = value`` where it looks like one. A value leads somewhere when it holds an address, or when
its name says that it is a host. Whether the whole file is well-formed does not matter: half a settings file still names
its hosts.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from pinscher.discover import json_events, yaml_events
from pinscher.discover.addresses import Address, host_and_port
from pinscher.discover.json_events import DamagedError
from pinscher.discover.limits import LONGEST_LINE
from pinscher.discover.matters import of_name
from pinscher.discover.page import Page
from pinscher.discover.sighting import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pinscher.discover.json_events import Field
    from pinscher.discover.sighting import Find, Source

_SETTING = re.compile(r"\s*(?:export\s+)?[\"']?([A-Za-z_][\w.\- ]{0,99}?)[\"']?\s*[=:]\s*(.*)", re.DOTALL)
_MARKUP = re.compile(r"[A-Za-z][\w.-]{2,60}")
_COMMENT = ("#", ";", "//", "<!--", "!")
_HOST_NAME = re.compile(
    r"(?:^|[._\-\s])(?:hosts?|hostname|servers?|endpoints?|domain|origins?|brokers?|gateway|base[._-]?uri|address|addr)$",
    re.IGNORECASE,
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_FILES = frozenset({
    "json", "yaml", "yml", "toml", "ini", "cfg", "conf", "txt", "xml", "html", "py", "js", "ts", "java", "kt", "swift",
    "pem", "crt", "key", "log", "md", "sh", "so", "jar", "png", "css", "csv", "local", "db", "sqlite", "properties",
})  # fmt: skip


def read_settings(source: Source) -> Iterator[Find]:
    """Yield the sightings of a settings file of lines."""
    page = Page(source.name, Evidence.CONFIGURED)
    for number, octets, is_cut in source.lines(LONGEST_LINE):
        if number == 1 and b"\0" in octets:
            raise source.error("expected text, found binary content", line=1)
        line = octets.decode("utf-8", "replace")
        if is_cut:
            page.skip("the rest of a long line", number)
        if line.lstrip().startswith(_COMMENT):
            continue
        found = _SETTING.match(line)
        if found and not line.lstrip().startswith("<"):
            take(page, found[1], found[2].strip().rstrip(",").strip("\"'"), number)
        else:
            page.text(line, number)
            for word in _MARKUP.findall(line[:4096]):
                page.word(of_name(word), number)
    yield from page.finds()


def read_json_settings(source: Source) -> Iterator[Find]:
    """Yield the sightings of a JSON document that is no other format."""
    yield from _fields(source, json_events.fields_of(source.stream))


def read_yaml_settings(source: Source) -> Iterator[Find]:
    """Yield the sightings of a YAML document that is no other format."""
    yield from _fields(source, yaml_events.fields_of(source.stream))


def _fields(source: Source, fields: Iterable[Field]) -> Iterator[Find]:
    page = Page(source.name, Evidence.CONFIGURED)
    try:
        for one in fields:
            if one.value is not None:
                name = next((part for part in reversed(one.path) if isinstance(part, str)), "")
                take(page, name, one.value, one.line)
                if one.is_cut:
                    page.skip("the rest of a long text", one.line)
    except DamagedError as error:
        yield from page.finds()
        raise source.error(f"damaged: {error.reason}", line=error.line) from None
    yield from page.finds()


def take(page: Page, name: str, value: str, line: int) -> None:
    """Take one setting: its name may say what crosses, its value where to."""
    crossing = of_name(name)
    page.word(crossing, line)
    page.text(value, line)
    if crossing or "://" in value or not _HOST_NAME.search(_HUMP.sub("-", name)):
        return
    for part in re.split(r"[,\s]+", value[:2000]):
        bare = part.strip("\"'[]")
        found = host_and_port(bare) if "." in bare else "a name without a dot"
        if isinstance(found, tuple) and found[0].rpartition(".")[2] not in _FILES:
            page.address(Address(found[0], found[1], None, Counter()), line)
