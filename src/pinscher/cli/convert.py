"""``pinscher convert``: one platform's file as another's, through a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pinscher.cli.dialects import (
    UNREADABLE,
    accept_option,
    format_of,
    key_option,
    loss_object,
    read_foreign,
    strict_option,
    table_of_names,
    tell_given_up,
    tell_refusal,
    tell_weakenings,
    variant_option,
    write_foreign,
)
from pinscher.cli.import_ import import_object
from pinscher.cli.reading import json_option
from pinscher.cli.voice import ExitCode, Voice
from pinscher.formats import FormatLossError

if TYPE_CHECKING:
    from pinscher.cli.dialects import NamedKeys

_FIELDS = f"""
{table_of_names(title="FROM is one of", is_read=True)}

{table_of_names(title="TO is one of", is_read=False)}

\b
JSON: {{"from": FROM, "to": TO, "file_name": what TO calls the file, ...}}
  error            why nothing was written; then losses and no further field
  losses           every reason, as in 'pinscher export'
  read             policy, digest, weakenings and given_up, as in
                   'pinscher import'
  content          the file
  given_up         the losses of the writing that were accepted
"""


@click.command(epilog=_FIELDS)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.argument("file", metavar="FILE")
@strict_option
@key_option
@accept_option
@variant_option
@json_option
def convert(
    source: str,
    target: str,
    file: str,
    *,
    is_strict: bool,
    keys: NamedKeys,
    accepted: tuple[str, ...],
    variant: str | None,
    is_json: bool,
) -> int:
    """
    Print one platform's file as another's: 'pinscher import' and then 'pinscher export', with the reports of both.

    Exit 1 under --strict if FILE weakens anything, 2 if FILE cannot be read or TO cannot say the same. '-' is
    standard input. --accept-loss holds for the reading and for the writing.
    """
    voice = Voice()
    head = {"from": source, "to": target, "file_name": format_of(target, is_read=False).file_name}
    try:
        imported = read_foreign(source, file, policy_name="imported", accepted=accepted, keys=keys)
        tell_weakenings(imported.reading.weakenings, voice)
        exported = write_foreign(target, imported.reading.policy, accepted=accepted, variant=variant)
    except FormatLossError as error:
        tell_refusal(error, voice, takes_keys=True)
        if is_json:
            losses = [loss_object(loss) for loss in error.losses]
            voice.document(head | {"error": f"{error.format} or a policy cannot say the same", "losses": losses})
        return ExitCode.NO_ANSWER
    except UNREADABLE as error:
        if is_json:
            voice.document(head | {"error": str(error), "losses": []})
        raise
    tell_given_up(source, imported.given_up, (), voice)
    needed = {loss.name for loss in imported.given_up}
    tell_given_up(target, exported.given_up, tuple(name for name in accepted if name not in needed), voice)
    if is_json:
        given_up = [loss_object(loss) for loss in exported.given_up]
        read = import_object(imported)
        voice.document({**head, "read": read, "content": exported.content.decode(), "given_up": given_up})
    else:
        voice.file(exported.content)
    return ExitCode.BAD if is_strict and imported.reading.weakenings else ExitCode.GOOD
