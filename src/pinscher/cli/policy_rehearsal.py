"""
A policy document with the day on which a key was rehearsed, and everything else in it, comments too, as it was.

The rules are those of ``policy_edit``: edited where it stands, compared with what was meant, one version further.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.cli.policy_edit import UneditablePolicyError, with_next_version

if TYPE_CHECKING:
    from datetime import date


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The day on which the key of a name was last proved."""

    name: str
    day: date

    def __str__(self) -> str:
        """Return what a person would write."""
        name = json.dumps(self.name) if "." in self.name else self.name
        return f"[keys.{name}]\nrehearsed = {self.day}\n"


def with_rehearsals(text: str, rehearsals: list[Rehearsal]) -> str:
    """
    Return a TOML *text* that says when its keys were rehearsed, or as it is when it says so already.

    Raises :class:`~pinscher.cli.policy_edit.UneditablePolicyError` when it cannot be edited for certain.
    """
    edited = text
    for one in rehearsals:
        edited = _with_rehearsal(edited, one)
    return edited if edited == text else with_next_version(edited)


def _with_rehearsal(text: str, one: Rehearsal) -> str:
    before = tomllib.loads(text)
    if before["keys"][one.name].get("rehearsed") == one.day:
        return text
    meant = copy.deepcopy(before)
    meant["keys"][one.name]["rehearsed"] = one.day
    edited = _with_day(text, one)
    if edited is None or _parsed(edited) != meant:
        raise UneditablePolicyError(f"the key {one.name} is laid out in a way that cannot be edited", one)
    return edited


def _parsed(text: str) -> dict[str, object] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


_SAID = re.compile(r"^([ \t]*rehearsed[ \t]*=[ \t]*)\d{4}-\d\d-\d\d", re.MULTILINE)
_NEXT_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)


def _with_day(text: str, one: Rehearsal) -> str | None:
    """Replace the day in the key's table, or put it after the table's last line; None where there is no such table."""
    name = re.escape(one.name)
    header = re.search(rf"^[ \t]*\[[ \t]*keys[ \t]*\.[ \t]*([\"']?){name}\1[ \t]*\][ \t]*(?:#.*)?$", text, re.MULTILINE)
    if header is None:
        return None
    following = _NEXT_HEADER.search(text, header.end())
    end = following.start() if following else len(text)
    said = _SAID.search(text, header.end(), end)
    if said is not None:
        return f"{text[: said.start()]}{said[1]}{one.day}{text[said.end() :]}"
    place = _end_of_fields(text, header.end(), end)
    return f"{text[:place]}\nrehearsed = {one.day}{text[place:]}"


_FIELD = re.compile(r"^[ \t]*[A-Za-z-]+[ \t]*=.*$", re.MULTILINE)


def _end_of_fields(text: str, start: int, end: int) -> int:
    """Return the end of the last line that gives a field."""
    return max((found.end() for found in _FIELD.finditer(text, start, end)), default=start)
