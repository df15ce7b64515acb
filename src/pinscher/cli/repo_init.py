"""``pinscher repo init``: who may sign what."""

from __future__ import annotations

import click

from pinscher.cli.certificates import now
from pinscher.cli.reading import json_option
from pinscher.cli.repo_options import (
    key_option,
    online_option,
    repository_argument,
    repository_at,
    role_keys,
    sign_and_renew,
)
from pinscher.cli.voice import ExitCode, Voice
from pinscher.errors import escaped

_FIELDS = """
\b
JSON:
  published        the roles that were published at once
  lacking          how many signatures each staged role lacks
  log              the key of the transparency log, for the clients, or null
"""


@click.command("init", epilog=_FIELDS)
@repository_argument
@click.option("--root", "root", multiple=True, required=True, metavar="FILE", help="A public key of root.")
@click.option("--root-threshold", type=int, required=True, metavar="N", help="How many of root have to sign.")
@click.option("--signer", "targets", multiple=True, required=True, metavar="FILE", help="A public key for policies.")
@click.option("--threshold", type=int, required=True, metavar="N", help="How many have to sign a policy.")
@click.option("--online", "online_files", multiple=True, required=True, metavar="FILE", help="The public online key.")
@click.option("--on-call", "override", multiple=True, metavar="FILE", help="A public key for emergency policies.")
@click.option("--on-call-threshold", type=int, default=1, metavar="N", help="How many have to sign one (1).")
@click.option("--log", "log_name", metavar="NAME", help="Keep a transparency log under this name.")
@key_option
@online_option
@json_option
def command(
    repository: str,
    *,
    root: tuple[str, ...],
    root_threshold: int,
    targets: tuple[str, ...],
    threshold: int,
    online_files: tuple[str, ...],
    override: tuple[str, ...],
    on_call_threshold: int,
    log_name: str | None,
    keys: tuple[str, ...],
    online: tuple[str, ...],
    is_json: bool,
) -> int:
    """
    Begin a repository in the folder REPO: say who may sign what, and stage that for the first signatures.

    Root decides about everybody's keys and is needed once a year. Signers sign policies. The online key proves
    freshness, and can change no policy. Those on call sign emergency policies; the signers do if nobody is named.
    With a log every policy is entered there before it is published; its key lies in REPO as log.key. A public key is
    a PEM file, or the address of the PKCS#11 token that it is in, such as pkcs11:token=alice;id=%02.
    """
    from pinscher.updates.repository import start, start_log  # noqa: PLC0415

    voice, at, place = Voice(), now(), repository_at(repository)
    start(
        place,
        root=role_keys(root, root_threshold),
        targets=role_keys(targets, threshold),
        online=role_keys(online_files, len(online_files)),
        override=role_keys(override, on_call_threshold) if override else None,
        at=at,
    )
    verifier = None if log_name is None else str(start_log(place, log_name))
    done = sign_and_renew(place, keys, online, at, voice, is_json=is_json)
    if is_json:
        voice.document(done | {"log": verifier})
    elif verifier is not None:
        voice.answer(f"log {escaped(verifier)}")
    return ExitCode.GOOD
