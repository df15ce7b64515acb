"""``pinscher repo publish``: a policy on its way to the clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pinscher.cli.certificates import now
from pinscher.cli.moment import at_option
from pinscher.cli.policies import load_policy
from pinscher.cli.reading import json_option
from pinscher.cli.repo_checks import checks, evidence_options
from pinscher.cli.repo_options import (
    accept_option,
    as_objects,
    key_option,
    objections,
    online_option,
    rehearsal_option,
    repository_argument,
    repository_at,
    sign_and_renew,
    tell_changes,
    tell_objections,
)
from pinscher.cli.voice import ExitCode, Voice

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pinscher.cli.repo_options import Check
    from pinscher.policy import Policy
    from pinscher.updates.repository import Repository

FIELDS = """
\b
JSON:
  version          the policy's version
  changes          what changes for clients: {kind, effect, breaks, text}
  objections       what the checks object to: {name, text, accepted}
  published        the roles that were published at once
  lacking          how many signatures each staged role lacks
"""


@click.command("publish", epilog=FIELDS)
@repository_argument
@click.argument("policy", metavar="POLICY")
@click.option("--role", default="targets", show_default=True, metavar="ROLE", help="The role whose policy it is.")
@evidence_options
@at_option
@accept_option
@rehearsal_option
@key_option
@online_option
@json_option
def command(
    repository: str,
    policy: str,
    *,
    role: str,
    chain_texts: tuple[str, ...],
    inventories: tuple[str, ...],
    trusted: tuple[str, ...],
    at: datetime,
    accepted: tuple[str, ...],
    is_rehearsal: bool,
    keys: tuple[str, ...],
    online: tuple[str, ...],
    is_json: bool,
) -> int:
    """
    Check the document POLICY and stage it in REPO for its signers.

    The lint rules judge it by itself, and the difference to the published policy by what changes for clients. With
    --chain it is proved that every path to the host holds a pin, and the gate asks the policy, and every released
    version of --deployments, whether it accepts the certificate. What they object to is refused, exit 1, unless
    --accept names it: lint:RULE, diff:KIND, survive:breaks, survive:unknown, survive:not-pinned, gate:refuses or
    gate:cannot-tell. Only a document is ever signed, and nothing that was merely seen on the wire. --at moves the
    judgement, and not what is signed.
    """
    voice, place = Voice(), repository_at(repository)
    new = load_policy(policy)
    return publish_policy(
        place, new, role=role, accepted=accepted, is_rehearsal=is_rehearsal, keys=keys, online=online, is_json=is_json,
        voice=voice, at=at, more=checks(chain_texts, inventories, trusted, at, voice),
    )  # fmt: skip


def publish_policy(
    place: Repository,
    new: Policy,
    *,
    role: str,
    accepted: tuple[str, ...],
    is_rehearsal: bool,
    keys: tuple[str, ...],
    online: tuple[str, ...],
    is_json: bool,
    voice: Voice,
    at: datetime,
    more: Iterable[Check] = (),
) -> int:
    """
    Publish a policy as a command does: show what changes, refuse what the checks refuse, sign and renew.

    The checks judge as of *at*; what is signed begins at the present moment, whatever *at* says.
    """
    from pinscher.updates.repository import RefusedPublicationError, bundle_of, publish, published_policy  # noqa: PLC0415

    before = published_policy(place, bundle_of(place, role), role)
    changes = tell_changes(before, new, voice)
    answer: dict[str, object] = {"version": new.version, "changes": changes}
    try:
        done = publish(
            place, new, checks=objections(at, more), accepted=accepted, role=role, at=now(), is_rehearsal=is_rehearsal
        )
    except RefusedPublicationError as error:
        tell_objections(error.objections, voice)
        if is_json:
            found = as_objects(error.objections, accepted=False)
            voice.document(answer | {"objections": found, "published": [], "lacking": {}})
        return ExitCode.BAD
    answer["objections"] = as_objects(done.accepted, accepted=True)
    if is_rehearsal:
        answer |= {"published": [], "lacking": {}}
        if not is_json:
            voice.answer("nothing was changed")
    else:
        answer |= sign_and_renew(place, keys, online, now(), voice, is_json=is_json)
    if is_json:
        voice.document(answer)
    return ExitCode.GOOD
