"""Score cards as JUnit XML."""

from __future__ import annotations

from defusedxml.ElementTree import fromstring

from pinscher.lab.card import ScoreCard
from pinscher.lab.client import Contestant
from pinscher.lab.junit import junit_xml
from pinscher.lab.player import Played, Result
from tests.unit.lab.cases import case, contestant, genuine, refuses, rogue


def card(reason: str = "leaked", said: str = "words", name: str = "client") -> ScoreCard:
    """Return a card with one case of each result."""
    cases = [
        (genuine, Result.PASSED, ""), (rogue, Result.FAILED, reason), (rogue, Result.HUNG, "no answer"),
        (rogue, Result.NOT_APPLICABLE, "cannot"),
    ]  # fmt: skip
    played = [
        Played(case=case(function), client="client", result=result, reason=why, said=said, seconds=0.25)
        for function, result, why in cases
    ]
    one = contestant(refuses)
    return ScoreCard.of(Contestant(name, one.capabilities, one.new), played)


def test_every_case_is_a_test_of_its_family() -> None:
    """Each family is a suite, each case a test; what went wrong is a failure, and what does not count is skipped."""
    suite = fromstring(junit_xml(card())).find("testsuite")
    assert suite is not None
    assert {
        "name": "keys",
        "tests": "4",
        "failures": "2",
        "errors": "0",
        "skipped": "1",
        "time": "1.000",
    } == suite.attrib
    assert ["genuine", "rogue", "rogue", "rogue"] == [test.get("name") for test in suite]
    assert [[], ["failure"], ["failure"], ["skipped"]] == [[child.tag for child in test] for test in suite]
    assert "not-applicable: cannot" == suite[3][0].get("message")


def test_an_attackers_words_cannot_leave_their_place() -> None:
    """What a program or a server says stays text, and characters that no XML can hold are question marks."""
    said = ']]></failure><x y="z"/>&\x00\x1b\ud800\ufffe\U0001f600'
    root = fromstring(junit_xml(card(reason=said, said=said, name=said)))
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    legal = ']]></failure><x y="z"/>&????\U0001f600'
    assert legal == failure.text == failure.get("message")
    assert f"pinscher lab: {legal}" == root.get("name")
