"""
A policy document with the day on which a key was rehearsed, and everything else in it, comments too, as it was.

The rules are those of ``policy_edit``: edited where it stands, compared with what was meant, one version further.
"""

from __future__ import annotations

import copy
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.cli.policy_edit import UneditablePolicyError, edited_as_it_stands, parsed

if TYPE_CHECKING:
    from datetime import date


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The day on which the key of a name was last proved."""

    name: str
    day: date

    def __str__(self) -> str:
        """Return what a person would write into the key's table."""
        return f"rehearsed = {self.day}\n"


def with_rehearsals(text: str, rehearsals: list[Rehearsal]) -> str:
    """
    Return a TOML *text* that says when its keys were rehearsed, or as it is when it says so already.

    Raises :class:`~pinscher.cli.policy_edit.UneditablePolicyError` when it cannot be edited for certain.
    """

    def edit(text: str) -> str:
        for one in rehearsals:
            text = _with_rehearsal(text, one)
        return text

    return edited_as_it_stands(text, edit)


def _with_rehearsal(text: str, one: Rehearsal) -> str:
    before = tomllib.loads(text)
    if before["keys"][one.name].get("rehearsed") == one.day:
        return text
    meant = copy.deepcopy(before)
    meant["keys"][one.name]["rehearsed"] = one.day
    edited = _with_day(text, one)
    if edited is None or parsed(edited) != meant:
        reason = f"the key {one.name} is laid out in a way that cannot be edited"
        replaced = ", in place of its 'rehearsed'" if "rehearsed" in before["keys"][one.name] else ""
        raise UneditablePolicyError(reason, f"add this to the table that is there{replaced}", one)
    return edited


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
