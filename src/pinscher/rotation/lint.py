"""A policy judged by every rule there is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pinscher.host import HostPattern
from pinscher.policy import InvalidPolicyError, Policy
from pinscher.rotation.located import Located
from pinscher.rotation.rules import RULES, well_formed
from pinscher.text import read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pinscher.entry import Path
    from pinscher.rotation.circumstances import Circumstances
    from pinscher.rotation.finding import Finding


def lint(policy: Policy, circumstances: Circumstances) -> tuple[Finding, ...]:
    """
    Return what the rules find in a policy, in the order of the rules and then of its entries.

    That nothing is found does not prove that the pins match any server.
    """
    return tuple(finding for rule in RULES for finding in rule.check(policy, circumstances))


def lint_document(
    content: bytes, circumstances: Circumstances, *, load: Callable[[], Policy] | None = None
) -> tuple[Finding, ...]:
    """
    Return what the rules find in a policy document, each with its line, or that the document cannot be read.

    *load* reads the policy otherwise than from *content*, as ``Policy.load`` does from the content's file.
    """
    try:
        table, _ = read_text(content, None)
        policy = Policy.loads(content) if load is None else load()
    except InvalidPolicyError as error:
        return (well_formed.finding_of(error),)
    located = Located(content.decode())
    spelt = {str(HostPattern.parse(host)): host for host in table["hosts"]}

    def placed(finding: Finding) -> Finding:
        keys = _as_spelt(finding.keys, spelt)
        line, column = located.place(keys)
        return replace(finding, keys=keys, line=line, column=column)

    return tuple(placed(finding) for finding in lint(policy, circumstances))


def _as_spelt(keys: Path, spelt: Mapping[str, str]) -> Path:
    """Return a place with its host as the document writes it, and not as the policy does."""
    if len(keys) > 1 and keys[0] == "hosts":
        return ("hosts", spelt.get(str(keys[1]), keys[1]), *keys[2:])
    return keys
