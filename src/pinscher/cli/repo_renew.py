"""``pinscher repo renew``: the moment of publication, and the proof of being current."""

from __future__ import annotations

from datetime import timedelta

import click

from pinscher.cli.certificates import counted, now
from pinscher.cli.reading import json_option
from pinscher.cli.repo_options import repository_argument, repository_at, signing_keys
from pinscher.cli.voice import ExitCode, Voice
from pinscher.errors import escaped

_FIELDS = """
\b
JSON:
  published        the roles that were published
  waiting          how many signatures each role that waits still lacks
  timestamp        the version of the timestamp
  expires          when it lapses
"""


@click.command("renew", epilog=_FIELDS)
@repository_argument
@click.option("--online-key", "online", multiple=True, required=True, metavar="KEY", help="The online key.")
@click.option(
    "--hours", type=click.FloatRange(min=1, max=24 * 30), default=48, show_default=True, help="How long it is fresh."
)
@json_option
def command(repository: str, *, online: tuple[str, ...], hours: float, is_json: bool) -> int:
    """
    Publish what is completely signed in REPO, and sign a new snapshot and timestamp.

    Run it from cron or CI several times within --hours: clients raise an alarm when the timestamp lapses. What lacks
    signatures waits, and is told.
    """
    from pinscher.updates.repository import renew  # noqa: PLC0415

    voice, place = Voice(), repository_at(repository)
    renewed = renew(place, signing_keys(online), at=now(), lifetime=timedelta(hours=hours))
    if is_json:
        voice.document(
            {
                "published": list(renewed.published),
                "waiting": renewed.waiting,
                "timestamp": renewed.timestamp,
                "expires": renewed.expires.isoformat(),
            }
        )
        return ExitCode.GOOD
    told = ", ".join(map(escaped, renewed.published)) or "nothing new"
    voice.answer(f"published: {told}; timestamp {renewed.timestamp} until {renewed.expires:%Y-%m-%d %H:%M} UTC")
    for role, missing in renewed.waiting.items():
        voice.warning(f"{escaped(role)} waits: it lacks {counted(missing, 'signature')}")
    return ExitCode.GOOD
