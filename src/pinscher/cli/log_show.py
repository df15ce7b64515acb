"""``pinscher log show``: the pin sets that a log names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from pinscher.cli.log_reading import audited, log_options
from pinscher.cli.reading import json_option
from pinscher.cli.voice import ExitCode, Voice
from pinscher.errors import escaped
from pinscher.updates.log import entries_of

if TYPE_CHECKING:
    from pinscher.updates.log import NoteVerifier, Source

_FIELDS = """
\b
JSON: {"head": origin, size and root (in hexadecimal), "entries": [in order, the last --last of them]}
  index            the entry's place in the log, from 0
  policy           its name, version and digest; null for an entry of another kind
  text             the entry as it is, escaped
"""


@click.command("show", epilog=_FIELDS)
@log_options
@click.option("--last", type=click.IntRange(min=1), default=20, show_default=True, help="Show so many entries.")
@json_option
def command(source: Source, verifier: NoteVerifier, *, last: int, is_json: bool) -> int:
    """
    Verify a log, and show the pin sets that it names: the newest at the end.

    An entry names a policy by its version and digest, and holds no pins.
    """
    voice = Voice()
    head = audited(source, verifier, None, voice).head
    every = list(enumerate(entries_of(source, head)))[-last:]
    if is_json:
        rows = [{"index": index, "policy": _policy(entry), "text": _text(entry)} for index, entry in every]
        voice.document({"head": {"origin": head.origin, "size": head.size, "root": head.root.hex()}, "entries": rows})
        return ExitCode.GOOD
    voice.answer(f"{escaped(head.origin)}: {head.size} in it")
    for index, entry in every:
        policy = _policy(entry)
        named = (
            f"{escaped(str(policy['name']))} version {policy['version']}  {policy['digest']}"
            if policy
            else _text(entry)
        )
        voice.answer(f"  {index:>6}  {named}")
    return ExitCode.GOOD


def _policy(entry: bytes) -> dict[str, object] | None:
    """Read an entry as what it says of a policy; anything is possible in a log."""
    try:
        table = json.loads(entry)
        digest, name, version = table["digest"], table["name"], table["version"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not (isinstance(digest, str) and len(digest) == 64 and digest.isalnum() and digest.isascii()):
        return None
    if not isinstance(name, str) or type(version) is not int:
        return None
    return {"name": name, "version": version, "digest": digest}


def _text(entry: bytes) -> str:
    return escaped(entry.decode(errors="backslashreplace"))
