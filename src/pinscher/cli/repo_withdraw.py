"""``pinscher repo withdraw``: a key taken out of service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pinscher.cli.moment import at_option
from pinscher.cli.reading import json_option
from pinscher.cli.repo_checks import checks, evidence_options
from pinscher.cli.repo_options import (
    PinType,
    accept_option,
    current_policy,
    key_option,
    online_option,
    rehearsal_option,
    repository_argument,
    repository_at,
    usage_errors,
)
from pinscher.cli.repo_publish import FIELDS, publish_policy
from pinscher.cli.voice import Voice

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.pin import Pin


@click.command("withdraw", epilog=FIELDS)
@repository_argument
@click.argument("pin", metavar="PIN", type=PinType())
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Only in this entry; all entries otherwise.")
@click.option("--instead", multiple=True, type=PinType(), metavar="PIN", help="Accept this key where it was accepted.")
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
    pin: Pin,
    *,
    hosts: tuple[str, ...],
    instead: tuple[Pin, ...],
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
    Deny a key: publish the next version of the policy, in which PIN refuses a connection wherever it turns up.

    --dry-run shows what changes for clients. A host that would have no pin left is an error; --instead names another.
    At night no chain is needed; with --chain it is proved, as 'repo publish' does, that what a server presents is still
    accepted.
    """
    from pinscher.updates.repository import withdrawn  # noqa: PLC0415

    voice, place = Voice(), repository_at(repository)
    with usage_errors():
        new = withdrawn(current_policy(place, role), pin, hosts=hosts, instead=instead)
    return publish_policy(
        place, new, role=role, accepted=accepted, is_rehearsal=is_rehearsal, keys=keys, online=online, is_json=is_json,
        voice=voice, at=at, more=checks(chain_texts, inventories, trusted, at, voice),
    )  # fmt: skip
