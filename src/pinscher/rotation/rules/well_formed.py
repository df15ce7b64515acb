"""
Rule ``well-formed``: a policy document can be read.

It stands outside the table, because the rules in the table judge a policy that could be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.rotation.finding import Finding, Severity

if TYPE_CHECKING:
    from pinscher.policy import InvalidPolicyError

ID = "well-formed"
SENTENCE = "a policy document can be read"


def finding_of(error: InvalidPolicyError) -> Finding:
    """Return the finding that a document's refusal is; its text is the error's own, with the field and the way out."""
    return Finding(
        ID,
        Severity.ERROR,
        f"{error.path}: {error.reason}" if error.path else error.reason,
        "correct the document at the place named; until then every context refuses to be made from it",
        keys=error.keys,
        line=error.line,
    )
