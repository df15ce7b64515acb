"""Foreign files as the verbs read and write them: within bounds, every weakening and every loss told by its place."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from pinscher.cli import reading
from pinscher.cli.certificates import now
from pinscher.cli.reading import STDIN, read_bytes
from pinscher.entry import Key, Role
from pinscher.errors import escaped
from pinscher.formats import FORMATS, LOSSES, WEAKENINGS, Choices, FormatLossError, UnreadableFileError
from pinscher.formats.archives import is_archive
from pinscher.formats.limits import LARGEST_ARCHIVE, LARGEST_FILE
from pinscher.formats.roles import EXTENSION
from pinscher.pin import Pin
from pinscher.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pinscher.cli.voice import Voice
    from pinscher.formats import Format, Loss, Reading, Weakening

NamedKeys = tuple[tuple[str, str, str], ...]
"""What ``--key`` was given: name, role and pin, as often as it was given."""

UNREADABLE = (UnreadableFileError, reading.UnreadableFileError)
"""A foreign file that the operating system does not give, or that is not what its dialect says."""

accept_option = click.option(
    "--accept-loss",
    "accepted",
    multiple=True,
    type=click.Choice(sorted(LOSSES)),
    metavar="LOSS",
    help="Give this up, by the name that the refusal says; may be given more than once.",
)
key_option = click.option(
    "--key",
    "keys",
    multiple=True,
    nargs=3,
    type=(str, click.Choice([role.value for role in Role if role is not Role.ANY]), str),
    metavar="NAME ROLE PIN",
    help="Name a pin of FILE and say its role (leaf, intermediate, root); may be given more than once.",
)
strict_option = click.option("--strict", "is_strict", is_flag=True, help="Exit 1 if FILE weakens anything.")
variant_option = click.option("--variant", metavar="VARIANT", help="Write another form of the file than the first.")
_IMPORTED = "imported"
name_option = click.option(
    "--policy-name", default=_IMPORTED, show_default=True, metavar="NAME", help="What the policy is called."
)


def table_of_names(*, title: str, is_read: bool) -> str:
    """Return the paragraph of a verb's help that lists the formats it takes."""
    lines = [f"{title}:"]
    for name in _names(is_read=is_read):
        if len(lines[-1]) + len(name) > 76 or len(lines) == 1:
            lines.append(" ")
        lines[-1] += f" {name}"
    return "\n".join(["\b", *lines])


def _names(*, is_read: bool) -> list[str]:
    """Return the names of the formats, of those alone that are read where a file is to be read."""
    return [name for name, one in FORMATS.items() if not is_read or one.read is not None]


def format_of(name: str, *, is_read: bool) -> Format:
    """Return a format by its name; one that has no reader is a usage error where a file is to be read."""
    if name not in FORMATS:
        known = ", ".join(_names(is_read=is_read))
        raise click.UsageError(f"there is no format '{escaped(name)}'; there are {known}")
    found = FORMATS[name]
    if is_read and found.read is None:
        raise click.UsageError(f"{name} is written and never read: no reader could tell what a program does")
    return found


@dataclass(frozen=True, slots=True)
class Imported:
    """What was read, and what was given up on the way."""

    reading: Reading
    given_up: tuple[Loss, ...]


def read_foreign(name: str, file: str, *, policy_name: str, accepted: Iterable[str], keys: NamedKeys = ()) -> Imported:
    """Read a foreign file; raise ``UnreadableFileError`` of either kind, or ``FormatLossError``."""
    read = format_of(name, is_read=True).read
    assert read is not None  # noqa: S101  (format_of refuses a format without a reader)
    content = _content(file)
    told = Choices(now(), accepted=frozenset(accepted), policy_name=policy_name)
    try:
        given_up = _given_up(lambda choices: read(content, choices), told)
        taken = read(content, told)
    except UnreadableFileError as error:
        raise error.of("<stdin>" if file == STDIN else file) from None
    return Imported(replace(taken, policy=_with_keys(taken.policy, keys)), given_up)


def _content(file: str) -> bytes:
    """Read a file or standard input, an archive to a larger bound than anything else."""
    head = read_bytes(file, limit=LARGEST_FILE)
    if len(head) <= LARGEST_FILE or not is_archive(head):
        return head
    if file == STDIN:
        return head + sys.stdin.buffer.read(LARGEST_ARCHIVE - LARGEST_FILE)
    return read_bytes(file, limit=LARGEST_ARCHIVE)


def _with_keys(policy: Policy, keys: NamedKeys) -> Policy:
    """Return the policy with pins named and given roles; what the importer called them gives way."""
    if not keys:
        return policy
    named = {Pin.parse(pin): Key(name, Pin.parse(pin), role=Role(role)) for name, role, pin in keys}
    pinned = {pin for entry in policy.hosts for pin in entry.pinset or ()}
    for pin in named:
        if pin not in pinned:
            raise click.UsageError(f"--key: no entry of the file pins {pin}")
    entries = [
        replace(entry, names={**entry.names, **{pin: key.name for pin, key in named.items() if pin in entry.pinset}})
        if entry.pinset
        else entry
        for entry in policy.hosts
    ]
    return Policy(
        entries,
        name=policy.name,
        unlisted_hosts=policy.unlisted_hosts,
        keys=[*(key for key in policy.keys.values() if key.pin not in named), *named.values()],
        reporting=policy.reporting.values(),
        extensions=_without_positions(policy, named.keys()),
    )


def _without_positions(policy: Policy, pins: Iterable[Pin]) -> dict[str, Any]:
    """Return the extensions without the positions that an importer noted for keys that now have a role."""
    noted = policy.extensions.get(EXTENSION, {}).get("ca-keys", [])
    renamed = {key.name for key in policy.keys.values() if key.pin in set(pins)}
    kept = [name for name in noted if name not in renamed]
    return {EXTENSION: {"ca-keys": kept}} if kept else {}


@dataclass(frozen=True, slots=True)
class Exported:
    """A target's file, and what was given up for it."""

    content: bytes
    given_up: tuple[Loss, ...]


def write_foreign(name: str, policy: Policy, *, accepted: Iterable[str], variant: str | None) -> Exported:
    """Write a policy as another platform's file, or raise ``FormatLossError`` with every reason why not."""
    target = format_of(name, is_read=False)
    write = target.write
    assert write is not None  # noqa: S101  (every format is written)
    if variant is not None and variant not in target.variants:
        known = f"has the variants {', '.join(target.variants)}" if target.variants else "has no variants"
        raise click.UsageError(f"{name} {known}, found '{variant}'")
    told = Choices(now(), accepted=frozenset(accepted), variant=variant, is_public_suffix=_public_suffixes())
    given_up = _given_up(lambda choices: write(policy, choices), told)
    return Exported(write(policy, told), given_up)


def _public_suffixes() -> Callable[[str], bool]:
    """Return the public suffix list that the package brought along; nothing is fetched."""
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415  (its list takes a while to read)

    return PublicSuffixList(accept_unknown=False).is_public


def _given_up(attempt: Callable[[Choices], object], told: Choices) -> tuple[Loss, ...]:
    """Return the losses that acceptance lets pass: those that refuse the same without it."""
    if not told.accepted:
        return ()
    try:
        attempt(replace(told, accepted=frozenset()))
    except FormatLossError as error:
        # A writer may look at a loss only because another was accepted, so acceptance by name is the last word.
        return tuple(loss for loss in error.losses if loss.name in told.accepted and loss.given_up is not None)
    return ()


_MOST_TOLD = 20
"""Losses that a refusal tells one by one; the JSON has them all."""


def tell_weakenings(weakenings: tuple[Weakening, ...], voice: Voice) -> None:
    """Say each weakening of a file: where, what, and what it means where that is not already said."""
    for one in weakenings:
        meaning = WEAKENINGS[one.name]
        voice.warning(f"{one.where}: {one.detail}{'' if one.detail == meaning else f' ({meaning})'} [{one.name}]")


def tell_given_up(format_name: str, losses: tuple[Loss, ...], accepted: tuple[str, ...], voice: Voice) -> None:
    """Say what was given up, and which acceptance was not needed."""
    for loss in losses:
        voice.warning(f"{format_name}: {loss.host or 'the policy'}: given up: {loss.given_up} [{loss.name}]")
    for name in dict.fromkeys(accepted):
        if not any(loss.name == name for loss in losses):
            voice.hint(f"--accept-loss={name} was not needed: leave it out, so that it hides nothing later")


def tell_refusal(error: FormatLossError, voice: Voice, *, takes_keys: bool = False) -> None:
    """Say each loss that refused a writing or reading, with every honest way out; *takes_keys*: ``--key`` is one."""
    for loss in error.losses[:_MOST_TOLD]:
        voice.error(f"{error.format}: {loss.host or 'the policy'}: {loss.feature} [{loss.name}]")
        ways = list(loss.choices)
        if takes_keys and loss.name == "missing-role":
            ways = ["say its name and role with --key NAME ROLE PIN"]
        if loss.given_up is not None:
            ways.append(f"say --accept-loss={loss.name}, and {loss.given_up}")
        if ways:
            voice.hint("; or ".join(ways))
    if len(error.losses) > _MOST_TOLD:
        voice.error(f"{error.format}: and {len(error.losses) - _MOST_TOLD} more; --json lists them all")


def loss_object(loss: Loss) -> dict[str, object]:
    """Return a loss as the JSON answers have it."""
    return {
        "name": loss.name,
        "host": loss.host,
        "feature": loss.feature,
        "choices": list(loss.choices),
        "given_up": loss.given_up,
    }


def weakening_object(weakening: Weakening) -> dict[str, object]:
    """Return a weakening as the JSON answers have it."""
    return {
        "name": weakening.name,
        "where": weakening.where,
        "detail": weakening.detail,
        "meaning": WEAKENINGS[weakening.name],
    }
