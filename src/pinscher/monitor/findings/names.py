"""Every name that the rule of a finding can have."""

from __future__ import annotations

from pinscher.monitor.findings import RULES
from pinscher.monitor.findings.heads import HEAD_RULES
from pinscher.monitor.findings.issued import ISSUED_RULES
from pinscher.monitor.findings.logs import LOG_RULES
from pinscher.monitor.findings.others import OTHERS_RULES
from pinscher.monitor.findings.places import PLACE_RULES
from pinscher.monitor.findings.repository import REPOSITORY_RULES

ENDPOINT_RULES = tuple(rule.__name__.replace("_", "-") for rule in RULES)
"""A rule about one endpoint has the name of its function."""
EVERY_RULE = frozenset(
    {
        *ENDPOINT_RULES,
        *HEAD_RULES,
        *ISSUED_RULES,
        *LOG_RULES,
        *OTHERS_RULES,
        *PLACE_RULES,
        *REPOSITORY_RULES,
        "clients-silent",
        "policy-refused",
    }
)
"""What ``Finding.rule`` can be."""
