"""Write the reference of the scenarios from their own docstrings: ``python tools/scenario_reference.py [--check]``."""

from __future__ import annotations

import inspect
import itertools
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pinscher.lab.catalogue import chain, description
from pinscher.lab.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pinscher.lab.scenario import Scenario

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "scenarios.md"
HEAD = """# The scenarios

Made by `tools/scenario_reference.py` from the scenarios' own docstrings; do not edit it by hand.
{scenarios} scenarios in {families} families have {cases} cases, and every case has fresh keys each time it is played.
`pinscher lab list` shows them, and [how to judge a client](../how-to/judge-a-client.md) says how they are played.

In a drawing `<-` points from an issuer to what it certified, and `->` from the client onwards; brackets stand around what is pinned.
What is trusted stands in the trust store of the machine that the client runs on.
What a client needs is what it must be able to do so that the scenario says something about it.
The refusals of a family count only for a client that gets through where the same family lets it.

| family | accept | refuse | cases |
|---|---|---|---|
{table}
"""


def main() -> int:
    """Write the page, or with --check say whether it is current."""
    made = page(list(SCENARIOS.values()))
    if "--check" not in sys.argv:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    is_current = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == made
    command = "python tools/scenario_reference.py"
    print("the reference of the scenarios is current" if is_current else f"out of date; make it with: {command}")
    return 0 if is_current else 1


def page(scenarios: list[Scenario]) -> str:
    """Return the whole page, family after family."""
    families = [(name, list(members)) for name, members in itertools.groupby(scenarios, lambda one: one.family)]
    rows = [
        f"| [{name}](#{name}) | {sum(one.is_positive for one in members)} "
        f"| {sum(not one.is_positive for one in members)} | {sum(len(one.cases) for one in members)} |"
        for name, members in families
    ]
    head = HEAD.format(
        scenarios=len(scenarios), families=len(families), cases=sum(len(one.cases) for one in scenarios),
        table="\n".join(rows),
    )  # fmt: skip
    return head + "".join(family(name, members) for name, members in families)


def family(name: str, members: Iterable[Scenario]) -> str:
    """Return the part of one family: what its file says at the top, and its scenarios."""
    members = list(members)
    module = inspect.getmodule(members[0].function)
    return "\n".join([f"\n## {name}\n", f"{prose(inspect.getdoc(module) or '')}\n", *map(section, members)])


def section(scenario: Scenario) -> str:
    """Return the page of one scenario."""
    needs = ", ".join(f"`{one}`" for one in sorted(scenario.needs))
    parts = [
        f"### `{scenario.id}`",
        "\n".join(filter(None, [prose(scenario.title), prose(description(scenario))])),
        f"```text\n{chain(scenario)}\n```",
        f"Expected: {verdict(scenario)}.\nCases: {cases(scenario)}." + (f"\nNeeds: {needs}." if needs else ""),
    ]
    return "\n\n".join(parts) + "\n"


def verdict(scenario: Scenario) -> str:
    """Return the expected verdict in bold, and what it comes to."""
    if not scenario.is_positive:
        return f"**{scenario.expected.value}**, the client refuses"
    reported = ", reported" if scenario.is_reported else ""
    return f"**{scenario.expected.value}{reported}**, the client gets through"


def cases(scenario: Scenario) -> str:
    """Return what the cases of a scenario choose from."""
    choices: dict[str, list[str]] = {}
    for parameters in scenario.parameters:
        for name, value in parameters.items():
            listed = choices.setdefault(name, [])
            listed.extend([value] if value not in listed else [])
    return "; ".join(f"{name} {' or '.join(f'`{value}`' for value in values)}" for name, values in choices.items())


def prose(text: str) -> str:
    """Return the paragraphs of a docstring as Markdown, one sentence to a line: no word is a mark, addresses are links."""
    blocks = [" ".join(map(_word, block.split())) for block in re.split(r"\n\s*\n", text)]
    return "\n\n".join(re.sub(r"(?<=[.:?]) (?=[A-Z])", "\n", block) for block in blocks)


def _word(word: str) -> str:
    if re.fullmatch(r"\*\w+\*[.,;:]?", word):
        return word
    found = re.fullmatch(r"(https?://[^\s]*[^\s.,;:])([.,;:]?)", word)
    if found:
        return f"<{found[1]}>{found[2]}"
    return re.sub(r"([\\`*_<>\[\]|])", r"\\\1", word.replace("``", "`")) if "`" not in word else word.replace("``", "`")


if __name__ == "__main__":
    sys.exit(main())
