"""The moment that counts as now, where a verb lets a person say it so that the answer can be had again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from pinscher.cli.certificates import now

if TYPE_CHECKING:
    from collections.abc import Callable


class _Moment(click.ParamType[datetime]):
    """A day, or a time with its offset."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        moment = value if isinstance(value, datetime) else _read(value)
        if moment is None:
            reason = "expected a day such as 2027-03-01 (its first moment in UTC) or 2027-03-01T12:00:00Z"
            self.fail(reason, param, ctx)
        return moment


def _read(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        given = moment.replace(tzinfo=UTC) if len(text) == len("2027-03-01") else moment
        return None if given.tzinfo is None else given.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def at_option(command: Callable[..., int]) -> Callable[..., int]:
    """Add ``--at``; the verb gets ``at``, aware and in UTC, the present moment if nothing is said."""
    return click.option(
        "--at", type=_Moment(), default=now, metavar="DATE", help="Judge as of this day or moment, not now."
    )(command)


def moments_option(command: Callable[..., int]) -> Callable[..., int]:
    """Add ``--at``, more than once if wanted; the verb gets ``moments``, the present one if nothing is said."""
    return click.option(
        "--at", "moments", type=_Moment(), multiple=True, default=lambda: (now(),), metavar="DATE",
        help="Judge as of this day or moment, not now; may be given more than once.",
    )(command)  # fmt: skip
