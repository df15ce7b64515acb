"""``pinscher import``: another platform's file as a policy document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from pinscher.cli.dialects import (
    UNREADABLE,
    accept_option,
    key_option,
    loss_object,
    name_option,
    read_foreign,
    strict_option,
    table_of_names,
    tell_given_up,
    tell_refusal,
    tell_weakenings,
    weakening_object,
)
from pinscher.cli.reading import json_option
from pinscher.cli.voice import ExitCode, Voice
from pinscher.formats import FormatLossError

if TYPE_CHECKING:
    from pinscher.cli.dialects import Imported, NamedKeys
    from pinscher.policy import Policy

_FIELDS = f"""
{table_of_names(title="NAME is one of", is_read=True)}

\b
JSON: {{"format": NAME, ...}}
  error            why there is no policy; then no policy and no weakenings
  losses           why a policy cannot say the same: name, host, feature,
                   choices, given_up
  policy           the policy document
  digest           the policy's SHA-256
  weakenings       in order:
    name           the weakening's name
    where          its place in FILE, escaped
    detail         what was found there, escaped
    meaning        what such a thing means
  given_up         the losses that were accepted, as above
"""


@click.command("import", epilog=_FIELDS)
@click.argument("name", metavar="NAME")
@click.argument("file", metavar="FILE")
@strict_option
@key_option
@accept_option
@name_option
@json_option
def import_(
    name: str,
    file: str,
    *,
    is_strict: bool,
    keys: NamedKeys,
    accepted: tuple[str, ...],
    policy_name: str,
    is_json: bool,
) -> int:
    """
    Print another platform's file as a policy document, and say where that file pins less than it seems to.

    FILE may be an APK, AAB or IPA where the format has one; '-' is standard input. The policy decides every host and
    chain as the platform would. Exit 1 under --strict if FILE weakens anything, 2 if it cannot be read or no policy
    can say the same.
    """
    voice = Voice()
    try:
        imported = read_foreign(name, file, policy_name=policy_name, accepted=accepted, keys=keys)
    except FormatLossError as error:
        tell_refusal(error, voice)
        if is_json:
            losses = [loss_object(loss) for loss in error.losses]
            voice.document({"format": name, "error": "no policy can say the same", "losses": losses})
        return ExitCode.NO_ANSWER
    except UNREADABLE as error:
        if is_json:
            voice.document({"format": name, "error": str(error), "losses": []})
        raise
    reading = imported.reading
    tell_weakenings(reading.weakenings, voice)
    tell_given_up(name, imported.given_up, accepted, voice)
    if is_json:
        voice.document({"format": name} | import_object(imported))
    else:
        voice.file(ascii_toml(reading.policy))
    return ExitCode.BAD if is_strict and reading.weakenings else ExitCode.GOOD


def import_object(imported: Imported) -> dict[str, object]:
    """Return what was imported as the JSON answers have it."""
    policy = imported.reading.policy
    return {
        "policy": json.loads(policy.to_json()),
        "digest": policy.digest,
        "weakenings": [weakening_object(one) for one in imported.reading.weakenings],
        "given_up": [loss_object(loss) for loss in imported.given_up],
    }


def ascii_toml(policy: Policy) -> bytes:
    """Return a policy as TOML in ASCII: letters beyond it stand in strings alone, where TOML can escape them."""
    text = policy.to_toml()
    return "".join(one if one.isascii() else f"\\U{ord(one):08x}" for one in text).encode("ascii")
