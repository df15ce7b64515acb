"""What is deployed, as the verbs read it: policies, application files of other platforms, and the inventory of both."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinscher.cli.policies import load_policy
from pinscher.cli.reading import read_bytes
from pinscher.document import LARGEST_TEXT
from pinscher.errors import PinningError, escaped
from pinscher.rotation.deployments import read_deployments
from pinscher.rotation.gate import Deployed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pinscher.policy import Policy
    from pinscher.rotation.deployments import Deployment

_BY_SUFFIX = {
    ".apk": "android", ".aab": "android", ".xml": "android", ".ipa": "apple", ".plist": "apple", ".csv": "csv",
}  # fmt: skip
"""The dialect of an application's file by its name; '--deployed NAME=FILE' says another."""


class UndeterminedFileError(PinningError):
    """An application's file in a dialect that its name does not tell; ``path`` says which."""

    def __init__(self, path: str) -> None:
        known = ", ".join(sorted(_BY_SUFFIX))
        super().__init__(
            f"cannot tell what '{escaped(path)}' is: expected a policy (.toml, .json), one of {known}, or NAME=FILE "
            "with a name that 'pinscher import --help' lists"
        )
        self.path = path


class UnsayableFileError(PinningError):
    """An application's file that no policy says the same as; ``path`` says which."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{escaped(path)}: {reason}")
        self.path = path


def read_deployed(text: str, *, folder: Path | None = None) -> Policy:
    """
    Read a policy, or another platform's file as the policy that it stands for; a path is relative to *folder*.

    Raises ``PinningError`` of whatever kind; what a policy cannot say of a foreign file is never given up here.
    """
    name, path = _dialect(text)
    file = str(path if folder is None else folder / path)
    if name is None:
        return load_policy(file)
    from pinscher.cli.dialects import read_foreign  # noqa: PLC0415  (who has policies alone does not pay for it)
    from pinscher.formats import FormatLossError  # noqa: PLC0415

    try:
        return read_foreign(name, file, policy_name=path.name[:100] or "imported", accepted=()).reading.policy
    except FormatLossError as error:
        raise UnsayableFileError(file, str(error)) from None


def _dialect(text: str) -> tuple[str | None, Path]:
    """Return the name of the dialect, None for a policy, and the path."""
    from pinscher.formats import FORMATS  # noqa: PLC0415

    name, equals, rest = text.partition("=")
    if equals and name in FORMATS:
        return name, Path(rest)
    suffix = Path(text).suffix.lower()
    if text == "-" or suffix in (".toml", ".json"):
        return None, Path(text)
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix], Path(text)
    raise UndeterminedFileError(text)


def read_inventory(path: str) -> tuple[Deployment, ...]:
    """Read ``deployments.toml``; the paths in it are relative to its own folder."""
    content = read_bytes(path, limit=LARGEST_TEXT)
    folder = Path(path).parent if path != "-" else None
    return read_deployments(content, source=path, read=lambda file: read_deployed(file, folder=folder))


def all_deployed(
    files: tuple[str, ...], inventories: tuple[str, ...]
) -> tuple[list[Deployed], list[tuple[str, PinningError]]]:
    """Return every policy that was named, those of inventories with the version that ships them, and what failed."""
    found: list[Deployed] = []
    failed: list[tuple[str, PinningError]] = []
    for file in files:
        try:
            found.append(Deployed(file, read_deployed(file)))
        except PinningError as error:
            failed.append((file, error))
    for path in inventories:
        try:
            found += [Deployed(one.file, one.policy, one) for one in read_inventory(path)]
        except PinningError as error:
            failed.append((path, error))
    return found, failed


deployments_option = click.option(
    "--deployments", "inventories", multiple=True, metavar="FILE", help="The inventory of what was released: "
    "deployments.toml; may be given more than once.",
)  # fmt: skip
"""Adds ``--deployments``; the verb gets ``inventories``."""


def read_inventories(paths: Iterable[str]) -> tuple[Deployment, ...]:
    """Read every inventory that was named, in order; the first that cannot be read is an error."""
    return tuple(one for path in paths for one in read_inventory(path))


def shares_of(versions: Iterable[Deployment]) -> dict[str, Decimal | None]:
    """Return the share of each application's users who have one of *versions*; None where a version's is not known."""
    found: dict[str, Decimal | None] = {}
    for one in {(one.application, one.version): one for one in versions}.values():
        so_far = found.get(one.application, Decimal(0))
        found[one.application] = None if so_far is None or one.share is None else so_far + one.share
    return found


def told_shares(versions: Iterable[Deployment], what: str) -> list[str]:
    """Return a line for each application: *what* happens to which share of its users."""
    return [
        f"{what}: {'an unknown share' if share is None else percent(share)} of the users of {escaped(application)}"
        for application, share in shares_of(versions).items()
    ]


def percent(share: Decimal) -> str:
    """Return a share of 1 in percent, without zeros at its end."""
    return f"{(share * 100).normalize():f} %"


def client_of(one: Deployment) -> str:
    """Return the application and the version with its share of the users, if that is known."""
    share = "" if one.share is None else f" ({percent(one.share)})"
    return f"{escaped(one.application)} {escaped(one.version)}{share}"


def version_object(one: Deployment) -> dict[str, object]:
    """Return the ``--json`` fields of a released version."""
    share = None if one.share is None else str(one.share)
    return {"file": escaped(one.file), "application": one.application, "version": one.version, "share": share}


def shares_object(versions: Iterable[Deployment]) -> dict[str, object]:
    """Return the ``--json`` object of shares by application, as text; null is not known."""
    return {name: None if share is None else str(share) for name, share in shares_of(versions).items()}
