"""A policy judged by every rule, and the places of what is found."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pinscher.policy import Policy
from pinscher.rotation import RULES, Circumstances, Severity, lint, lint_document

NOW = Circumstances(datetime(2026, 11, 21, tzinfo=UTC))
A = "sha256/NahLU0GZuWlQxC5iyWPffbj545x3cCad5I+tsIssZ4M="
B = "sha256/Vjs8r4z+80wjNcr1YKepWQboSIRi63WsWXhIMN+eWys="
HEAD = 'format = 1\nname = "x"\nversion = 1\n'


def test_host_without_a_backup_pin_is_found() -> None:
    """Rule backup-pin finds every pinned host without a backup pin, and names its place in the document."""
    policy = Policy.loads(
        f'{HEAD}[hosts."a.example"]\npins = ["{A}"]\n[hosts."*.b.example"]\npins = ["{B}"]\nbackup-pins = ["{A}"]\n'
    )
    finding = lint(policy, NOW)[0]
    assert (finding.rule, finding.severity, finding.path) == ("backup-pin", Severity.WARNING, 'hosts."a.example"')


def test_host_that_is_not_pinned_needs_no_backup() -> None:
    """Rule backup-pin leaves a host alone that is unpinned for a reason."""
    assert lint(Policy.loads(f'{HEAD}[hosts."a.example"]\nunpinned = "public"\n'), NOW) == ()


def test_document_that_cannot_be_read_is_one_finding() -> None:
    """Rule well-formed makes one error of a document that cannot be read, with its line and place."""
    (finding,) = lint_document(f'{HEAD}[hosts."a.example"]\npins = ["sha1/x"]\n'.encode(), NOW)
    assert (finding.rule, finding.severity, finding.line) == ("well-formed", Severity.ERROR, 5)
    assert finding.path.startswith('hosts."a.example".pins')


@pytest.mark.parametrize("content", [b"", b"\xff", b"[", b"{", b'{"format": 1}', b"a = 1"])
def test_anything_that_is_no_policy_is_one_finding(content: bytes) -> None:
    """Whatever bytes a document has, it is judged or is one finding of rule well-formed."""
    assert ["well-formed"] == [finding.rule for finding in lint_document(content, NOW)]


def test_every_rule_has_its_own_name() -> None:
    """No two rules share a name, and each says in a sentence what it holds a policy to."""
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.sentence and rule.remedy for rule in RULES)


@pytest.mark.parametrize(
    ("content", "column"),
    [
        (f'{HEAD}\n[hosts."a.example"]\npins = ["{A}"]\n', 2),
        (f'{{\n"format": 1, "name": "x", "version": 1,\n"hosts":\n\n{{"a.example": {{"pins": ["{A}"]}}}}}}', 2),
    ],
    ids=["toml", "json"],
)
def test_finding_has_its_place(content: str, column: int) -> None:
    """A finding in a document stands at the line and column of its entry, in TOML and in JSON."""
    (finding,) = lint_document(content.encode(), NOW)
    assert (5, column) == (finding.line, finding.column)


def test_host_is_found_as_the_document_spells_it() -> None:
    """A finding on a host that the document writes in capitals has that spelling, and its line."""
    (finding,) = lint_document(f'{HEAD}\n\n[hosts."A.Example."]\npins = ["{A}"]\n'.encode(), NOW)
    assert ('hosts."A.Example."', 6) == (finding.path, finding.line)


def test_policy_is_loaded_as_its_context_would() -> None:
    """A document is judged by the policy that the loader returns, so that a file's permissions count too."""
    policy = Policy.loads(f'{HEAD}[hosts."a.example"]\npins = ["{A}"]\nbackup-pins = ["{B}"]\n')
    (finding,) = lint_document(policy.to_json(), NOW, load=lambda: policy)
    assert ("backup-offline", 1) == (finding.rule, finding.line)
    offset = (finding.column or 0) - 1
    assert policy.to_json().decode()[offset:].startswith(f'"{B}"')
