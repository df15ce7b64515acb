"""``pinscher update``: follow a repository once."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinscher.cli.certificates import counted
from pinscher.cli.reading import json_option, read_bytes
from pinscher.cli.repository_options import DEFAULT_BUNDLE
from pinscher.cli.voice import ExitCode, Voice
from pinscher.cli.writing import check_outputs, known_content, replace_file
from pinscher.errors import escaped
from pinscher.rotation import difference

if TYPE_CHECKING:
    from pinscher.policy import Policy
    from pinscher.updates import Event, Refreshed, State

_FIELDS = """
\b
JSON: {an object}
  error            why nothing was taken, or null
  kind             the name of that error, or null
  policy           what is in force: {name, version, digest}, or null
  changed          whether it is another than before
  changes          what changes: {kind, effect, breaks, text}
  mirror           the address it came from, or null
  override         the hosts of an emergency policy and its end: {hosts, ends}, or null
  expires          when each role lapses
  log_head         the newest head of the log, on one line, or null
  floor            below what nothing is accepted: {epoch, policy, root}
"""


@click.command(epilog=_FIELDS)
@click.option("--repository", "addresses", multiple=True, required=True, metavar="URL", help="A mirror, in order.")
@click.option("--root", required=True, metavar="FILE", help="The root that is trusted, such as 1.root.json.")
@click.option("--data", required=True, metavar="DIR", type=click.Path(), help="Where to keep what was accepted.")
@click.option("--bundle", default=DEFAULT_BUNDLE, show_default=True, metavar="NAME", help="The policy to follow.")
@click.option("--log", metavar="NAME+ID+KEY", help="The key of the transparency log that has to prove each policy.")
@click.option("--output", metavar="FILE", type=click.Path(), help="Write the policy in force to this file.")
@json_option
def update(
    addresses: tuple[str, ...], *, root: str, data: str, bundle: str, log: str | None, output: str | None, is_json: bool
) -> int:
    """
    Refresh a signed policy once: verify what the repository offers, and keep it in DIR for the next start.

    Whatever is refused, the last accepted policy stays in force. Exit 1 if something was refused that speaks of an
    attack or a repository that is not kept up, 2 if nobody could be reached. The data in DIR are not sealed.
    """
    from pinscher.updates import RepositoryUnreachableError, SlowRetrievalError, UpdateError, Updater  # noqa: PLC0415

    _check_addresses(addresses)
    check_outputs({"--output": output})
    voice = Voice()
    # What is told here is told in the voice, and not a second time by a log that nobody set up.
    logging.getLogger("pinscher.updates").addHandler(logging.NullHandler())
    try:
        updater = Updater(
            addresses,
            root=read_bytes(root),
            store=data,
            bundle=bundle,
            log=log,
            on_event=lambda event: _tell(event, voice),
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    before = updater.start()
    refreshed, failure = None, None
    try:
        refreshed = updater.refresh()
    except UpdateError as error:
        failure = error
    if output is not None and updater.policy is not None:
        _write(Path(output), updater.policy.to_json())
    if is_json:
        voice.document(_document(updater.state, before, refreshed, failure))
    else:
        _print(updater.state, before, failure, voice)
    if failure is None:
        return ExitCode.GOOD
    is_network = isinstance(failure, RepositoryUnreachableError | SlowRetrievalError)
    return ExitCode.NO_ANSWER if is_network else ExitCode.BAD


def _tell(event: Event, voice: Voice) -> None:
    if event.kind.is_alarm:
        voice.warning(f"{event.kind.value}: {event.text}")


def _print(state: State, before: Policy | None, failure: Exception | None, voice: Voice) -> None:
    if failure is not None:
        voice.error(f"nothing was taken: {type(failure).__name__}")
    policy = state.policy
    if policy is None:
        voice.answer("no policy is in force")
        return
    what = "still in force" if failure else "in force, nothing new" if policy == before else "in force, new"
    voice.answer(f"{escaped(policy.name)} version {policy.version} {what}, {counted(len(policy.hosts), 'host')}")
    for change in difference(before, policy) if before is not None else ():
        hosts = f"{', '.join(change.hosts[:3])}: " if change.hosts else ""
        voice.answer(f"  {change.effect.value}{' BREAKS' if change.breaks else ''}  {hosts}{change.sentence}")


def _document(
    state: State, before: Policy | None, refreshed: Refreshed | None, failure: Exception | None
) -> dict[str, object]:
    policy = state.policy
    changes = difference(before, policy) if before is not None and policy is not None else ()
    told = state.override
    return {
        "error": None if failure is None else str(failure),
        "kind": None if failure is None else type(failure).__name__,
        "policy": policy and {"name": policy.name, "version": policy.version, "digest": policy.digest},
        "changed": refreshed is not None and refreshed.has_changed,
        "changes": [
            {"kind": one.kind, "effect": one.effect.value, "breaks": one.breaks, "text": one.sentence}
            for one in changes
        ],
        "mirror": refreshed.mirror if refreshed else None,
        "override": told and {"hosts": [entry.host for entry in told.policy.hosts], "ends": told.ends.isoformat()},
        "expires": {role: at.isoformat() for role, at in state.expiries.items()},
        "log_head": state.log_head,
        "floor": {"epoch": state.floor.epoch, "policy": state.floor.policy, "root": state.floor.root},
    }


def _check_addresses(addresses: tuple[str, ...]) -> None:
    """Say of a name without a scheme what an address is, before anything is said of its host."""
    for address in addresses:
        if "://" not in address:
            told = f"the address of a repository begins with https://, found '{escaped(address)}'"
            raise click.BadParameter(told, param_hint="'--repository'")


def _write(path: Path, content: bytes) -> None:
    """Replace a file by the policy in force."""
    known = known_content(path)
    if known != content:
        replace_file(path, content, expected=known)
