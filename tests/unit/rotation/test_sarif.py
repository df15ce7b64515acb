"""Findings as SARIF 2.1.0."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pinscher.rotation import RULES, WELL_FORMED, Circumstances, Finding, Severity, lint_document
from pinscher.rotation.sarif import Linted, to_sarif

NOW = Circumstances(datetime(2026, 11, 21, tzinfo=UTC))
LONELY = b"""format = 1
name = "x"
version = 1
[hosts."a.example"]
pins = ["sha256/NahLU0GZuWlQxC5iyWPffbj545x3cCad5I+tsIssZ4M="]
on-expiry = "report"
expires = 2020-01-01T00:00:00Z
"""


def _log(*documents: Linted) -> Any:
    return json.loads(json.dumps(to_sarif(documents, version="1.2.3")))


def test_log_has_every_field_that_the_standard_requires() -> None:
    """A log names its version and schema, and its one run the tool with its version and its rules."""
    log = _log()
    assert {"$schema", "version", "runs"} == set(log)
    (ran,) = log["runs"]
    assert ("2.1.0", "pinscher lint", "1.2.3") == (
        log["version"], ran["tool"]["driver"]["name"], ran["tool"]["driver"]["version"],
    )  # fmt: skip
    assert ([], True) == (ran["results"], ran["invocations"][0]["executionSuccessful"])


def test_every_rule_is_described() -> None:
    """The rules of a log have a unique identifier, a level that the standard knows, a sentence and a remedy."""
    described = _log()["runs"][0]["tool"]["driver"]["rules"]
    assert [rule.id for rule in (*RULES, WELL_FORMED)] == [rule["id"] for rule in described]
    for rule in described:
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note")
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
        assert rule["properties"]["confidence"] in ("high", "medium", "low")


def test_every_result_is_whole() -> None:
    """A result refers to its rule by name and position, and has a level, a message and a place counted from one."""
    ran = _log(Linted("conf/pins.toml", lint_document(LONELY, NOW)))["runs"][0]
    assert 3 == len(ran["results"])
    for result in ran["results"]:
        assert result["ruleId"] == ran["tool"]["driver"]["rules"][result["ruleIndex"]]["id"]
        assert result["level"] in ("error", "warning", "note")
        assert "remedy: " in result["message"]["text"]
        (location,) = result["locations"]
        assert "conf/pins.toml" == location["physicalLocation"]["artifactLocation"]["uri"]
        assert all(number >= 1 for number in location["physicalLocation"]["region"].values())
        assert location["logicalLocations"][0]["fullyQualifiedName"].startswith('hosts."a.example"')
    prints = {json.dumps(result["partialFingerprints"]) for result in ran["results"]}
    assert len(ran["results"]) == len(prints)


def test_result_without_a_place_has_none() -> None:
    """A finding without a line or a field has the document as its place, and no region."""
    finding = Finding(WELL_FORMED.id, Severity.ERROR, "the policy is empty", "write one")
    (result,) = _log(Linted("pins.toml", (finding,)))["runs"][0]["results"]
    assert [{"physicalLocation": {"artifactLocation": {"uri": "pins.toml"}}}] == result["locations"]


def test_fingerprint_does_not_change_with_the_line() -> None:
    """A finding keeps its fingerprint when lines are added above it, so that a review knows it again."""
    logs = [_log(Linted("x", lint_document(text, NOW))) for text in (LONELY, b"# more\n\n" + LONELY)]
    first, second = ([one["partialFingerprints"] for one in log["runs"][0]["results"]] for log in logs)
    assert first == second


@pytest.mark.parametrize(
    ("path", "uri"), [("a b/pins#1.toml", "a%20b/pins%231.toml"), ("conf\\x.toml", "conf/x.toml"), ("-", "stdin")]
)
def test_path_is_a_uri_reference(path: str, uri: str) -> None:
    """A path is written as a URI reference, and standard input by a name that says so."""
    log = _log(Linted(path, error="cannot read it"))
    (told,) = log["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert uri == told["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert ("error", "cannot read it") == (told["level"], told["message"]["text"])
