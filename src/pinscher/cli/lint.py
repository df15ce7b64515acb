"""``pinscher lint``: what is wrong with policies, before somebody runs into it."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

import click

from pinscher.chain import PresentedChain
from pinscher.cli.chains import named_chain
from pinscher.cli.moment import at_option
from pinscher.cli.reading import STDIN, UnreadableFileError, json_option, read_bytes
from pinscher.cli.voice import Tally, Voice
from pinscher.document import LARGEST_TEXT
from pinscher.errors import escaped
from pinscher.policy import Policy
from pinscher.rotation import Circumstances, Confidence, Finding, Severity, lint_document, read_facts
from pinscher.rotation.authority_facts import LARGEST_FACTS, shipped_facts
from pinscher.rotation.sarif import Linted, to_sarif

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.rotation import AuthorityFacts

_FIELDS = """
\b
JSON: {"at": the moment, "facts": the day of the facts about CAs,
"results": [one object for each POLICY, in order]}
  policy           the path that was asked for
  error            why it could not be read; then no further field
  findings         in order:
    rule           the rule's name
    severity       error, warning or information
    confidence     high, medium or low
    text           what was found
    remedy         what to do
    path           the place in the document
    line, column   where that stands, from 1, or null
"""

_WORDS = [severity.word for severity in Severity]


@click.command(epilog=_FIELDS)
@click.argument("policies", nargs=-1, required=True, metavar="POLICY...")
@click.option(
    "--fail-on",
    "threshold",
    type=click.Choice(_WORDS),
    default=Severity.WARNING.word,
    show_default=True,
    help="Exit 1 for findings of this severity and above.",
)
@click.option(
    "--chain",
    "chains",
    multiple=True,
    metavar="HOST=FILE",
    help="The host's certificates, leaf first, so that its CA is known; may be given more than once.",
)
@click.option("--ca-facts", "facts_file", metavar="FILE", help="Facts about CAs and CDNs in place of the shipped ones.")
@at_option
@click.option("--sarif", "is_sarif", is_flag=True, help="Write the answer as SARIF 2.1.0, for code review.")
@json_option
def lint(
    policies: tuple[str, ...],
    *,
    threshold: str,
    chains: tuple[str, ...],
    facts_file: str | None,
    at: datetime,
    is_sarif: bool,
    is_json: bool,
) -> int:
    """
    Find what is wrong with policies, by the rules of the reference page: from documents that cannot be read to backup
    keys that nobody has tried.

    POLICY is TOML or JSON, '-' is standard input. Nothing is fetched: what a rule needs to know of a host's CA comes
    from the policy's roles and key names and from --chain, and without it the rule is silent. Exit 1 if anything is
    found at or above --fail-on, 2 if a file cannot be read at all.
    """
    voice, tally = Voice(), Tally()
    if is_json and is_sarif:
        raise click.UsageError("--json and --sarif are two answers: give one of them")
    presented = {host: PresentedChain(chain) for host, chain in map(named_chain, chains)}
    circumstances = Circumstances(at, facts=_facts(facts_file), chains=presented)
    linted = [_linted(name, circumstances, voice) for name in policies]
    for one in linted:
        if one.error is not None:
            tally.none()
        elif any(finding.severity >= Severity[threshold.upper()] for finding in one.findings):
            tally.bad()
    if is_sarif:
        voice.document(to_sarif(linted, version=metadata.version("pinscher")))
    elif is_json:
        voice.document(_document(linted, circumstances))
    else:
        for one in linted:
            if one.error is None:
                _print(one, voice)
    return tally.exit_code()


def _facts(file: str | None) -> AuthorityFacts:
    return shipped_facts() if file is None else read_facts(read_bytes(file, limit=LARGEST_FACTS), source=file)


def _linted(name: str, circumstances: Circumstances, voice: Voice) -> Linted:
    """Judge one document; that of a file as a context would load it, its permissions included."""
    try:
        content = read_bytes(name, limit=LARGEST_TEXT)
    except UnreadableFileError as error:
        voice.error(str(error))
        return Linted(name, error=str(error))
    load = None if name == STDIN else lambda: Policy.load(name)
    return Linted(name, lint_document(content, circumstances, load=load))


def _document(linted: list[Linted], circumstances: Circumstances) -> dict[str, object]:
    results = [
        {"policy": one.path, "error": one.error}
        if one.error is not None
        else {"policy": one.path, "findings": [_object(finding) for finding in one.findings]}
        for one in linted
    ]
    at = circumstances.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"at": at, "facts": circumstances.facts.date.isoformat(), "results": results}


def _object(finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.word,
        "confidence": finding.confidence.word,
        "text": finding.text,
        "remedy": finding.remedy,
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
    }


_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFORMATION: "cyan"}


def _print(one: Linted, voice: Voice) -> None:
    shown = "<stdin>" if one.path == STDIN else escaped(one.path)
    for finding in one.findings:
        numbers = (number for number in (finding.line, finding.column) if number is not None)
        place = ":".join([shown, *map(str, numbers)])
        sure = "" if finding.confidence is Confidence.HIGH else f" ({finding.confidence.word} confidence)"
        word = (finding.severity.word, _STYLES[finding.severity])
        voice.answer(f"{place}: ", word, f" [{finding.rule}] {finding.text}{sure}")
        voice.answer(f"  remedy: {finding.remedy}")
    if not one.findings:
        voice.answer(f"{shown}: nothing found")
