"""
Heads of the log of pin sets that contradict each other, found among all that heartbeats told.

Rules of this file:

1. They are compared by log and size in the database, so that no number of other heads hides two that contradict.
2. What is no head is left out there already: it would stand in front of one.
3. Where the repository is followed, its own head comes first, and heads of other logs are not asked for. Heads of
   sizes below its own are told for each size, to be held to what the log's tiles prove.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select

from pinscher.monitor.findings.heads import ToldHead, origin_of
from pinscher.monitor.hearing import REMEMBERED
from pinscher.monitor.tables import heartbeats, millis

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

MOST_FORKS = 1_000
"""Sizes of logs that nobody follows, the ones that were told first."""
MOST_SIZES = 10_000
"""Sizes of the log that is followed, the ones that were told last."""
_ROOT = 44
"""Characters of a root as base64."""
_LONGEST_SIZE = 19
_BASE64 = string.ascii_letters + string.digits + "+/"


async def contradicting_heads(connection: AsyncConnection, own: str | None, at: datetime) -> list[ToldHead]:
    """Return heads of which two contradict each other, *own* of the repository first, each with who tells of it."""
    log = None if own is None else origin_of(own)
    recent = (heartbeats.c.received > millis(at - REMEMBERED)) & _is_head(log)
    lines: list[str] = []
    if own is not None and log is not None:
        here = recent & (_PLACE == own[: -_ROOT - 1]) & (_LINE != own)
        against = (await connection.execute(select(func.min(_LINE)).where(here))).scalar()
        lines += [own] if against is None else [own, against]
    # Any two that differ will do, and a database finds the first and the last of them without keeping the others.
    pairs = select(func.min(_LINE), func.max(_LINE)).where(recent).group_by(_PLACE)
    pairs = pairs.having(func.min(_LINE) != func.max(_LINE)).order_by(func.min(heartbeats.c.id))
    for pair in await connection.execute(pairs.limit(MOST_FORKS if log is None else 1)):
        lines += pair
    return await _told(connection, recent, lines, own)


async def smaller_heads(connection: AsyncConnection, own: str, at: datetime) -> list[str]:
    """Return a head for each size that is told of the repository's log and is below its *own*."""
    log = origin_of(own)
    if log is None:
        return []
    most = own[len(log) + 1 : -_ROOT - 1]
    size: ColumnElement[Any] = func.substr(_PLACE, len(log) + 2)
    is_smaller = (func.length(size) < len(most)) | ((func.length(size) == len(most)) & (size < most))
    asked = select(func.min(_LINE)).where(heartbeats.c.received > millis(at - REMEMBERED), _is_head(log), is_smaller)
    asked = asked.group_by(_PLACE).order_by(func.max(heartbeats.c.id).desc()).limit(MOST_SIZES)
    return list((await connection.execute(asked)).scalars())


async def head_against(connection: AsyncConnection, line: str, proven: str, at: datetime) -> list[ToldHead]:
    """Return a head that clients tell of, and the one of its size that the repository's log proves."""
    told = await _told(connection, heartbeats.c.received > millis(at - REMEMBERED), [line], None)
    return [ToldHead(proven, "the repository"), *told]


async def _told(
    connection: AsyncConnection, recent: ColumnElement[bool], lines: Sequence[str], own: str | None
) -> list[ToldHead]:
    installs = func.count(func.distinct(heartbeats.c.install))
    asked = select(_LINE, func.min(heartbeats.c.application), installs).where(recent & _LINE.in_(lines)).group_by(_LINE)
    rows = await connection.execute(asked)
    who = {line: f"clients of {application} ({count})" for line, application, count in rows}
    if own is not None:
        who[own] = "the repository"
    return [ToldHead(line, who[line]) for line in lines if line in who]


_LINE = heartbeats.c.log_head
_LENGTH = func.length(_LINE)


def _from_end(characters: int) -> ColumnElement[int]:
    """Return where the last so many characters of a line begin; a line that is too short for a head begins there."""
    return case((_LENGTH > _ROOT + 2, _LENGTH - (characters - 1)), else_=1)


_PLACE: ColumnElement[str] = func.substr(_LINE, 1, _from_end(_ROOT + 1) - 1)
"""The name of the log and the size, which a root follows."""


def _is_head(log: str | None) -> ColumnElement[bool]:
    """Tell whether a line is a head, of a log where one is named, in functions that both databases have (rule 2)."""
    is_whole = (_LENGTH > _ROOT + 2) & (func.substr(_LINE, _from_end(_ROOT + 1), 1) == " ")
    has_root = func.ltrim(func.substr(_LINE, _from_end(_ROOT)), _BASE64) == "="
    if log is None:
        return is_whole & has_root & func.rtrim(_PLACE, string.digits).like("% ")
    size: ColumnElement[Any] = func.substr(_PLACE, len(log) + 2)
    is_number = (func.rtrim(size, string.digits) == "") & func.length(size).between(1, _LONGEST_SIZE)
    is_plain = (size == "0") | (func.substr(size, 1, 1) != "0")
    is_ours = func.substr(_PLACE, 1, len(log) + 1) == f"{log} "
    return is_whole & has_root & is_ours & is_number & is_plain
