"""The options that say which repository of signed bundles a monitor follows, as a client would."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from pinscher.cli.reading import read_bytes
from pinscher.errors import PinningError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pinscher.updates import Updater

_LARGEST_ROOT = 512 * 1024
_FOLDER = "updates"
DEFAULT_BUNDLE = "policy.json"
"""The bundle that a repository has from its start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedRepository:
    """A repository's address, the root that clients came with and its log's key, if they were given, and the bundle."""

    url: str | None
    root: str | None
    log: str | None = None
    bundle: str = DEFAULT_BUNDLE

    def updater(self, data: Path | None) -> Updater | None:
        """Return what follows the repository, and remembers in a folder of the monitor's, or in memory alone."""
        if self.url is None or self.root is None:
            return None
        try:
            from pinscher.updates import Updater  # noqa: PLC0415  (the help does not pay for it)
        except ImportError as error:
            raise PinningError(str(error)) from None
        root = read_bytes(self.root, limit=_LARGEST_ROOT)
        store = _Memory() if data is None else data / _FOLDER
        try:
            return Updater(self.url, root=root, store=store, log=self.log, bundle=self.bundle)
        except ValueError as error:
            raise PinningError(str(error)) from None


class _Memory:
    """Remembers until the process ends."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def load(self) -> Mapping[str, bytes]:
        return self._files

    def save(self, files: Mapping[str, bytes]) -> None:
        self._files = dict(files)

    @contextlib.contextmanager
    def exclusive(self, seconds: float) -> Iterator[None]:  # noqa: ARG002  (nobody else has it)
        yield


def repository_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options of this file; the verb gets them as one ``repository``."""

    @functools.wraps(command)
    def with_repository(
        *, updates: str | None, updates_root: str | None, updates_log: str | None, updates_bundle: str | None,
        **rest: object,
    ) -> int:  # fmt: skip
        if (updates is None) is not (updates_root is None):
            raise click.UsageError("--updates and --updates-root go together")
        if updates is None and updates_log is not None:
            raise click.UsageError("--updates-log is the key of the log of --updates, and none was given")
        if updates is None and updates_bundle is not None:
            raise click.UsageError("--updates-bundle is a policy of --updates, and none was given")
        bundle = updates_bundle or DEFAULT_BUNDLE
        followed = FollowedRepository(url=updates, root=updates_root, log=updates_log, bundle=bundle)
        return command(**rest, repository=followed)

    for option in (
        click.option("--updates-bundle", metavar="NAME", show_default=DEFAULT_BUNDLE,
                     help="The policy of that repository to follow, such as a delegated team's."),
        click.option("--updates-log", metavar="NAME+ID+KEY",
                     help="The key of that repository's transparency log, which has to prove each policy, and with "
                          "which clients' heads are compared."),
        click.option("--updates-root", metavar="FILE", help="The root.json that clients of that repository came with."),
        click.option("--updates", metavar="URL",
                     help="Follow this repository of signed bundles as a client does, and tell what clients would "
                          "refuse, and what lapses."),
    ):  # fmt: skip
        with_repository = option(with_repository)
    return with_repository
