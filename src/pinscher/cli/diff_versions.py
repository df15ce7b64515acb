"""What ``pinscher diff`` says of the versions that were released."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.cli.deployed import client_of, percent, shares_object, shares_of, told_shares, version_object
from pinscher.errors import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pinscher.cli.voice import Voice
    from pinscher.policy import Policy
    from pinscher.rotation.change import Change
    from pinscher.rotation.released import LeftBehind

    Told = Callable[[Change], str]
    """Writes a change with its hosts in one line."""

_STYLES = {"same": "", "differs": "", "STRANDED": "bold red"}
_MOST_HOSTS = 3


def _word(one: LeftBehind) -> str:
    if one.stranded:
        return "STRANDED"
    return "differs" if one.differs else "same"


def _why(one: LeftBehind, new: Policy) -> str:
    if not one.stranded:
        return ""
    more = len(one.stranded) - _MOST_HOSTS
    hosts = ", ".join(one.stranded[:_MOST_HOSTS]) + (f" and {more} more" if more > 0 else "")
    return f"for {hosts} it accepts no key that version {new.version} accepts"


def _stranded(versions: tuple[LeftBehind, ...]) -> list[LeftBehind]:
    return [one for one in versions if one.stranded]


def _consequence(new: Policy) -> str:
    return f"refuse servers that follow version {new.version}"


def print_versions(versions: tuple[LeftBehind, ...], new: Policy, told: Told, voice: Voice) -> None:
    """Write a line for each released version, what it loses below it, and the shares of users who are stranded."""
    voice.answer()
    clients = [client_of(one.deployment) for one in versions]
    width = max(map(len, clients), default=0)
    for client, one in zip(clients, versions, strict=True):
        word, why = _word(one), _why(one, new)
        voice.answer("  ", (f"{word:<8}", _STYLES[word]), f"  {client:<{width}}  {why}".rstrip())
        for change in one.losses:
            voice.answer(f"    loses: {told(change)} [{change.kind}]")
    for line in told_shares((one.deployment for one in _stranded(versions)), _consequence(new)):
        voice.answer()
        voice.answer(line)


def markdown_versions(
    versions: tuple[LeftBehind, ...], new: Policy, told: Told, code: Callable[[str], str]
) -> Iterator[str]:
    """Yield the lines of a comment about the released versions; *told* and *code* keep foreign text inert."""
    yield ""
    yield "Released versions:"
    yield ""
    for one in versions:
        word = f"**{_word(one)}**" if one.stranded else _word(one)
        why = f": {code(_why(one, new))}" if one.stranded else ""
        yield f"- {code(client_of(one.deployment))} {word}{why}"
        yield from (f"  - loses: {told(change)}" for change in one.losses)
    for application, share in shares_of(one.deployment for one in _stranded(versions)).items():
        how_many = "an unknown share" if share is None else percent(share)
        yield ""
        yield f"**{how_many}** of the users of {code(escaped(application))} {_consequence(new)}."


def versions_object(versions: tuple[LeftBehind, ...]) -> dict[str, object]:
    """Return the ``--json`` fields about the released versions."""
    return {
        "versions": [
            version_object(one.deployment)
            | {
                "differs": one.differs,
                "stranded": list(one.stranded),
                "losses": [
                    {"kind": change.kind, "hosts": list(change.hosts), "text": change.sentence} for change in one.losses
                ],
            }
            for one in versions
        ],
        "stranded_shares": shares_object(one.deployment for one in _stranded(versions)),
    }
