"""A score card as JUnit XML, for the build servers that read it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from pinscher.lab.player import Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.lab.card import ScoreCard
    from pinscher.lab.player import Played


def junit_xml(card: ScoreCard) -> bytes:
    """Return *card* as one test suite for each family; void and not applicable cases are skipped tests."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites name={_quoted('pinscher lab: ' + card.client)}>"]
    for family, score in card.families.items():
        played = [one for one in card.played if one.case.scenario.family == family]
        lines.append(
            f'<testsuite name={_quoted(family)} tests="{len(played)}" failures="{score.wrong}" errors="0" '
            f'skipped="{score.void + score.not_applicable}" time="{sum(one.seconds for one in played):.3f}">'
        )
        for one in played:
            lines += _case(one)
        lines.append("</testsuite>")
    lines.append("</testsuites>")
    return "\n".join([*lines, ""]).encode("ascii", "xmlcharrefreplace")


def _case(played: Played) -> Iterator[str]:
    where = f"classname={_quoted('pinscher.lab.' + played.case.scenario.family)} name={_quoted(played.case.id)}"
    yield f'<testcase {where} time="{played.seconds:.3f}">'
    if played.result in (Result.FAILED, Result.HUNG):
        kind, reason = _quoted(played.result.value), _quoted(played.reason)
        yield f"<failure type={kind} message={reason}>{_text(played.said)}</failure>"
    elif played.result is not Result.PASSED:
        yield f"<skipped message={_quoted(f'{played.result.value}: {played.reason}')}/>"
    yield "</testcase>"


def _quoted(text: str) -> str:
    return quoteattr(_legal(text))


def _text(text: str) -> str:
    return escape(_legal(text))


def _legal(text: str) -> str:
    """Return *text* without the characters that no XML document can hold, however they are written."""
    return _ILLEGAL.sub("?", text)


_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
