"""``pinscher repo override``: an emergency policy."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import click

from pinscher.cli.certificates import now
from pinscher.cli.reading import json_option
from pinscher.cli.repo_checks import chain_option, checks, trust_option
from pinscher.cli.repo_options import (
    PinType,
    accept_option,
    as_objects,
    current_policy,
    hours_from,
    key_option,
    online_option,
    rehearsal_option,
    repository_argument,
    repository_at,
    sign_and_renew,
    tell_objections,
    usage_errors,
)
from pinscher.cli.voice import ExitCode, Voice
from pinscher.entry import Rung
from pinscher.errors import escaped

if TYPE_CHECKING:
    from pinscher.pin import Pin
    from pinscher.policy import Policy

_FIELDS = """
\b
JSON:
  version          the emergency policy's version
  hosts            each host: {host, before, after, denied, listens}
    before         the pins that clients accept there now
    after          the pins that the emergency policy accepts beside them
    denied         the keys that stay denied
    listens        whether the policy's ladder for the host has the rung "override"
  ends             when it ends
  objections       what the checks object to: {name, text, accepted}
  published        the roles that were published at once
  lacking          how many signatures each staged role lacks
"""


@click.command("override", epilog=_FIELDS)
@repository_argument
@click.option("--host", "hosts", multiple=True, required=True, metavar="HOST", help="A host it is for.")
@click.option("--pin", "pins", multiple=True, required=True, type=PinType(), metavar="PIN", help="A key it accepts.")
@click.option(
    "--hours",
    required=True,
    type=click.FloatRange(min=0, min_open=True, max=72),
    metavar="N",
    help="How long it lasts; 72 at most.",
)
@chain_option
@trust_option
@accept_option
@rehearsal_option
@key_option
@online_option
@json_option
def command(
    repository: str,
    *,
    hosts: tuple[str, ...],
    pins: tuple[Pin, ...],
    hours: float,
    chain_texts: tuple[str, ...],
    trusted: tuple[str, ...],
    accepted: tuple[str, ...],
    is_rehearsal: bool,
    keys: tuple[str, ...],
    online: tuple[str, ...],
    is_json: bool,
) -> int:
    """
    Stage an emergency policy: for named hosts, signed by those on call, and over by itself.

    A client uses it only after a mismatch, only for a host whose ladder says "override", and says so in every report.
    Keys that are denied stay denied. --dry-run shows the effect. No chain is needed; with --chain, what the server
    presents now, it is proved that the emergency policy accepts it, and one that does not is refused, exit 1, unless
    --accept names the objection as 'repo publish' does.
    """
    from pinscher.updates.repository import override  # noqa: PLC0415

    voice, at, place = Voice(), now(), repository_at(repository)
    current = current_policy(place)
    build = functools.partial(override, place, hosts, pins, ends=hours_from(at, hours), current=current, at=at)
    with usage_errors():
        made = build(is_rehearsal=True)
    answer = _tell_effect(current, made, voice)
    found = [one for check in checks(chain_texts, (), trusted, at, voice) for one in check(None, made)]
    refused = [one for one in found if one.name not in accepted]
    answer["objections"] = as_objects(refused or found, accepted=not refused)
    if refused:
        tell_objections(refused, voice)
    if refused or is_rehearsal:
        answer |= {"published": [], "lacking": {}}
        if not is_json and not refused:
            voice.answer("nothing was changed")
    else:
        build(is_rehearsal=False)
        answer |= sign_and_renew(place, keys, online, at, voice, is_json=is_json)
    if is_json:
        voice.document(answer)
    return ExitCode.BAD if refused else ExitCode.GOOD


def _tell_effect(current: Policy, made: Policy, voice: Voice) -> dict[str, object]:
    """Say what clients accept now and what they will accept beside it, and return it."""
    effect = [_effect(entry.host, current, made) for entry in made.hosts]
    ends = max(entry.expires for entry in made.hosts if entry.expires is not None)
    for one in effect:
        voice.note(f"{one['host']} until {ends:%Y-%m-%d %H:%M} UTC")
        for word, field in (("accepted", "before"), ("also accepted", "after"), ("denied", "denied")):
            voice.note(f"  {word:<13}  {', '.join(map(str, one[field])) or 'nothing'}")  # type: ignore[call-overload]
        if not one["listens"]:
            voice.warning(f'the policy\'s ladder for {one["host"]} has no rung "override": no client will use this')
    return {"version": made.version, "hosts": effect, "ends": ends.isoformat()}


def _effect(host: str, current: Policy, made: Policy) -> dict[str, object]:
    before, after = current.lookup(host), made.lookup(host)
    accepted = before.pinset if before is not None else None
    emergency = after.pinset if after is not None else None
    return {
        "host": escaped(host),
        "before": [str(pin) for pin in accepted or ()],
        "after": [str(pin) for pin in emergency or ()],
        "denied": [str(pin) for pin in (emergency.denied_keys if emergency else ())],
        "listens": before is not None and Rung.OVERRIDE in before.on_mismatch,
    }
