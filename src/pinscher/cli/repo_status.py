"""``pinscher repo status``: who has signed, and what lapses when."""

from __future__ import annotations

import click

from pinscher.cli.certificates import counted, now
from pinscher.cli.reading import json_option
from pinscher.cli.repo_options import repository_argument, repository_at
from pinscher.cli.voice import Tally, Voice
from pinscher.errors import escaped

_FIELDS = """
\b
JSON: {"roles": [...]}, the published ones first:
  role             its name
  version          the version of its metadata
  staged           whether it is staged, and not published
  expires          when it lapses
  lapsed           whether it has
  threshold        how many keys have to sign
  signed           the names of the keys that have
  unsigned         the names of those that could
  missing          how many signatures it lacks
"""


@click.command("status", epilog=_FIELDS)
@repository_argument
@json_option
def command(repository: str, *, is_json: bool) -> int:
    """
    Say of every role in REPO who has signed it and when it lapses.

    Exit 1 if something that is published has lapsed or lacks signatures.
    """
    from pinscher.updates.repository import status  # noqa: PLC0415

    voice, tally, at = Voice(), Tally(), now()
    roles = status(repository_at(repository))
    if any((one.expires <= at or one.missing) and not one.is_staged for one in roles):
        tally.bad()
    if is_json:
        voice.document(
            {
                "roles": [
                    {
                        "role": one.role,
                        "version": one.version,
                        "staged": one.is_staged,
                        "expires": one.expires.isoformat(),
                        "lapsed": one.expires <= at,
                        "threshold": one.threshold,
                        "signed": list(one.signed),
                        "unsigned": list(one.unsigned),
                        "missing": one.missing,
                    }
                    for one in roles
                ]
            }
        )
        return tally.exit_code()
    for one in roles:
        state = "staged" if one.is_staged else "published"
        until = "LAPSED" if one.expires <= at else "until"
        lacks = f"; lacks {counted(one.missing, 'signature')}" if one.missing else ""
        voice.answer(
            f"{escaped(one.role)} version {one.version}, {state}, {until} {one.expires:%Y-%m-%d %H:%M} UTC, "
            f"signed by {', '.join(one.signed) or 'nobody'} ({one.threshold} needed{lacks})"
        )
    return tally.exit_code()
