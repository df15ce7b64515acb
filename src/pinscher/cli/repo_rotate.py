"""``pinscher repo rotate``: keys that come and go."""

from __future__ import annotations

import click

from pinscher.cli.certificates import now
from pinscher.cli.reading import json_option
from pinscher.cli.repo_options import (
    ask_passphrase,
    ask_pin,
    key_option,
    online_option,
    repository_argument,
    repository_at,
    sign_and_renew,
)
from pinscher.cli.voice import ExitCode, Voice

_FIELDS = """
\b
JSON:
  staged           the roles that wait for signatures, or were published at once
  published        the roles that were published at once
  lacking          how many signatures each staged role lacks
"""


@click.command("rotate", epilog=_FIELDS)
@repository_argument
@click.argument("role", metavar="ROLE")
@click.option("--add", multiple=True, metavar="FILE", help="A public key to add, or the token it is in.")
@click.option("--remove", multiple=True, metavar="NAME", help="A key to remove, by the name that status shows.")
@click.option("--threshold", type=int, metavar="N", help="How many have to sign from now on.")
@click.option("--new-epoch", "begins_epoch", is_flag=True, help="Let the policy's versions begin anew.")
@key_option
@online_option
@json_option
def command(
    repository: str,
    role: str,
    *,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    threshold: int | None,
    begins_epoch: bool,
    keys: tuple[str, ...],
    online: tuple[str, ...],
    is_json: bool,
) -> int:
    """
    Give ROLE other keys or another threshold: root, targets, online, override or a delegated role.

    A new root needs the signatures of the old one's threshold and of its own. Without anything to change, 'rotate
    REPO root' prolongs root by a year. An epoch is the way back after somebody published too high a version.
    """
    from pinscher.updates.repository import public_key, rotate  # noqa: PLC0415

    voice, at, place = Voice(), now(), repository_at(repository)
    added = [public_key(name, passphrase=ask_passphrase, pin=ask_pin) for name in add]
    staged = rotate(place, role, add=added, remove=remove, threshold=threshold, begins_epoch=begins_epoch, at=at)
    done = sign_and_renew(place, keys, online, at, voice, is_json=is_json)
    if is_json:
        voice.document({"staged": list(staged), **done})
    return ExitCode.GOOD
