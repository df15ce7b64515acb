"""``pinscher diff``: what a change of a policy means for those who have the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pinscher.cli.certificates import counted
from pinscher.cli.deployed import deployments_option, read_inventories
from pinscher.cli.diff_versions import markdown_versions, print_versions, versions_object
from pinscher.cli.policies import load_policy
from pinscher.cli.reading import STDIN, json_option
from pinscher.cli.voice import ExitCode, Voice
from pinscher.errors import escaped
from pinscher.rotation import KINDS, Change, Effect, difference
from pinscher.rotation.released import left_behind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pinscher.policy import Policy
    from pinscher.rotation.released import LeftBehind

_FIELDS = """
\b
JSON: {"old": {name, version, digest}, "new": the same, ...}
  weakens          whether a weakening was found that was not accepted
  breaks           whether clients of the old policy lose something
  changes          the weakenings first:
    kind           what has changed
    effect         weakening, strengthening or neutral
    breaks         whether a connection that OLD allows is refused by NEW
    accepted       whether --accept names its kind
    hosts          the hosts concerned, none for the policy as a whole
    text           what it means
  versions         of the inventory, in order:
    file, application, version, share   share is text, or null
    differs        whether its policy differs from NEW
    stranded       the hosts for which NEW accepts no key that it accepts
    losses         what it loses when it takes NEW: kind, hosts, text
  stranded_shares  {application: the share of its users in stranded versions,
                   as text, or null if it is not known}
"""
_ORDER = (Effect.WEAKENING, Effect.STRENGTHENING, Effect.NEUTRAL)
_WORDS = {Effect.WEAKENING: "WEAKENS", Effect.STRENGTHENING: "strengthens", Effect.NEUTRAL: "neutral"}
_STYLES = {Effect.WEAKENING: "bold red", Effect.STRENGTHENING: "green", Effect.NEUTRAL: ""}
_MOST_HOSTS = 3
"""Hosts that one line names; the JSON has them all."""


@click.command(epilog=_FIELDS)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--markdown", "is_markdown", is_flag=True, help="Write the answer for a pull request.")
@click.option(
    "--accept",
    "accepted",
    multiple=True,
    type=click.Choice(sorted(KINDS)),
    metavar="KIND",
    help="Do not exit 1 for weakenings of this kind; may be given more than once.",
)
@deployments_option
@json_option
def diff(
    old: str, new: str, *, is_markdown: bool, accepted: tuple[str, ...], inventories: tuple[str, ...], is_json: bool
) -> int:
    """
    Say in words what changes from one policy to the next, decided by what each of them does with every host.

    OLD and NEW are TOML or JSON, one of them may be '-' for standard input. A weakening is whatever lets a connection
    through that was refused, a new key among them, or lets one go unnoticed. With --deployments the released versions
    are compared with NEW too: one is stranded where NEW accepts none of its keys. Exit 1 for a weakening that --accept
    does not name and for a stranded version without --accept=no-common-key, 2 if a policy cannot be read.
    """
    voice = Voice()
    if old == new == STDIN:
        raise click.UsageError("one of OLD and NEW may be '-', not both")
    if is_json and is_markdown:
        raise click.UsageError("--json and --markdown are two answers: give one of them")
    before, after = load_policy(old), load_policy(new)
    changes = sorted(difference(before, after), key=lambda change: _ORDER.index(change.effect))
    weakens = [change for change in changes if change.effect is Effect.WEAKENING and change.kind not in accepted]
    versions = left_behind(read_inventories(inventories), after)
    if is_json:
        voice.document(_document(before, after, changes, accepted, weakens=bool(weakens)) | versions_object(versions))
    elif is_markdown:
        for line in (*_markdown(before, after, changes), *_markdown_versions(versions, after)):
            voice.answer(line)
    else:
        _print(before, after, changes, voice)
        if versions:
            print_versions(versions, after, _told, voice)
    return _conclude(weakens, versions, accepted, voice)


def _conclude(weakens: list[Change], versions: tuple[LeftBehind, ...], accepted: tuple[str, ...], voice: Voice) -> int:
    """Say how what was found could be accepted, and return the exit code."""
    if weakens:
        kinds = " ".join(f"--accept={kind}" for kind in dict.fromkeys(change.kind for change in weakens))
        voice.hint(f"a weakening that is meant is accepted with {kinds}")
    is_stranding = any(one.stranded for one in versions) and "no-common-key" not in accepted
    if is_stranding:
        voice.hint(
            "keep a key that the stranded versions accept until nobody has them, or accept that with "
            "--accept=no-common-key"
        )
    return ExitCode.BAD if weakens or is_stranding else ExitCode.GOOD


def _markdown_versions(versions: tuple[LeftBehind, ...], new: Policy) -> Iterator[str]:
    if versions:
        yield from markdown_versions(versions, new, _markdown_told, code)


def _document(
    old: Policy, new: Policy, changes: list[Change], accepted: tuple[str, ...], *, weakens: bool
) -> dict[str, object]:
    return {
        "old": _about(old),
        "new": _about(new),
        "weakens": weakens,
        "breaks": any(change.breaks for change in changes),
        "changes": [
            {
                "kind": change.kind,
                "effect": change.effect.value,
                "breaks": change.breaks,
                "accepted": change.kind in accepted,
                "hosts": list(change.hosts),
                "text": change.sentence,
            }
            for change in changes
        ],
    }


def _about(policy: Policy) -> dict[str, object]:
    return {"name": policy.name, "version": policy.version, "digest": policy.digest}


def _hosts(change: Change, shown: Callable[[str], str]) -> str:
    """Return the first hosts of a change, in words."""
    named = ", ".join(map(shown, change.hosts[:_MOST_HOSTS]))
    more = len(change.hosts) - _MOST_HOSTS
    return f"{named} and {more} more" if more > 0 else named


def _summary(changes: list[Change]) -> str:
    if not changes:
        return "no change"
    weakening = sum(change.effect is Effect.WEAKENING for change in changes)
    breaking = sum(change.breaks for change in changes)
    return f"{counted(len(changes), 'change')}, {weakening} weakening, {breaking} breaking clients"


def _print(old: Policy, new: Policy, changes: list[Change], voice: Voice) -> None:
    voice.answer(f"{escaped(new.name)} version {old.version} -> {new.version}: {_summary(changes)}")
    if changes:
        voice.answer()
    width = max((len(_WORDS[change.effect]) for change in changes), default=0)
    for change in changes:
        word, breaks = _WORDS[change.effect], "BREAKS" if change.breaks else ""
        told = f"  {_told(change)} [{change.kind}]"
        voice.answer("  ", (f"{word:<{width}}", _STYLES[change.effect]), f"  {breaks:<6}", told)


def _told(change: Change) -> str:
    hosts = _hosts(change, str)
    return f"{hosts}: {change.sentence}" if hosts else change.sentence


def _markdown(old: Policy, new: Policy, changes: list[Change]) -> Iterator[str]:
    """Yield the lines of a comment; whatever somebody else may have chosen stands in a code span."""
    yield f"### Pinning policy {code(escaped(new.name))}: version {old.version} to {new.version}"
    yield ""
    yield f"{_summary(changes).capitalize()}."
    if changes:
        yield ""
    for change in changes:
        word = f"**{_WORDS[change.effect]}**" if change.effect is Effect.WEAKENING else _WORDS[change.effect]
        breaks = ", **breaks clients**" if change.breaks else ""
        yield f"- {word}{breaks}: {_markdown_told(change)}"


def _markdown_told(change: Change) -> str:
    hosts = _hosts(change, code)
    return f"{hosts}{': ' if hosts else ''}{change.template.format(*map(code, change.values))}"


def code(text: str) -> str:
    """
    Return escaped text as a code span of Markdown, also inside a table.

    In a code span nothing is markup, a mention or a link. What would end the span or the cell is written as the
    escapes are.
    """
    inert = text.replace("`", r"\x60").replace("|", r"\x7c")
    return f"`{inert or ' '}`"
