"""The options that say which logs of Certificate Transparency a monitor follows."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.monitor.transparency.watching import LogSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedLogs:
    """A list of logs, if one was given, and how they are followed."""

    file: Path | None
    is_private: bool
    is_from_start: bool

    def settings(self) -> LogSettings:
        """Read the list; raise what says why it cannot be followed."""
        from pinscher.monitor.transparency.logs import load_logs  # noqa: PLC0415  (the help does not pay for it)
        from pinscher.monitor.transparency.watching import LogSettings  # noqa: PLC0415

        if self.file is None:
            return LogSettings()
        logs = load_logs(self.file, at=datetime.now(UTC), allow_private=self.is_private)
        return LogSettings(logs=logs, allow_private=self.is_private, from_start=self.is_from_start)


def log_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options of this file; the verb gets them as one ``followed``."""

    @functools.wraps(command)
    def with_logs(*, ct_logs: Path | None, ct_private: bool, ct_from_start: bool, **rest: object) -> int:
        return command(**rest, followed=FollowedLogs(file=ct_logs, is_private=ct_private, is_from_start=ct_from_start))

    for option in (
        click.option("--ct-from-start", is_flag=True,
                     help="Read a log that is new from its first entry on, not from its end."),
        click.option("--ct-private", is_flag=True,
                     help="Let logs have private addresses, and http on this machine."),
        click.option("--ct-logs", type=click.Path(path_type=Path), metavar="FILE",
                     help="Follow the Certificate Transparency logs of this list, log_list.json of version 3."),
    ):  # fmt: skip
        with_logs = option(with_logs)
    return with_logs
