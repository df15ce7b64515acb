"""``pinscher doctor``: is pinning on here, and what around it could get in its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

import pinscher
from pinscher.cli.certificates import now
from pinscher.cli.facts import Fact, Health
from pinscher.cli.policies import load_policy
from pinscher.cli.reading import UnreadableFileError, json_option
from pinscher.cli.store_key import PLACES, custody_of
from pinscher.cli.surroundings import surroundings
from pinscher.cli.voice import ExitCode, Voice
from pinscher.errors import PinningError, escaped
from pinscher.policy import InvalidPolicyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.policy import Policy
    from pinscher.store import Custody

_FIELDS = """
\b
JSON: {"healthy": whether no fact is an error, "facts": [in order]}
  name             what the fact is about
  health           ok, warning or error
  text             what was found
  remedy           what to do, or null
"""


@click.command(epilog=_FIELDS)
@click.option("--policy", "policy_file", metavar="FILE", help="Look at this policy too; '-' is stdin.")
@click.option("--data", metavar="DIR", type=click.Path(), help="Look at the updates that are kept in this folder too.")
@click.option("--key", metavar="WHERE", help=f"DIR is a sealed store, and its key is here: {PLACES}.")
@click.option("--root", metavar="FILE", help="Verify them by this root; by the oldest one in DIR without it.")
@click.option("--bundle", default="policy.json", show_default=True, metavar="NAME", help="The policy that is followed.")
@json_option
def doctor(
    *, policy_file: str | None, data: str | None, key: str | None, root: str | None, bundle: str, is_json: bool
) -> int:
    """
    Tell whether pinning is on here.

    Looks at the interpreter, OpenSSL, the trust store, environment variables that redirect trust, a patched ssl
    module, and packages that change TLS; then makes pinned handshakes in memory, of which a genuine one must pass and
    a rogue one must not. With --data it says which signed policy is in force, how old, who signs, and what lapses next.
    With --key it opens every entry of a sealed store first. Exit 1 if any fact is an error.
    """
    voice = Voice()
    custody = _custody(key, data)
    facts = [*surroundings(), *_self_test(), *(_policy_facts(policy_file) if policy_file else ())]
    if data is not None:
        from pinscher.cli.update_facts import update_facts  # noqa: PLC0415  (who follows nothing does not pay for it)

        facts += update_facts(data, root=root, bundle=bundle, at=now(), custody=custody)
    is_healthy = all(fact.health is not Health.ERROR for fact in facts)
    if is_json:
        voice.document({"healthy": is_healthy, "facts": [_object(fact) for fact in facts]})
    else:
        _print(facts, voice)
    return ExitCode.GOOD if is_healthy else ExitCode.BAD


def _custody(key: str | None, data: str | None) -> Custody | None:
    """Return where the key of a sealed store is, if that was said."""
    if key is None:
        return None
    if data is None:
        raise click.UsageError("--key opens a sealed store: name it with --data")
    return custody_of(key)


def _self_test() -> Iterator[Fact]:
    try:
        pinscher.selftest()
    except PinningError as error:
        remedy = "do not rely on pins with this interpreter, and report its version"
        yield Fact("self-test", Health.ERROR, escaped(str(error)), remedy=remedy)
    else:
        yield Fact(
            "self-test", Health.OK, "a genuine server was let in, and a rogue one refused before any byte was sent"
        )


def _policy_facts(policy_file: str) -> Iterator[Fact]:
    try:
        policy = load_policy(policy_file)
    except (InvalidPolicyError, UnreadableFileError) as error:
        yield Fact("policy", Health.ERROR, str(error), remedy="a context made from it raises this error")
        return
    pinned = sum(1 for entry in policy.hosts if entry.pinset is not None)
    yield Fact("policy", Health.OK, f"{escaped(policy.name)} version {policy.version} pins {pinned} of its entries")
    yield from _channel_facts(policy)


def _channel_facts(policy: Policy) -> Iterator[Fact]:
    for name in policy.reporting:
        text = f"report channel '{escaped(name)}' is named, and without a keeper nothing is ever sent to it"
        yield Fact("policy", Health.WARNING, text, remedy="hand the context an on_verdict that serves it")


_STYLES = {Health.OK: "green", Health.WARNING: "yellow", Health.ERROR: "bold red"}


def _print(facts: list[Fact], voice: Voice) -> None:
    width = max(len(fact.name) for fact in facts)
    for fact in facts:
        voice.answer((f"{fact.health.value:<7}", _STYLES[fact.health]), f"  {fact.name:<{width}}  {fact.text}")
    for fact in facts:
        if fact.remedy and fact.health is Health.ERROR:
            voice.hint(f"{fact.name}: {fact.remedy}")


def _object(fact: Fact) -> dict[str, object]:
    return {"name": fact.name, "health": fact.health.value, "text": fact.text, "remedy": fact.remedy or None}
