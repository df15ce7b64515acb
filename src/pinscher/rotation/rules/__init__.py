"""The lint rules, one file each; a new rule is a file and a line in this table."""

from __future__ import annotations

from pinscher.rotation.rules import (
    backup_offline,
    backup_pin,
    backup_rehearsed,
    delivery_network,
    dummy_pin,
    expiry,
    fails_open,
    foreign_hash,
    intermediate_pin,
    leaf_only,
    public_suffix,
    report_channel,
    report_only,
    shared_key,
    well_formed,
)
from pinscher.rotation.rules.rule import Rule

__all__ = ["RULES", "WELL_FORMED", "Rule"]

RULES: tuple[Rule, ...] = (
    backup_pin.RULE,
    backup_offline.RULE,
    backup_rehearsed.RULE,
    dummy_pin.RULE,
    foreign_hash.RULE,
    leaf_only.RULE,
    intermediate_pin.RULE,
    delivery_network.RULE,
    public_suffix.RULE,
    shared_key.RULE,
    expiry.RULE,
    report_only.RULE,
    fails_open.RULE,
    report_channel.RULE,
)
"""Every rule on a policy, in the order in which findings are told."""

WELL_FORMED = well_formed.RULE
"""The rule on a document, before there is a policy."""
