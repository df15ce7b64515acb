"""``pinscher demo``: an application gives its password to a real interceptor, and with pins not one byte."""

from __future__ import annotations

import click

from pinscher.cli.reading import json_option
from pinscher.cli.voice import ExitCode, Voice
from pinscher.lab.demonstration import Step, demonstrate
from pinscher.lab.mitmdump import MitmproxyMissingError, find_mitmdump, install_mitmdump

_FIELDS = """
\b
JSON: {"steps": [one object for each step, in order], "right": whether all came out as they must}
  title            what was tried
  expected         logged in; logged in, password stolen; refused
  happened         the same, or failed
  right            whether the two are the same
  evidence         what the server or the interceptor read, by its own count
  detail           the error that the client saw, or an empty text
"""


@click.command(epilog=_FIELDS)
@click.option("--mitmdump", metavar="PATH", help="The mitmdump to use instead of one found or installed.")
@json_option
def demo(mitmdump: str | None, *, is_json: bool) -> int:
    """
    Show the main job on real parts, in a quarter of a minute.

    A bank on the loopback, a real mitmproxy whose CA the client trusts, and the same client without and with pins;
    then a renewal, a rotation to the backup key, and a rogue key. mitmproxy is found on the PATH, or installed into an
    environment of its own in the user's cache folder. Exit 1 unless every step came out as it must.
    """
    voice = Voice()
    command = _mitmdump(mitmdump, voice)
    steps = []
    for step in demonstrate(command, say=voice.note):
        steps.append(step)
        if not is_json:
            _tell(step, voice)
    is_right = bool(steps) and all(step.is_right for step in steps)
    if is_json:
        voice.document({"steps": [_object(step) for step in steps], "right": is_right})
    else:
        _table(steps, voice)
    return ExitCode.GOOD if is_right else ExitCode.BAD


def _mitmdump(named: str | None, voice: Voice) -> tuple[str, ...]:
    try:
        return find_mitmdump(named)
    except MitmproxyMissingError:
        if named is not None:
            raise
    voice.note("installing mitmproxy into an environment of its own; this happens once")
    return install_mitmdump(progress=voice.note)


def _object(step: Step) -> dict[str, object]:
    return {
        "title": step.title,
        "expected": step.expected.value,
        "happened": step.happened.value,
        "right": step.is_right,
        "evidence": step.evidence,
        "detail": step.detail,
    }


def _tell(step: Step, voice: Voice) -> None:
    voice.answer()
    voice.answer((f"{step.title}: ", "bold"), (step.happened.value, _style(step)))
    voice.answer(f"  {step.evidence}")
    for line in step.detail.splitlines():
        voice.answer(f"  | {line}")


def _style(step: Step) -> str:
    return "green" if step.is_right else "bold red"


def _table(steps: list[Step], voice: Voice) -> None:
    """Show what a person can read in ten seconds."""
    width = max(len(step.title) for step in steps)
    voice.answer()
    for step in steps:
        mark = "as it must" if step.is_right else f"WRONG, expected: {step.expected.value}"
        voice.answer(f"  {step.title.ljust(width)}  {step.happened.value.ljust(26)}  ", (mark, _style(step)))
    voice.answer()
