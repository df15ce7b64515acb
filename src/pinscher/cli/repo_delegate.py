"""``pinscher repo delegate``: a team's own role."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pinscher.cli.certificates import now
from pinscher.cli.reading import json_option
from pinscher.cli.repo_options import (
    PatternType,
    key_option,
    online_option,
    repository_argument,
    repository_at,
    role_keys,
    sign_and_renew,
)
from pinscher.cli.voice import ExitCode, Voice

if TYPE_CHECKING:
    from pinscher.host import HostPattern

_FIELDS = """
\b
JSON:
  bundle           the name of the role's policy, for clients that follow it
  published        the roles that were published at once
  lacking          how many signatures each staged role lacks
"""


@click.command("delegate", epilog=_FIELDS)
@repository_argument
@click.argument("role", metavar="ROLE")
@click.option("--signer", "signers", multiple=True, required=True, metavar="FILE", help="A public key of the role.")
@click.option("--threshold", type=int, required=True, metavar="N", help="How many have to sign.")
@click.option(
    "--host", "hosts", multiple=True, type=PatternType(), metavar="PATTERN", help="A host it may speak of; else any."
)
@key_option
@online_option
@json_option
def command(
    repository: str,
    role: str,
    *,
    signers: tuple[str, ...],
    threshold: int,
    hosts: tuple[HostPattern, ...],
    keys: tuple[str, ...],
    online: tuple[str, ...],
    is_json: bool,
) -> int:
    """
    Let a team sign a policy of its own, ROLE/policy.json, for its own hosts.

    Clients refuse a policy of the role that speaks of other hosts. A client follows one policy; several are not merged.
    """
    from pinscher.updates.repository import delegate  # noqa: PLC0415

    voice, at, place = Voice(), now(), repository_at(repository)
    delegate(place, role, role_keys(signers, threshold), hosts=hosts, at=at)
    done = sign_and_renew(place, keys, online, at, voice, is_json=is_json)
    if is_json:
        voice.document({"bundle": f"{role}/policy.json", **done})
    return ExitCode.GOOD
