"""The reference page of the lint rules."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pinscher.rotation import RULES, WELL_FORMED, Circumstances, Rule, lint_document

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "lint.md").read_text(encoding="utf-8")
EVERY = (WELL_FORMED, *RULES)
AT = datetime(2026, 11, 21, tzinfo=UTC)
SECTIONS = {
    name: (text, re.findall(r"```toml\n(.*?)```", text, re.DOTALL))
    for name, text in re.findall(r"^## `([a-z-]+)`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
}


def _found(document: str) -> set[str]:
    return {finding.rule for finding in lint_document(document.encode(), Circumstances(AT))}


def test_every_rule_has_its_section() -> None:
    """The reference page has a section for each rule, and none for anything else."""
    assert {rule.id for rule in EVERY} == set(SECTIONS)


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.id)
def test_section_says_what_the_rule_says(rule: Rule) -> None:
    """A rule's section holds its sentence, its severity, its confidence and its remedy."""
    text = SECTIONS[rule.id][0]
    assert f"{rule.sentence[0].upper()}{rule.sentence[1:]}.\n" in text
    assert f"Severity {rule.severity.word}, confidence {rule.confidence.word}.\n" in text
    assert f"Remedy: {rule.remedy}.\n" in text


@pytest.mark.parametrize("name", SECTIONS)
def test_the_document_before_is_found(name: str) -> None:
    """The rule finds something in the document that its section shows as the one before."""
    assert name in _found(SECTIONS[name][1][0])


@pytest.mark.parametrize("name", SECTIONS)
def test_the_document_after_is_clean(name: str) -> None:
    """The rule finds nothing in the document that its section shows as the one after, and no other rule warns."""
    after = lint_document(SECTIONS[name][1][1].encode(), Circumstances(AT))
    assert [] == [finding for finding in after if finding.rule == name or finding.severity.word != "information"]
