"""
Changing keys without breaking anybody: what a policy should hold before the day it is needed.

This room judges a policy by itself (``lint``) and beside the one it replaces (``difference``). One rule is one file in
``rules``, and one line in its table.
"""

from __future__ import annotations

from pinscher.rotation.authority_facts import AuthorityFacts, InvalidAuthorityFactsError, read_facts
from pinscher.rotation.change import KINDS, Change, Effect
from pinscher.rotation.circumstances import Circumstances
from pinscher.rotation.difference import difference
from pinscher.rotation.finding import Confidence, Finding, Severity
from pinscher.rotation.lint import lint, lint_document
from pinscher.rotation.rules import RULES, WELL_FORMED, Rule

__all__ = [
    "KINDS",
    "RULES",
    "WELL_FORMED",
    "AuthorityFacts",
    "Change",
    "Circumstances",
    "Confidence",
    "Effect",
    "Finding",
    "InvalidAuthorityFactsError",
    "Rule",
    "Severity",
    "difference",
    "lint",
    "lint_document",
    "read_facts",
]
