"""``pinscher export``: a policy as another platform's file."""

from __future__ import annotations

import click

from pinscher.cli.dialects import (
    accept_option,
    format_of,
    loss_object,
    table_of_names,
    tell_given_up,
    tell_refusal,
    variant_option,
    write_foreign,
)
from pinscher.cli.policies import load_policy
from pinscher.cli.reading import json_option
from pinscher.cli.voice import ExitCode, Voice
from pinscher.formats import FormatLossError

_FIELDS = f"""
{table_of_names(title="NAME is one of", is_read=False)}

\b
JSON: {{"format": NAME, "file_name": what the target calls the file, ...}}
  policy           the policy's name, version and digest
  error            why nothing was written; then losses and no further field
  losses           every reason: name, host, feature, choices, given_up
  content          the file
  given_up         the losses that were accepted, as above
"""


@click.command(epilog=_FIELDS)
@click.argument("name", metavar="NAME")
@click.option("--policy", "policy_file", required=True, metavar="FILE", help="The policy, TOML or JSON; '-' is stdin.")
@accept_option
@variant_option
@json_option
def export(name: str, *, policy_file: str, accepted: tuple[str, ...], variant: str | None, is_json: bool) -> int:
    """
    Print a policy as another platform's file, which decides every host and chain as the policy does.

    Where the target cannot say the same, nothing is written and the exit is 2: each reason is told with its host and
    the nearest honest choices. A loss that is accepted by name is recorded in a comment of the file, where the format
    has comments, and warned of.
    """
    voice = Voice()
    file_name = format_of(name, is_read=False).file_name
    policy = load_policy(policy_file)
    about = {"name": policy.name, "version": policy.version, "digest": policy.digest}
    head = {"format": name, "file_name": file_name, "policy": about}
    try:
        exported = write_foreign(name, policy, accepted=accepted, variant=variant)
    except FormatLossError as error:
        tell_refusal(error, voice)
        if is_json:
            losses = [loss_object(loss) for loss in error.losses]
            voice.document(head | {"error": "the target cannot say the same", "losses": losses})
        return ExitCode.NO_ANSWER
    tell_given_up(name, exported.given_up, accepted, voice)
    if is_json:
        given_up = [loss_object(loss) for loss in exported.given_up]
        voice.document(head | {"content": exported.content.decode(), "given_up": given_up})
    else:
        voice.file(exported.content)
    return ExitCode.GOOD
