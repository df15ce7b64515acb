"""
Rule ``well-formed``: a policy document can be read.

It stands outside the table of rules on a policy, because they judge a policy that could be read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pinscher.rotation.finding import Confidence, Severity
from pinscher.rotation.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.policy import InvalidPolicyError, Policy
    from pinscher.rotation.circumstances import Circumstances
    from pinscher.rotation.finding import Finding


def check(_policy: Policy, _circumstances: Circumstances) -> Iterator[Finding]:
    """Yield nothing: a policy that could be read is well-formed."""
    return iter(())


RULE = Rule(
    "well-formed",
    "a policy document can be read",
    check,
    Severity.ERROR,
    Confidence.HIGH,
    "correct the document at the place named; until then every context refuses to be made from it",
)


def finding_of(error: InvalidPolicyError) -> Finding:
    """Return the finding that a document's refusal is; its text is the error's own, with the field and the way out."""
    told = f"{error.path}: {error.reason}" if error.path else error.reason
    return replace(RULE.finding(told, error.keys), line=error.line)
