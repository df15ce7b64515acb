"""``pinscher lab list``: which scenarios there are."""

from __future__ import annotations

import click

from pinscher.cli.lab_choice import chosen, selection_options
from pinscher.cli.reading import json_option
from pinscher.cli.voice import ExitCode, Voice
from pinscher.lab.catalogue import catalogue, catalogue_with_material, schema

_FIELDS = """
\b
JSON: {"format": 1, "has_material": whether there is more than is listed here,
       "scenarios": [one object for each scenario, by its id]}
  id, family
  title            what happens and what a right client does
  description      the rest of its page
  expected         the verdict's outcome at the last connection
  accept           whether a right client gets through there
  reported         whether it does so because a refusal is softened to a report
  needs            what a client must be able to do, see 'lab run --help'
  chain, links     the drawing, and the addresses that the page points to
  cases            its cases: id and parameters, and with --material the visits
"""


@click.command("list", epilog=_FIELDS)
@selection_options
@click.option(
    "--material",
    "with_material",
    is_flag=True,
    help="JSON with certificates, keys, trust and policy for each visit, made now, for a harness of your own.",
)
@click.option("--schema", "is_schema", is_flag=True, help="The JSON schema of that document, and nothing else.")
@json_option
def command(
    scenarios: tuple[str, ...], families: tuple[str, ...], *, with_material: bool, is_schema: bool, is_json: bool
) -> int:
    """List the scenarios that clients are judged by, with what a right client does in each."""
    voice = Voice()
    listed = chosen(scenarios, families)
    if is_schema:
        voice.document(schema())
        return ExitCode.GOOD
    if is_json or with_material:
        voice.document(catalogue_with_material(listed) if with_material else catalogue(listed))
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
