"""
Findings in the form that code review reads: SARIF 2.1.0 (the OASIS standard of static analysis results).

Places count lines and columns from one, columns in characters. What a run could not read is a notification of a run
that did not succeed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pinscher.rotation.finding import Finding, Severity
from pinscher.rotation.rules import RULES, WELL_FORMED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pinscher.rotation.rules import Rule

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFORMATION: "note"}
_RULES = (*RULES, WELL_FORMED)


@dataclass(frozen=True, slots=True)
class Linted:
    """One document: its path as it was asked for, and what was found in it, or in words why it could not be read."""

    path: str
    findings: tuple[Finding, ...] = ()
    error: str | None = None


def to_sarif(documents: Iterable[Linted], *, version: str) -> dict[str, Any]:
    """Return one run with every finding; *version* is the program's own."""
    linted = tuple(documents)
    driver = {"name": "pinscher lint", "version": version, "rules": [_rule(rule) for rule in _RULES]}
    unread = [_notification(one) for one in linted if one.error is not None]
    invocation = {"executionSuccessful": not unread, "toolExecutionNotifications": unread}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "invocations": [invocation],
                "results": [_result(one.path, finding) for one in linted for finding in one.findings],
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.id.split("-")),
        "shortDescription": {"text": rule.sentence},
        "help": {"text": rule.remedy},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"confidence": rule.confidence.word},
    }


def _result(path: str, finding: Finding) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": _uri(path)}}
    if finding.line is not None:
        location["region"] = {"startLine": finding.line, "startColumn": finding.column or 1}
    place: dict[str, Any] = {"physicalLocation": location}
    if finding.path:
        place["logicalLocations"] = [{"fullyQualifiedName": finding.path}]
    digest = hashlib.sha256(f"{finding.rule}\n{finding.path}".encode()).hexdigest()
    return {
        "ruleId": finding.rule,
        "ruleIndex": [rule.id for rule in _RULES].index(finding.rule),
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.text}\nremedy: {finding.remedy}"},
        "locations": [place],
        "partialFingerprints": {"ruleAndPlace/v1": digest},
        "properties": {"confidence": finding.confidence.word},
    }


def _notification(one: Linted) -> dict[str, Any]:
    return {
        "level": "error",
        "message": {"text": one.error},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(one.path)}}}],
    }


def _uri(path: str) -> str:
    """Return a path as a URI reference; standard input has no path, and gets a name that says so."""
    if path == "-":
        return "stdin"
    return quote(path.replace("\\", "/").encode("utf-8", "surrogateescape"), safe="/-._~")
