"""The player's rules, one by one, with clients that break each of them."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.client import SECRET, CannotExpressError, Contestant, Reply
from pinscher.lab.own import ASYNCIO, BLOCKING, BUFFERED, HTTP
from pinscher.lab.player import Result, play
from pinscher.lab.scenario import Capability, Transport, Visit
from pinscher.policy import Policy
from pinscher.verdict import Action, Outcome, Verdict
from tests.unit.lab.cases import accepts, case, connected, contestant, genuine, obeys, refuses, rogue, send, visit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.stage import Stage


def test_a_case_beyond_the_client_is_not_played() -> None:
    """Rule 1: a case that asks for more than the client can do names what is missing."""
    played = play(case(rogue, needs=[Capability.PROXY]), contestant(refuses))
    assert (Result.NOT_APPLICABLE, "the client cannot do what the case asks for: proxy") == (
        played.result,
        played.reason,
    )


def test_what_cannot_be_expressed_does_not_count() -> None:
    """A client that finds no way to say what a case asks for says so, and neither passes nor fails."""

    def cannot(_: Visit) -> Reply:
        raise CannotExpressError("has no pins")

    played = play(case(genuine), contestant(cannot))
    assert (Result.NOT_APPLICABLE, "has no pins") == (played.result, played.reason)


def test_a_hang_is_a_failure() -> None:
    """Rule 2: a client that gives no answer in time is closed, and has failed."""
    closed = threading.Event()

    def hangs(_: Visit) -> Reply:
        closed.wait(20)
        return Reply(accepted=False)

    before = threading.active_count()
    played = play(case(rogue), contestant(hangs, at_close=closed.set), limit=0.05)
    assert (Result.HUNG, "no answer within 0.05 seconds") == (played.result, played.reason)
    assert before == threading.active_count()


def test_the_other_side_prepares_before_the_visit() -> None:
    """Rule 2: what a visit prepares has happened when the client connects."""
    happened: list[str] = []

    def prepared(stage: Stage) -> Sequence[Visit]:
        return [visit(stage, prepare=lambda: happened.append("prepared"))]

    def notes(visited: Visit) -> Reply:
        happened.append("visited")
        return accepts(visited)

    assert Result.PASSED is play(case(prepared), contestant(notes)).result
    assert ["prepared", "visited"] == happened


def test_the_right_client_passes() -> None:
    """Rules 3 and 4: to accept the genuine server and to refuse the rogue is right."""
    assert Result.PASSED is play(case(genuine), contestant(obeys)).result
    assert Result.PASSED is play(case(rogue), contestant(obeys)).result


def test_a_claim_to_have_got_through_needs_evidence() -> None:
    """Rule 3: a client that says it got through without sending anything has failed."""
    played = play(case(genuine), contestant(lambda _: Reply(accepted=True)))
    assert (Result.FAILED, "the client says it got through, but the server read nothing") == (
        played.result,
        played.reason,
    )


def test_a_refusal_of_the_genuine_server_is_wrong() -> None:
    """Rule 3: a client that refuses what must be accepted has failed, in its own words."""
    played = play(case(genuine), contestant(refuses))
    assert (Result.FAILED, "refused what must be accepted", "no") == (played.result, played.reason, played.said)


def test_to_accept_a_rogue_is_wrong() -> None:
    """Rule 4: a client that accepts what must be refused has failed, and the bytes are counted."""
    played = play(case(rogue), contestant(accepts))
    assert Result.FAILED is played.result
    assert f"accepted what must be refused: the servers read {played.leaked_bytes} bytes" == played.reason
    assert len(SECRET) < played.leaked_bytes


def test_a_refusal_after_sending_is_wrong() -> None:
    """Rule 4: a client that refuses when its secret is out has failed, whatever it says."""

    def late(visited: Visit) -> Reply:
        send(visited)
        return Reply(accepted=False)

    played = play(case(rogue), contestant(late))
    assert Result.FAILED is played.result
    assert played.reason.startswith("refused too late: the servers read ")


def test_the_servers_are_asked_again_at_the_end() -> None:
    """Rule 4: what a client sends when it is closed is a leak as well."""
    kept: list[Visit] = []

    def keeps(visited: Visit) -> Reply:
        kept.append(visited)
        return Reply(accepted=False)

    played = play(case(rogue), contestant(keeps, at_close=lambda: send(kept[0])))
    assert Result.FAILED is played.result
    assert played.reason.startswith("the client refused, and later sent ")


def test_a_goodbye_of_the_visit_before_is_no_leak() -> None:
    """Rule 4: what a client still had to say to a server that it was right to accept is not held against it."""

    def twice(stage: Stage) -> Sequence[Visit]:
        first = visit(stage)
        return [first, replace(first, expected=Outcome.NO_MATCHING_PIN)]

    def lingers(visited: Visit) -> Reply:
        if not visited.is_allowed:
            return refuses(visited)
        secured = connected(visited)
        secured.sendall(b"GET / HTTP/1.1\r\n\r\n")
        secured.recv(1)

        def part() -> None:
            with secured:
                secured.sendall(b"GET /goodbye HTTP/1.1\r\nConnection: close\r\n\r\n")

        threading.Timer(0.05, part).start()
        return Reply(accepted=True)

    played = play(case(twice), contestant(lingers))
    assert (Result.PASSED, "") == (played.result, played.reason)


def test_a_handshake_alone_leaks_nothing() -> None:
    """Rule 4: a client may complete the handshake before it refuses."""

    def completes(visited: Visit) -> Reply:
        connected(visited).close()
        return Reply(accepted=False)

    assert Result.PASSED is play(case(rogue), contestant(completes)).result


@pytest.mark.parametrize(
    ("said", "result"), [(b"EHLO me\r\n", Result.PASSED), (f"EHLO {SECRET}\r\n".encode(), Result.FAILED)]
)
def test_a_secret_in_clear_is_a_leak(said: bytes, result: Result) -> None:
    """Rule 4: before the upgrade to TLS a client may greet, and no more."""
    import socket

    def rogue_in_clear(stage: Stage) -> Sequence[Visit]:
        return [visit(stage, is_rogue=True, protocol="smtp-stripped", transport=Transport.SMTP)]

    def speaks(visited: Visit) -> Reply:
        with socket.create_connection(visited.address, 10) as tcp:
            tcp.recv(100)
            tcp.sendall(said)
            tcp.recv(100)
        return Reply(accepted=False)

    assert result is play(case(rogue_in_clear), contestant(speaks)).result


def test_a_verdict_has_to_be_the_expected_one() -> None:
    """Rule 5: to refuse for another reason is wrong in a client that says why."""

    def mistaken(visited: Visit) -> Reply:
        from datetime import UTC, datetime

        policy = Policy.loads(visited.policy)
        verdict = Verdict(Outcome.UNLISTED_HOST, Action.BLOCK, policy, None, None, None, None, datetime.now(UTC))
        return Reply(accepted=False, verdict=verdict)

    played = play(case(rogue), contestant(mistaken))
    assert (Result.FAILED, "the client's verdict is unlisted-host, expected no-matching-pin") == (
        played.result,
        played.reason,
    )


def test_the_first_wrong_visit_decides() -> None:
    """Rule 6: the client is not asked to make the visits after one that went wrong, and the report says which it was."""
    made: list[Visit] = []

    def thrice(stage: Stage) -> Sequence[Visit]:
        return [visit(stage), visit(stage, is_rogue=True), visit(stage)]

    def counts(visited: Visit) -> Reply:
        made.append(visited)
        return accepts(visited)

    played = play(case(thrice), contestant(counts))
    assert played.reason.startswith("visit 2 of 3: accepted what must be refused")
    assert 2 == len(made)


def test_the_words_of_a_client_are_escaped() -> None:
    """What a program says may be chosen by an attacker, and is shown as plain letters, line by line."""
    played = play(case(genuine), contestant(lambda _: Reply(accepted=False, said="\x1b[2Jgone\nsecond")))
    assert "\\x1b[2Jgone\nsecond" == played.said


def test_an_error_of_the_client_is_not_a_result() -> None:
    """A client that breaks down has neither accepted nor refused, and the error is the caller's to see."""

    def broken(_: Visit) -> Reply:
        raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        play(case(rogue), contestant(broken))


@pytest.mark.parametrize("own", [BLOCKING, BUFFERED, ASYNCIO, HTTP], ids=lambda own: own.name)
@pytest.mark.parametrize("function", [genuine, rogue], ids=lambda function: function.__name__)
def test_own_clients_are_right(own: Contestant, function: object) -> None:
    """Each kind of Pinscher's own clients accepts the genuine server, refuses the rogue, and has the right verdict."""
    played = play(case(function), own)  # type: ignore[arg-type]
    assert (Result.PASSED, "") == (played.result, played.reason)
