"""``pinscher lint``: what is wrong with policies, before somebody runs into it."""

from __future__ import annotations

import click

from pinscher.cli.reading import STDIN, UnreadableFileError, json_option, read_bytes
from pinscher.cli.voice import Tally, Voice
from pinscher.document import LARGEST_TEXT
from pinscher.errors import escaped
from pinscher.policy import Policy
from pinscher.rotation import Finding, Severity, lint_document

_FIELDS = """
\b
JSON: {"results": [one object for each POLICY, in order]}
  policy           the path that was asked for
  error            why it could not be read; then no further field
  findings         in order:
    rule           the rule's name
    severity       error, warning or information
    text           what was found
    remedy         what to do
    path           the place in the document
    line           its line, or null
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
@json_option
def lint(policies: tuple[str, ...], *, threshold: str, is_json: bool) -> int:
    """
    Find what is wrong with policies: documents that cannot be read, hosts without a backup pin.

    POLICY is TOML or JSON, '-' is standard input. Exit 1 if anything is found at or above --fail-on, 2 if a file
    cannot be read at all.
    """
    voice, tally = Voice(), Tally()
    results: list[dict[str, object]] = []
    for name in policies:
        try:
            findings = _findings(name)
        except UnreadableFileError as error:
            tally.none()
            voice.error(str(error))
            results.append({"policy": name, "error": str(error)})
            continue
        if any(finding.severity >= Severity[threshold.upper()] for finding in findings):
            tally.bad()
        results.append({"policy": name, "findings": [_object(finding) for finding in findings]})
        if not is_json:
            _print(name, findings, voice)
    if is_json:
        voice.document({"results": results})
    return tally.exit_code()


def _findings(name: str) -> tuple[Finding, ...]:
    """Judge one document; that of a file as a context would load it, its permissions included."""
    content = read_bytes(name, limit=LARGEST_TEXT)
    return lint_document(content, load=None if name == STDIN else lambda: Policy.load(name))


def _object(finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.word,
        "text": finding.text,
        "remedy": finding.remedy,
        "path": finding.path,
        "line": finding.line,
    }


_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFORMATION: "cyan"}


def _print(name: str, findings: tuple[Finding, ...], voice: Voice) -> None:
    shown = "<stdin>" if name == STDIN else escaped(name)
    for finding in findings:
        place = shown if finding.line is None else f"{shown}:{finding.line}"
        voice.answer(
            f"{place}: ", (finding.severity.word, _STYLES[finding.severity]), f" [{finding.rule}] {finding.text}"
        )
        voice.answer(f"  remedy: {finding.remedy}")
    if not findings:
        voice.answer(f"{shown}: nothing found")
