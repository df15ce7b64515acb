"""
A policy document with pins added, and everything else in it, comments too, as it was.

Rules of this file:

1. The text is edited where it stands. A document is never read and written anew, for that would lose its comments.
2. The edited text is parsed again and compared with what was meant. Where the two differ (a layout this editor does not
   know) the text is not used, and the person is told what to write.
3. The version grows by one with every edit.
4. A document whose every line ends in CRLF keeps doing so. One that mixes both is edited where rule 2 allows.
5. An exception whose reason begins with ``draft:`` is none that a person made: ``pinscher discover`` wrote it for a
   host that has no pins yet, and the first pins take its place.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Any

from pinscher.errors import PinningError
from pinscher.host import HostPattern, InvalidHostError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class UneditablePolicyError(PinningError):
    """A document that cannot be edited for certain; the text ends with what a person should write into it."""

    def __init__(self, reason: str, how: str, addition: object) -> None:
        super().__init__(f"{reason}; {how}:\n{addition}")
        self.addition = addition


@dataclass(frozen=True, slots=True)
class Addition:
    """Pins to add to one host's entry, as pins or as backup pins."""

    host: str
    pins: tuple[str, ...]
    is_backup: bool = dataclass_field(kw_only=True)

    @property
    def field(self) -> str:
        """The name of the field in the document."""
        return "backup-pins" if self.is_backup else "pins"

    def __str__(self) -> str:
        """Return the entry as a new document would hold it."""
        return f'[hosts."{self.host}"]\n{self.field} = {_array(self.pins)}\n'


def _array(pins: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{pin}"' for pin in pins) + "]"


def new_document(name: str) -> str:
    """Return a policy document without a host."""
    return f"format = 1\nname = {json.dumps(name, ensure_ascii=True)}\nversion = 0\n"


def with_pins(text: str, additions: Sequence[Addition]) -> str:
    """
    Return a TOML *text* with additions in it, or as it is when it has them all already.

    Raises :class:`UneditablePolicyError` when it cannot be edited for certain.
    """

    def edit(text: str) -> str:
        for addition in additions:
            text = _with_addition(text, addition)
        return text

    return edited_as_it_stands(text, edit)


def edited_as_it_stands(text: str, edit: Callable[[str], str]) -> str:
    """Return a document's text edited, in the version that follows and with its own line ends (rules 3 and 4)."""
    has_crlf = 0 < text.count("\n") == text.count("\r\n")
    before = text.replace("\r\n", "\n") if has_crlf else text
    after = edit(before)
    if after == before:
        return text
    after = _with_next_version(after)
    return after.replace("\n", "\r\n") if has_crlf else after


def _with_addition(text: str, addition: Addition) -> str:
    before = tomllib.loads(text)
    key = _key_of(before, addition.host)
    missing = _missing(before, key, addition)
    if not missing.pins:
        return text
    edited = _with_entry(text, key, missing)
    if _is_drafted(before, key):
        edited = _without_draft(edited, key)
    meant = _meant(before, key, missing)
    if parsed(edited) != meant:
        raise _uneditable(before, key, missing, meant)
    return edited


def parsed(text: str) -> dict[str, Any] | None:
    """Return what an edited text says, or None where it is no TOML any more."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _uneditable(
    before: dict[str, Any], key: str | None, missing: Addition, meant: dict[str, Any]
) -> UneditablePolicyError:
    """Return the error with what a person should write, which is valid where the document has an entry already."""
    if key is None:
        line = f'"{missing.host}" = {{ {missing.field} = {_array(missing.pins)} }}\n'
        return UneditablePolicyError("'hosts' is laid out in a way that cannot be edited", "add this to it", line)
    reason = f"the entry of {missing.host} is laid out in a way that cannot be edited"
    has_field = missing.field in before["hosts"][key]
    replaced = missing.field if has_field else "unpinned" if _is_drafted(before, key) else None
    how = "add this to the entry that is there" + (f", in place of its '{replaced}'" if replaced else "")
    return UneditablePolicyError(reason, how, f"{missing.field} = {_array(meant['hosts'][key][missing.field])}\n")


def _key_of(document: dict[str, Any], host: str) -> str | None:
    """Return the spelling under which a document lists a host in full, or None."""
    for key in document.get("hosts", {}):
        try:
            if str(HostPattern.parse(key)) == host:
                return str(key)
        except InvalidHostError:
            continue
    return None


def _missing(document: dict[str, Any], key: str | None, addition: Addition) -> Addition:
    """Return what of an addition the document does not have yet, as a pin or as a backup pin."""
    entry = document.get("hosts", {}).get(key, {})
    named = document.get("keys", {})
    items = (item for name in ("pins", "backup-pins") for item in entry.get(name, ()))
    present = {named.get(item, {}).get("pin", item) for item in items}
    pins = tuple(pin for pin in dict.fromkeys(addition.pins) if pin not in present)
    return Addition(addition.host, pins, is_backup=addition.is_backup)


def _meant(before: dict[str, Any], key: str | None, addition: Addition) -> dict[str, Any]:
    meant = copy.deepcopy(before)
    entry = meant.setdefault("hosts", {}).setdefault(addition.host if key is None else key, {})
    if _is_drafted(before, key):
        del entry["unpinned"]
    entry[addition.field] = [*entry.get(addition.field, ()), *addition.pins]
    return meant


def _is_drafted(document: dict[str, Any], key: str | None) -> bool:
    """Tell whether a host's entry is an exception of a draft (rule 5)."""
    reason = document.get("hosts", {}).get(key, {}).get("unpinned")
    return isinstance(reason, str) and reason.startswith("draft:")


def _without_draft(text: str, key: str | None) -> str:
    """Return a text without the line of an entry that says why it is not pinned."""
    header = None if key is None else _header(text, key)
    if header is None:
        return text
    following = _NEXT_HEADER.search(text, header.end())
    end = following.start() if following else len(text)
    line = _UNPINNED.search(text, header.end(), end)
    return text if line is None else text[: line.start()] + text[line.end() :]


_UNPINNED = re.compile(r"^[ \t]*unpinned[ \t]*=[^\n]*(?:\n|\Z)", re.MULTILINE)


def _with_entry(text: str, key: str | None, addition: Addition) -> str:
    header = None if key is None else _header(text, key)
    if header is None:
        return f"{text.rstrip()}\n\n{addition}"
    following = _NEXT_HEADER.search(text, header.end())
    end = following.start() if following else len(text)
    array = _field(addition.field).search(text, header.end(), end)
    if array is None:
        place = _end_of_pins(text, header.end(), end)
        return f"{text[:place]}\n{addition.field} = {_array(addition.pins)}{text[place:]}"
    closing = _closing_bracket(text, array.end())
    return text[: array.end()] + _extended(text[array.end() : closing], addition.pins) + text[closing:]


def _field(name: str) -> re.Pattern[str]:
    return re.compile(rf"^[ \t]*{name}[ \t]*=[ \t]*\[", re.MULTILINE)


def _end_of_pins(text: str, start: int, end: int) -> int:
    """Return the end of the line on which an entry's pins end, or of its header."""
    pins = _field("pins").search(text, start, end)
    if pins is None:
        return start
    line_break = text.find("\n", _closing_bracket(text, pins.end()))
    return len(text) if line_break < 0 else line_break


_NEXT_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)


def _header(text: str, key: str) -> re.Match[str] | None:
    spelling = "|".join((re.escape(json.dumps(key)), re.escape(f"'{key}'"), re.escape(key)))
    return re.search(rf"^[ \t]*\[[ \t]*hosts[ \t]*\.[ \t]*(?:{spelling})[ \t]*\][ \t]*(?:#.*)?$", text, re.MULTILINE)


def _closing_bracket(text: str, start: int) -> int:
    """Return where an array ends, passing over the strings and comments in it."""
    inside = re.compile(r'"[^"\n]*"|\'[^\'\n]*\'|#[^\n]*|[^\]"\'#]+')
    while start < len(text) and text[start] != "]":
        part = inside.match(text, start)
        if part is None:
            return len(text)
        start = part.end()
    return start


def _extended(content: str, pins: Sequence[str]) -> str:
    items = [f'"{pin}"' for pin in pins]
    if "\n" not in content:
        separator = ", " if content.strip() and not content.rstrip().endswith(",") else " " if content.strip() else ""
        return content.rstrip() + separator + ", ".join(items)
    body, line_break, indent = content.rpartition("\n")
    lines = body.split("\n")
    last = next((place for place in reversed(range(len(lines))) if _code(lines[place]).strip()), None)
    if last is not None and not _code(lines[last]).rstrip().endswith(","):
        code = _code(lines[last]).rstrip()
        lines[last] = code + "," + lines[last][len(code) :]
    inner = re.match(r"[ \t]*", lines[-1])
    spaces = (inner[0] if inner else "") or "    "
    return "\n".join([*lines, *(f"{spaces}{item}," for item in items)]) + line_break + indent


def _code(line: str) -> str:
    """Return a line of an array of pins without its comment; a pin and a key's name hold no '#'."""
    return line.partition("#")[0]


_VERSION = re.compile(r"^(version[ \t]*=[ \t]*)(\d+)", re.MULTILINE)


def _with_next_version(text: str) -> str:
    """Return a document's text with its version one higher (rule 3)."""
    return _VERSION.sub(lambda found: f"{found[1]}{int(found[2]) + 1}", text, count=1)
