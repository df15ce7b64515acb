"""A policy judged by every rule there is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pinscher.places import line_in_json, line_in_toml
from pinscher.policy import InvalidPolicyError, Policy
from pinscher.rotation.rules import RULES, well_formed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.rotation.finding import Finding


def lint(policy: Policy) -> tuple[Finding, ...]:
    """
    Return what the rules find in a policy, in the order of the rules and then of its entries.

    That nothing is found does not prove that the pins match any server.
    """
    return tuple(finding for rule in RULES for finding in rule.check(policy))


def lint_document(content: bytes, *, load: Callable[[], Policy] | None = None) -> tuple[Finding, ...]:
    """
    Return what the rules find in a policy document, each with its line, or that the document cannot be read.

    *load* reads the policy otherwise than from *content*, as ``Policy.load`` does from the content's file.
    """
    try:
        policy = Policy.loads(content) if load is None else load()
    except InvalidPolicyError as error:
        return (well_formed.finding_of(error),)
    text = content.decode()
    look_up = line_in_json if text.lstrip().startswith("{") else line_in_toml
    return tuple(replace(finding, line=look_up(text, finding.keys)) for finding in lint(policy))
