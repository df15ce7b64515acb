"""
OkHttp's ``CertificatePinner``: Kotlin and Java source out, the calls of its builder in.

Rules of this file, each read in OkHttp's ``CertificatePinner``:

1. A star stands only in front: ``*.x`` is exactly one more label, ``**.x`` is ``x`` and any depth below it.
2. The pins of every matching pattern count together, so a narrower entry never wins over a wider one.
3. Any key of the chain that the cleaner built up to a trusted root matches. A host without a matching pattern is let
   through.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pinscher.formats.coverage import coverage, parents
from pinscher.formats.format import Format
from pinscher.formats.limits import LARGEST_FILE
from pinscher.formats.loss import Loss, LossLedger
from pinscher.formats.reading import Reader
from pinscher.formats.said import UNPINNED, Said, Target, said_coverage, said_entries
from pinscher.formats.text_form import comments, encoded, literal
from pinscher.host import HostPattern, InvalidHostError, Reach
from pinscher.pin import InvalidPinError, Pin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pinscher.formats.format import Choices, Reading
    from pinscher.policy import Policy

_NAME = "okhttp"
_TARGET = Target(_NAME, ip_addresses=True)


def write(policy: Policy, choices: Choices) -> bytes:
    """Return Kotlin or Java source of a pinner that decides as the policy does, or raise ``FormatLossError``."""
    losses = LossLedger(_NAME, choices.accepted)
    entries = union_entries(said_entries(policy, _TARGET, losses), losses)
    recorded = losses.settle()
    form = _java if choices.variant == "java" else _kotlin
    return "\n".join([*comments(recorded, "//"), *form(entries), ""]).encode()


def union_entries(entries: Mapping[HostPattern, Said], losses: LossLedger) -> dict[HostPattern, Said]:
    """Return the pinned patterns, and note every host where their union is not what the policy says (rule 2)."""
    wanted = said_coverage(entries)
    names = [one.name for one in wanted]
    pinned = {pattern: said for pattern, said in entries.items() if said.pins}
    answer = Union(pinned)
    for one, found in zip(wanted, coverage(names, answer), strict=True):
        for host, said, union in (
            (one.name, one.at, found.at),
            (f"*.{one.name}", one.below, found.below),
            (f"**.{one.name}", one.deep, found.deep),
        ):
            _check_union(host, said, union, losses)
    return pinned


def _check_union(host: str, said: Said | None, union: Said | None, losses: LossLedger) -> None:
    if said == union or union is None:
        return
    if said is None:
        losses.add(Loss("unpinned", host, "the target cannot take a host out of a wider entry",
                        ("pin the host too", "list the pinned hosts one by one"),
                        given_up="the host is pinned like the names around it"))  # fmt: skip
    else:
        losses.add(Loss("narrower-entry", host, "the target accepts the pins of every matching entry together",
                        ("give the narrower entry all the pins of the wider one", "list the hosts one by one"),
                        given_up="the wider entry's pins are accepted as well"))  # fmt: skip


class Union:
    """The look-up of rule 2: every matching pattern's pins together."""

    def __init__(self, entries: Mapping[HostPattern, Said]) -> None:
        self._tables: dict[Reach, dict[str, Said]] = {reach: {} for reach in Reach}
        for pattern, said in entries.items():
            self._tables[pattern.reach][pattern.name] = said

    def __call__(self, host: str) -> Said | None:
        """Return what a host is told, or None."""
        above = list(parents(host))
        matching = [self._tables[Reach.EXACT].get(host), self._tables[Reach.ANY_DEPTH].get(host)]
        matching += [self._tables[Reach.ONE_LABEL].get(name) for name in above[:1]]
        matching += [self._tables[Reach.ANY_DEPTH].get(name) for name in above]
        pins = dict.fromkeys(pin for said in matching if said is not None for pin in said.pins)
        return Said(tuple(pins)) if pins else None


def _kotlin(entries: Mapping[HostPattern, Said]) -> list[str]:
    calls = _calls(entries, "            ")
    return [
        "import okhttp3.CertificatePinner",
        "",
        "object Pins {",
        "    @JvmField",
        "    val CERTIFICATE_PINNER: CertificatePinner =",
        "        CertificatePinner.Builder()",
        *calls,
        "            .build()",
        "}",
    ]


def _java(entries: Mapping[HostPattern, Said]) -> list[str]:
    calls = _calls(entries, "          ")
    return [
        "import okhttp3.CertificatePinner;",
        "",
        "public final class Pins {",
        "  public static final CertificatePinner CERTIFICATE_PINNER =",
        "      new CertificatePinner.Builder()",
        *calls,
        "          .build();",
        "",
        "  private Pins() {}",
        "}",
    ]


def _calls(entries: Mapping[HostPattern, Said], indent: str) -> list[str]:
    return [
        f"{indent}.add({literal(str(pattern))}, {literal('sha256/' + encoded(pin))})"
        for pattern, said in entries.items()
        for pin in said.pins
    ]


_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r'|"""(?P<raw>.*?)"""|"(?P<text>(?:[^"\\\n]|\\.)*)"'
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*)|(?P<mark>[^\s])",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")


def read(content: bytes, choices: Choices) -> Reading:
    """Return what the ``add`` calls of Kotlin or Java source say; only literal patterns and pins are understood."""
    reader = Reader(_NAME, choices)
    if len(content) > LARGEST_FILE:
        raise reader.refuse(f"{len(content)} octets, at most {LARGEST_FILE} are read")
    try:
        source = content.decode("utf-8")
    except UnicodeDecodeError:
        raise reader.refuse("it is not UTF-8 text") from None
    entries: dict[HostPattern, Said] = {}
    for pattern, pins in _added(source, reader):
        held = entries.get(pattern, UNPINNED).pins
        entries[pattern] = Said(tuple(dict.fromkeys((*held, *pins))))
    answer = Union(entries)
    names = [pattern.name for pattern in entries]
    return reader.reading(names, answer)


def _added(source: str, reader: Reader) -> list[tuple[HostPattern, list[Pin]]]:
    if "CertificatePinner" not in source:
        raise reader.refuse("there is no CertificatePinner in it")
    tokens = [token for token in _TOKEN.finditer(source) if token.lastgroup is not None]
    found = []
    line, counted = 1, 0
    for at, token in enumerate(tokens):
        is_call = token["name"] == "add" and at > 0 and tokens[at - 1]["mark"] == "."
        if is_call and at + 1 < len(tokens) and tokens[at + 1]["mark"] == "(":
            line, counted = line + source.count("\n", counted, token.start()), token.start()
            found.append(_call(tokens[at + 2 : at + 2 + _LONGEST_CALL], reader, line))
    if not found:
        raise reader.refuse("there is no call of add in it")
    return found


_LONGEST_CALL = 200
"""Tokens between the parentheses of one call."""


def _call(tokens: list[re.Match[str]], reader: Reader, line: int) -> tuple[HostPattern, list[Pin]]:
    texts: list[str] = []
    for number, token in enumerate(tokens):
        if token["mark"] == ")" and texts:
            break
        if number % 2 == 0:
            texts.append(_literal(token, reader, line))
        elif token["mark"] != ",":
            raise reader.refuse("an argument of add is put together; only literal texts are understood", line=line)
    else:
        raise reader.refuse("a call of add does not end", line=line)
    if len(texts) < 2:
        raise reader.refuse("a call of add without pins", line=line)
    try:
        return HostPattern.parse(texts[0]), [Pin.parse(text) for text in texts[1:]]
    except (InvalidHostError, InvalidPinError) as error:
        raise reader.refuse(str(error), line=line) from None


def _literal(token: re.Match[str], reader: Reader, line: int) -> str:
    if token["raw"] is not None:
        text = token["raw"]
    elif token["text"] is not None:
        text = _ESCAPE.sub(_unescaped, token["text"])
    else:
        raise reader.refuse(
            f"an argument of add is {token.group()[:40]!a}; only literal texts are understood", line=line
        )
    if "$" in (token["raw"] or token["text"]):
        raise reader.refuse("an argument of add holds a template; only literal texts are understood", line=line)
    return text


def _unescaped(match: re.Match[str]) -> str:
    code = match.group(1)
    return chr(int(code[1:], 16)) if len(code) > 1 else code


FORMAT = Format(
    name=_NAME,
    title="OkHttp CertificatePinner",
    file_name="Pins.kt",
    read=read,
    write=write,
    variants=("kotlin", "java"),
)
