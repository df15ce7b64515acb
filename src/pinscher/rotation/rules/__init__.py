"""The lint rules, one file each; a new rule is a file and a line in this table."""

from __future__ import annotations

from pinscher.rotation.rules import backup_pin
from pinscher.rotation.rules.rule import Rule

__all__ = ["RULES", "Rule"]

RULES: tuple[Rule, ...] = (backup_pin.RULE,)
"""Every rule on a policy, in the order in which findings are told."""
