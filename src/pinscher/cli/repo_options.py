"""What the commands of ``pinscher repo`` share: keys on the command line, one call from a change to its publication."""

from __future__ import annotations

import contextlib
import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from pinscher.cli.certificates import counted
from pinscher.entry import InvalidPolicyError
from pinscher.errors import escaped
from pinscher.host import HostPattern, InvalidHostError
from pinscher.pin import InvalidPinError, Pin
from pinscher.rotation import Circumstances, Effect, Severity, difference, lint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from pinscher.cli.voice import Voice
    from pinscher.policy import Policy
    from pinscher.rotation import Change
    from pinscher.updates.repository import Objection, Repository, RoleKeys, SigningKey

    Check = Callable[[Policy | None, Policy], Iterator[Objection]]

repository_argument = click.argument("repository", metavar="REPO", type=click.Path())
key_option = click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY",
    help="Sign with this key at once: a PEM file, or an address such as pkcs11:token=alice;id=%02 or awskms:...",
)
online_option = click.option(
    "--online-key", "online", multiple=True, metavar="KEY", help="Publish at once, with this key."
)
rehearsal_option = click.option("--dry-run", "is_rehearsal", is_flag=True, help="Show the effect and change nothing.")
accept_option = click.option(
    "--accept",
    "accepted",
    multiple=True,
    metavar="NAME",
    help="Publish although this check objects; may be given more than once.",
)


class PinType(click.ParamType[Pin]):
    """A pin as a policy writes it."""

    name = "pin"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Pin:
        """Read a pin, or fail as a usage error."""
        try:
            return value if isinstance(value, Pin) else Pin.parse(value)
        except InvalidPinError as error:
            self.fail(str(error), param, ctx)


class PatternType(click.ParamType[HostPattern]):
    """A host or a host pattern."""

    name = "host"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> HostPattern:
        """Read a pattern, or fail as a usage error."""
        try:
            return value if isinstance(value, HostPattern) else HostPattern.parse(value)
        except InvalidHostError as error:
            self.fail(str(error), param, ctx)


def repository_at(path: str) -> Repository:
    """Return the repository at a path."""
    from pinscher.updates.repository import Repository  # noqa: PLC0415  (other commands do not pay for its imports)

    return Repository(path)


def role_keys(files: Sequence[str], threshold: int) -> RoleKeys:
    """Read the public keys of a role."""
    from pinscher.updates.repository import RoleKeys, public_key  # noqa: PLC0415

    return RoleKeys(tuple(public_key(name, passphrase=ask_passphrase, pin=ask_pin) for name in files), threshold)


def signing_keys(places: Sequence[str]) -> list[SigningKey]:
    """Open the private keys that were named."""
    from pinscher.updates.repository import SigningKey  # noqa: PLC0415

    return [SigningKey.load(place, passphrase=ask_passphrase, pin=ask_pin) for place in places]


def ask_passphrase(what: str) -> str | None:
    """Ask a person for a passphrase, if one sits there."""
    if not sys.stdin.isatty():
        return None
    return str(click.prompt(f"passphrase of {escaped(what)}", hide_input=True, err=True)) or None


def ask_pin(token: str) -> str | None:
    """Return the PIN of a token from the environment, or ask a person for it, if one sits there."""
    given = os.environ.get("PINSCHER_TOKEN_PIN")
    if given or not sys.stdin.isatty():
        return given or None
    return str(click.prompt(f"PIN of the token '{escaped(token)}'", hide_input=True, err=True)) or None


def sign_and_renew(
    repository: Repository, keys: Sequence[str], online: Sequence[str], at: datetime, voice: Voice, *, is_json: bool
) -> dict[str, object]:
    """Sign what was staged and publish it, as far as keys were given; say what is left to do, and return it."""
    from pinscher.updates.repository import renew, sign, status  # noqa: PLC0415

    offline, online_keys = signing_keys(keys), signing_keys(online)
    for key in offline:
        sign(repository, key)
    lacking = {one.role: one.missing for one in status(repository) if one.is_staged and one.missing}
    published: tuple[str, ...] = ()
    if online_keys and not lacking:
        renewed = renew(repository, online_keys, at=at)
        published = renewed.published
        if not is_json:
            told = ", ".join(map(escaped, published)) or "nothing new"
            voice.answer(f"published: {told}; timestamp {renewed.timestamp} until {renewed.expires:%Y-%m-%d %H:%M} UTC")
    elif not is_json:
        tell_lacking(repository, voice)
    return {"published": list(published), "lacking": lacking}


def tell_lacking(repository: Repository, voice: Voice) -> None:
    """Say which staged roles lack signatures, and whose could be added."""
    from pinscher.updates.repository import status  # noqa: PLC0415

    staged = [one for one in status(repository) if one.is_staged]
    for one in staged:
        who = f", from {' or '.join(one.unsigned)}" if one.missing and one.unsigned else ""
        what = f"lacks {counted(one.missing, 'signature')}{who}" if one.missing else "is completely signed"
        voice.answer(f"{escaped(one.role)} version {one.version} {what}")
    if any(one.missing for one in staged):
        voice.hint(f"a signer runs 'pinscher repo sign {escaped(repository.path)} --key KEY'")
    elif staged:
        voice.hint(f"'pinscher repo renew {escaped(repository.path)} --online-key KEY' publishes it")


def objections(at: datetime, more: Iterable[Check] = ()) -> list[Check]:
    """Return what judges a policy before it is published: the lint rules, what changes for clients, and *more*."""
    return [lambda _, new: _by_lint(new, at), _by_difference, *more]


def _by_lint(new: Policy, at: datetime) -> Iterator[Objection]:
    from pinscher.updates.repository import Objection  # noqa: PLC0415

    for finding in lint(new, Circumstances(at)):
        if finding.severity >= Severity.WARNING:
            yield Objection(f"lint:{finding.rule}", finding.text)


def _by_difference(old: Policy | None, new: Policy) -> Iterator[Objection]:
    from pinscher.updates.repository import Objection  # noqa: PLC0415

    for change in difference(old, new) if old is not None else ():
        if change.effect is Effect.WEAKENING:
            yield Objection(f"diff:{change.kind}", _told(change))


def tell_objections(found: Iterable[Objection], voice: Voice) -> None:
    """Say what the checks object to, and how it is accepted."""
    for objection in found:
        voice.error(f"[{objection.name}] {objection.text}")
    names = " ".join(f"--accept={name}" for name in dict.fromkeys(one.name for one in found))
    voice.hint(f"what is meant is accepted with {names}")


def as_objects(found: Iterable[Objection], *, accepted: bool) -> list[dict[str, object]]:
    """Return objections as JSON has them."""
    return [{"name": one.name, "text": one.text, "accepted": accepted} for one in found]


def _told(change: Change) -> str:
    hosts = ", ".join(change.hosts[:3]) + (f" and {len(change.hosts) - 3} more" if len(change.hosts) > 3 else "")
    return f"{hosts}: {change.sentence}" if hosts else change.sentence


def tell_changes(old: Policy | None, new: Policy, voice: Voice) -> list[dict[str, object]]:
    """Show what changes for those who have the old policy, and return it as objects."""
    changes = difference(old, new) if old is not None else ()
    what = counted(len(changes), "change") if old else f"the first policy, {counted(len(new.hosts), 'host')}"
    voice.note(f"{escaped(new.name)} version {old.version if old else 'none'} -> {new.version}: {what}")
    for change in changes:
        breaks = " BREAKS" if change.breaks else ""
        voice.note(f"  {change.effect.value}{breaks}  {_told(change)} [{change.kind}]")
    return [
        {"kind": change.kind, "effect": change.effect.value, "breaks": change.breaks, "text": _told(change)}
        for change in changes
    ]


def hours_from(at: datetime, hours: float) -> datetime:
    """Return a moment some hours ahead, without fractions of a second."""
    return (at + timedelta(hours=hours)).replace(microsecond=0)


def current_policy(repository: Repository, role: str = "targets") -> Policy:
    """Return the policy that clients have; raise a usage error when there is none."""
    from pinscher.updates.repository import published_policy  # noqa: PLC0415

    repository.require()
    policy = published_policy(repository, "policy.json" if role == "targets" else f"{role}/policy.json", role)
    if policy is None:
        raise click.UsageError("the repository has published no policy yet; 'pinscher repo publish' does that")
    return policy


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """Turn a policy that cannot be built from what was typed into a usage error."""
    try:
        yield
    except (InvalidPolicyError, InvalidHostError, InvalidPinError) as error:
        raise click.UsageError(str(error)) from None
