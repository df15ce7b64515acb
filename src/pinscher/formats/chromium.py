"""
Chromium's list of static pins: the JSON of ``transport_security_state_static``, with the hashes of its ``.pins`` file.

The hashes stand in comments in front of the JSON, a name and a ``sha256/...`` line each, as the ``.pins`` file has
them without the comment mark; a reader may be given both files one after the other.

Rules of this file, read in ``transport_security_state.cc`` and its preload decoder:

1. The nearest listed name decides, with ``include_subdomains`` or ``include_subdomains_for_pinning`` also for the names
   below it. A name listed without them takes the names below it out of a wider entry.
2. A key of the bad list anywhere on the validated chain refuses; then any key of the other list matches.
3. The pins are enforced only in Google's own builds, and while the list is younger than 70 days.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pinscher.formats.coverage import SuffixLookup
from pinscher.formats.format import Format
from pinscher.formats.json_text import parse_json
from pinscher.formats.loss import Loss, LossLedger
from pinscher.formats.plists import table, texts, truth
from pinscher.formats.reading import Reader
from pinscher.formats.said import UNPINNED, Said, Target, said_entries
from pinscher.formats.suffixes import Shape, suffix_statements
from pinscher.formats.text_lines import text_of
from pinscher.pin import InvalidPinError, Pin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pinscher.formats.format import Choices, Reading
    from pinscher.policy import Policy

_NAME = "chromium"
_TARGET = Target(_NAME, denied_keys=True)
_GOOD, _BAD = "static_spki_hashes", "bad_static_spki_hashes"


def write(policy: Policy, choices: Choices) -> bytes:
    """Return a list of static pins, or raise ``FormatLossError``."""
    losses = LossLedger(_NAME, choices.accepted)
    statements = suffix_statements(said_entries(policy, _TARGET, losses), Shape(hides=True), losses)
    if statements:
        losses.add(Loss("list-age", None, "Chromium enforces a list for 70 days only", ("renew the list in time",),
                        given_up="the pins are enforced only while the list is younger than 70 days"))  # fmt: skip
    recorded = losses.settle()
    names = _names(said for _, said in statements.values())
    lines = [f"// {line}" for line in recorded]
    for pin, name in names.items():
        lines += [f"// {name}", f"// {pin}"]
    return "\n".join([*lines, json.dumps(_list(statements, names), indent=2), ""]).encode()


def _names(all_said: Iterable[Said]) -> dict[Pin, str]:
    pins = dict.fromkeys(pin for said in all_said for pin in (*said.pins, *sorted(said.denied, key=str)))
    return {pin: f"Key{number}" for number, pin in enumerate(pins, start=1)}


def _list(statements: Mapping[str, tuple[bool, Said]], names: Mapping[Pin, str]) -> dict[str, Any]:
    pinsets: dict[Said, dict[str, Any]] = {}
    entries = []
    for host, (includes, said) in statements.items():
        pinset = pinsets.setdefault(said, {"name": f"set{len(pinsets) + 1}", _GOOD: [names[pin] for pin in said.pins]})
        if said.denied:
            pinset[_BAD] = [names[pin] for pin in sorted(said.denied, key=str)]
        entry: dict[str, Any] = {"name": host, "policy": "custom", "pins": pinset["name"]}
        entries.append(entry | ({"include_subdomains_for_pinning": True} if includes else {}))
    return {"pinsets": list(pinsets.values()), "entries": entries}


def read(content: bytes, choices: Choices) -> Reading:
    """Return what a list says to a build that enforces it."""
    reader = Reader(_NAME, choices)
    head, body = _parted(text_of(content, reader))
    root = parse_json(body, _NAME)
    hashes = _hashes(head, reader)
    pinsets = dict(_pinsets(root, hashes, reader))
    listed = _entries(root, pinsets, reader)
    if listed:
        reader.weakening("list-age", "the list")
    return reader.reading(listed, SuffixLookup(listed, hides=True))


def _parted(text: str) -> tuple[list[str], str]:
    """Return the lines in front of the JSON without comment marks, and the JSON without its comment lines."""
    lines = text.splitlines()
    start = next((at for at, line in enumerate(lines) if line.lstrip().startswith("{")), len(lines))
    body = [line for line in lines[start:] if not line.lstrip().startswith("//")]
    return [line.strip().lstrip("/#").strip() for line in lines[:start]], "\n".join(body)


def _hashes(lines: list[str], reader: Reader) -> dict[str, Pin]:
    found: dict[str, Pin] = {}
    for name, line in zip(["", *lines], lines, strict=False):
        if line.startswith("sha256/"):
            if name in found:
                raise reader.refuse(f"the key name {name[:80]!a} stands twice")
            found[name] = reader.pin(line.removeprefix("sha256/"))
    return found


def _pinsets(root: dict[str, Any], hashes: dict[str, Pin], reader: Reader) -> Iterable[tuple[str, Said]]:
    seen = set()
    for value in _tables(root, "pinsets", reader):
        name = _text(value, "name", reader)
        if name in seen:
            raise reader.refuse(f"the pin set {name[:80]!a} stands twice")
        seen.add(name)
        good, bad = (
            [_pin(text, hashes, reader) for text in texts(value.get(key, []), _NAME, key)] for key in (_GOOD, _BAD)
        )
        if bad and not good:
            raise reader.refuse(f"the pin set {name[:80]!a} only denies keys, which a policy cannot say without pins")
        pins = tuple(dict.fromkeys(pin for pin in good if pin not in bad))
        if good and not pins:
            raise reader.refuse(f"the pin set {name[:80]!a} denies every key that it accepts")
        yield name, Said(pins, frozenset(bad)) if pins else UNPINNED


def _pin(text: str, hashes: dict[str, Pin], reader: Reader) -> Pin:
    if text in hashes:
        return hashes[text]
    try:
        return Pin.parse(text)
    except InvalidPinError:
        raise reader.refuse(
            f"the key {text[:80]!a} has no hash: put the .pins file in front of the JSON (certificates are not read)"
        ) from None


def _entries(root: dict[str, Any], pinsets: dict[str, Said], reader: Reader) -> dict[str, tuple[bool, Said]]:
    listed: dict[str, tuple[bool, Said]] = {}
    for value in _tables(root, "entries", reader):
        name = reader.host(_text(value, "name", reader))
        if name in listed:
            raise reader.refuse(f"the name {name!r} stands twice")
        includes = [
            truth(value.get(key, False), _NAME, key) for key in ("include_subdomains", "include_subdomains_for_pinning")
        ]
        pins = value.get("pins")
        if pins is not None and pins not in pinsets:
            raise reader.refuse(f"{name}: there is no pin set {str(pins)[:80]!a}")
        listed[name] = any(includes), UNPINNED if pins is None else pinsets[pins]
    return listed


def _tables(root: dict[str, Any], key: str, reader: Reader) -> list[dict[str, Any]]:
    found = root.get(key)
    if not isinstance(found, list):
        raise reader.refuse(f"{key!r}: expected a list")
    return [table(one, _NAME, key) for one in found]


def _text(value: dict[str, Any], key: str, reader: Reader) -> str:
    found = value.get(key)
    if not isinstance(found, str):
        raise reader.refuse(f"{key!r}: expected a text")
    return found


FORMAT = Format(
    name=_NAME, title="Chromium static pins", file_name="transport_security_state_static.json", read=read, write=write
)
