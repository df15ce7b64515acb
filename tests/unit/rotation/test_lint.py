"""The lint rules."""

from __future__ import annotations

import pytest

from pinscher.policy import Policy
from pinscher.rotation import RULES, Severity, lint, lint_document

A, B = (f"sha256/{letter * 43}=" for letter in "AE")
HEAD = 'format = 1\nname = "x"\nversion = 1\n'


def test_host_without_a_backup_pin_is_found() -> None:
    """Rule backup-pin finds every pinned host without a backup pin, and names its place in the document."""
    policy = Policy.loads(
        f'{HEAD}[hosts."a.example"]\npins = ["{A}"]\n[hosts."*.b.example"]\npins = ["{A}"]\nbackup-pins = ["{B}"]\n'
    )
    (finding,) = lint(policy)
    assert (finding.rule, finding.severity, finding.path) == ("backup-pin", Severity.WARNING, 'hosts."a.example"')


def test_host_that_is_not_pinned_needs_no_backup() -> None:
    """Rule backup-pin leaves a host alone that is unpinned for a reason."""
    assert lint(Policy.loads(f'{HEAD}[hosts."a.example"]\nunpinned = "public"\n')) == ()


def test_document_that_cannot_be_read_is_one_finding() -> None:
    """Rule well-formed makes one error of a document that cannot be read, with its line and place."""
    (finding,) = lint_document(f'{HEAD}[hosts."a.example"]\npins = ["sha1/x"]\n'.encode())
    assert (finding.rule, finding.severity, finding.line) == ("well-formed", Severity.ERROR, 5)
    assert finding.path.startswith('hosts."a.example".pins')


def test_every_rule_has_its_own_name() -> None:
    """No two rules share a name, and each says in a sentence what it holds a policy to."""
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.sentence for rule in RULES)


@pytest.mark.parametrize(
    "content",
    [
        f'{HEAD}\n[hosts."a.example"]\npins = ["{A}"]\n',
        f'{{\n"format": 1, "name": "x", "version": 1,\n"hosts":\n\n{{"a.example": {{"pins": ["{A}"]}}}}}}',
    ],
    ids=["toml", "json"],
)
def test_finding_has_its_line(content: str) -> None:
    """A finding in a document stands at the line of its entry, in TOML and in JSON."""
    (finding,) = lint_document(content.encode())
    assert finding.line == 5
