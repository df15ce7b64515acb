"""``pinscher lab list``: which scenarios there are."""

from __future__ import annotations

import click

from pinscher.cli.lab_choice import chosen, selection_options
from pinscher.cli.reading import json_option
from pinscher.cli.voice import ExitCode, Voice

_FIELDS = """
\b
JSON: {"scenarios": [one object for each scenario, by its id]}
  id, family
  title            what happens and what a right client does
  description      the rest of its page, with the chain drawn as text
  expected         the verdict's outcome at the last connection
  accept           whether a right client gets through there
  needs            what a client must be able to do, see 'lab run --help'
  cases            the ids of its cases
"""


@click.command("list", epilog=_FIELDS)
@selection_options
@json_option
def command(scenarios: tuple[str, ...], families: tuple[str, ...], *, is_json: bool) -> int:
    """List the scenarios that clients are judged by, with what a right client does in each."""
    voice = Voice()
    listed = chosen(scenarios, families)
    if is_json:
        voice.document({"scenarios": [
            {
                "id": one.id, "family": one.family, "title": one.title, "description": (one.function.__doc__ or ""),
                "expected": one.expected.value, "accept": one.is_positive, "needs": sorted(one.needs),
                "cases": [case.id for case in one.cases],
            } for one in listed
        ]})  # fmt: skip
        return ExitCode.GOOD
    width = max(len(one.id) for one in listed)
    family = ""
    for one in sorted(listed, key=lambda one: (one.family, not one.is_positive, one.id)):
        if one.family != family:
            family = one.family
            voice.answer()
            voice.answer((family, "bold"))
        word = ("accept", "green") if one.is_positive else ("refuse", "red")
        voice.answer(f"  {one.id:<{width}}  ", word, f"  {len(one.cases)}  {one.title}")
    voice.answer()
    voice.answer(f"{len(listed)} scenarios, {sum(len(one.cases) for one in listed)} cases")
    return ExitCode.GOOD
