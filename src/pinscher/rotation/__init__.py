"""
Changing keys without breaking anybody: what a policy should hold before the day it is needed.

Today this room judges a policy by itself (``lint``). One rule is one file in ``rules``, and one line in its table.
"""

from __future__ import annotations

from pinscher.rotation.finding import Finding, Severity
from pinscher.rotation.lint import lint, lint_document
from pinscher.rotation.rules import RULES, Rule

__all__ = ["RULES", "Finding", "Rule", "Severity", "lint", "lint_document"]
