"""``pinscher lab list``, ``run`` and ``score``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from defusedxml.ElementTree import fromstring

from pinscher.cli.app import run
from pinscher.cli.lab import COMMANDS
from pinscher.lab.peers import PEERS
from pinscher.lab.scenario import Capability
from pinscher.lab.scenarios import SCENARIOS

FAMILY = next(
    one.family for one in SCENARIOS.values() if one.is_positive and not one.needs
    and any(other.family == one.family and not other.is_positive and not other.needs for other in SCENARIOS.values())
)  # fmt: skip
"""A family in which a simple client has something to accept and something to refuse."""
MEMBERS = [one for one in SCENARIOS.values() if one.family == FAMILY]
POSITIVE = next(one for one in MEMBERS if one.is_positive and not one.needs)
NEGATIVE = next(one for one in MEMBERS if not one.is_positive and not one.needs)
CURL = ["curl", "-sS", "--connect-to", "::{address}:", "-d", "{secret}", "{url}"]
PINNED = [*CURL, "--pinnedpubkey", "{curl_pins}"]


def answer(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """Run a command of the lab with ``--json`` and return its exit code and its answer."""
    code = run(["lab", arguments[0], "--json", *arguments[1:]])
    return code, json.loads(capfd.readouterr().out)


def play(*command: str, capfd: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """Play a program against one scenario that must be refused, and its family's positive ones."""
    return answer(["run", "--scenario", NEGATIVE.id, "--scenario", POSITIVE.id, "--", *command], capfd)


def test_every_scenario_is_listed(capfd: pytest.CaptureFixture[str]) -> None:
    """The list names every scenario with its title, and the JSON has the documented fields."""
    code, listed = answer(["list"], capfd)
    assert 0 == code
    assert [one.id for one in SCENARIOS.values()] == [one["id"] for one in listed["scenarios"]]
    fields = {
        "id",
        "family",
        "title",
        "description",
        "chain",
        "links",
        "expected",
        "accept",
        "reported",
        "needs",
        "cases",
    }
    assert fields == set(listed["scenarios"][0])
    assert 0 == run(["lab", "list"])
    shown = capfd.readouterr().out
    assert all(one.title in shown for one in SCENARIOS.values())
    assert f"{len(SCENARIOS)} scenarios, {sum(len(one.cases) for one in SCENARIOS.values())} cases" in shown


def test_material_and_schema_are_for_another_harness(capfd: pytest.CaptureFixture[str]) -> None:
    """``--material`` has what each visit needs, in the form that ``--schema`` describes."""
    code, material = answer(["list", "--material", "--family", FAMILY], capfd)
    assert (0, True) == (code, material["has_material"])
    assert all(case["visits"] for one in material["scenarios"] for case in one["cases"])
    code, described = answer(["list", "--schema"], capfd)
    assert 0 == code
    jsonschema.validate(material, described)


def test_a_family_is_listed_alone(capfd: pytest.CaptureFixture[str]) -> None:
    """``--family`` chooses."""
    _, listed = answer(["list", "--family", FAMILY], capfd)
    assert [one.id for one in MEMBERS] == [one["id"] for one in listed["scenarios"]]


def test_a_pinned_program_passes(capfd: pytest.CaptureFixture[str]) -> None:
    """With its pin curl accepts the genuine server and refuses the other: exit 0."""
    code, card = play(*PINNED, capfd=capfd)
    by_id = {case["scenario"]: case["result"] for case in card["cases"]}
    assert (0, "passed", "passed") == (code, by_id[POSITIVE.id], by_id[NEGATIVE.id]), card
    assert {"client", "note", "score", "families", "cases"} == set(card)
    documented = {"case", "scenario", "family", "expected", "result", "reason", "leaked-bytes", "said", "seconds"}
    assert documented == set(card["cases"][0])


def test_an_unpinned_program_fails(capfd: pytest.CaptureFixture[str]) -> None:
    """Without a pin curl gives its secret away: exit 1, and the bytes are counted."""
    code, card = play(*CURL, capfd=capfd)
    leaked = [case["leaked-bytes"] for case in card["cases"] if case["scenario"] == NEGATIVE.id]
    assert 1 == code
    assert 0 < min(leaked)


def test_a_program_that_refuses_everything_scores_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """The refusals of a program that refuses the genuine server too are void."""
    code, card = play("false", capfd=capfd)
    assert (1, 0) == (code, card["score"]["passed"])
    assert {"void"} == {case["result"] for case in card["cases"] if case["scenario"] == NEGATIVE.id}


def test_nothing_to_judge_is_no_answer(capfd: pytest.CaptureFixture[str]) -> None:
    """Where the program can do nothing of what is asked: exit 2, and a hint at ``--can``."""
    needing = {one.family for one in SCENARIOS.values()} - {one.family for one in SCENARIOS.values() if not one.needs}
    assert needing
    assert 2 == run(["lab", "run", "--family", min(needing), "--", "false"])
    shown = capfd.readouterr()
    assert "nothing could be judged" in shown.out
    assert "say so with --can" in shown.err


def test_a_negative_scenario_brings_its_positives(capfd: pytest.CaptureFixture[str]) -> None:
    """A refusal counts only beside what must be accepted, so that is played too, and said."""
    assert 0 == run(["lab", "run", "--scenario", NEGATIVE.id, "--", *PINNED])
    shown = capfd.readouterr()
    assert "also played, because a refusal counts only beside what must be accepted: " in shown.err
    assert POSITIVE.id in shown.err
    assert "that count came out as they must" in shown.out


def test_a_failure_is_told_with_the_programs_words(capfd: pytest.CaptureFixture[str]) -> None:
    """The table names what went wrong, why, and what the program said, escaped."""
    words = ["sh", "-c", r"printf '\033[2Jno thanks'; exit 9"]
    assert 1 == run(["lab", "run", "--scenario", POSITIVE.id, "--", *words])
    shown = capfd.readouterr().out
    assert f"FAILED {POSITIVE.cases[0].id}: refused what must be accepted" in shown
    assert "  | exit 9\n  | \\x1b[2Jno thanks" in shown.replace("\\\\", "\\")


def test_junit_is_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """``--junit`` writes the same results for a build server."""
    report = tmp_path / "report.xml"
    assert 1 == run(["lab", "run", "--scenario", POSITIVE.id, "--junit", str(report), "--", "false"])
    suite = fromstring(report.read_bytes()).find("testsuite")
    assert suite is not None
    assert (FAMILY, suite.get("tests")) == (suite.get("name"), suite.get("failures"))


def test_a_hang_is_a_failure(capfd: pytest.CaptureFixture[str]) -> None:
    """A program that does not end is killed after ``--timeout``, and has failed."""
    code, card = answer(["run", "--scenario", POSITIVE.id, "--timeout", "0.2", "--", "sleep", "600"], capfd)
    assert (1, {"hung"}) == (code, {case["result"] for case in card["cases"]})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "missing argument"),
        (["run", "--scenario", "nothing-like-it", "--", "true"], "there is no scenario 'nothing-like-it'"),
        (["run", "--scenario", NEGATIVE.id + "x", "--", "true"], f"did you mean '{NEGATIVE.id}'?"),
        (["list", "--family", "nobody"], "there is no family 'nobody'"),
        (["run", "--can", "fly", "--", "true"], "'fly' is none of names, policy"),
        (["run", "--", "curl", "{adress}"], "'{adress}' has braces that stand for nothing"),
        (["run", "--scenario", POSITIVE.id, "--", "no-such-program"], "cannot run 'no-such-program'"),
        (["run", "--scenario", POSITIVE.id, "--junit", "/nowhere/x", "--", "false"], "cannot write '/nowhere/x'"),
        (["score", "--peer", "nobody"], "'nobody' is not one of"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str, capfd: pytest.CaptureFixture[str]) -> None:
    """What cannot be understood or found gives no answer, and says so in a line."""
    assert 2 == run(["lab", *arguments])
    assert message in capfd.readouterr().err


def test_every_capability_is_documented(capfd: pytest.CaptureFixture[str]) -> None:
    """The help of ``lab run`` names every word that ``--can`` takes."""
    assert 0 == run(["lab", "run", "--help"])
    shown = capfd.readouterr().out
    assert all(f"  {one.value}\n" in shown for one in Capability)


def test_the_score_stands_side_by_side(capfd: pytest.CaptureFixture[str]) -> None:
    """Pinscher's own client comes first and gets everything right; the control, which pins nothing, does not."""
    code, told = answer(["score", "--scenario", NEGATIVE.id], capfd)
    assert 0 == code
    assert ["pinscher, blocking socket", *PEERS] == [card["client"] for card in told["clients"]]
    assert {} == told["missing"]
    wrong = {card["client"]: card["score"]["wrong"] for card in told["clients"]}
    assert 0 == wrong["pinscher, blocking socket"]
    assert 0 < wrong["plain-ssl"]


def test_what_a_peer_cannot_express_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    """What a peer has no way to say is told in words, and not counted."""
    assert 0 == run(["lab", "score", "--scenario", NEGATIVE.id, "--peer", "urllib3"])
    shown = capfd.readouterr().out
    assert "cannot express" in shown
    assert "takes the hash of a whole certificate, not of a key" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    """The reference of the command line holds the help of each command of the lab."""
    printed = subprocess.run(
        [sys.executable, "-m", "pinscher.cli", "lab", command, "--help"],
        capture_output=True, text=True, check=True, env={"COLUMNS": "80", "PATH": "/usr/bin:/bin"},
    ).stdout  # fmt: skip
    page = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"
    assert printed.replace("python -m pinscher.cli", "pinscher") in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, end: signal.Signals) -> None:
    """Interrupted or told to end, the lab kills the program under test and removes the files of its case."""
    script = f"echo $$ {{state}} > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/started; exec sleep 600"
    lab = subprocess.Popen(
        [sys.executable, "-m", "pinscher.cli", "lab", "run", "--scenario", POSITIVE.id, "--jobs", "1", "--timeout", "60",
         "--", "sh", "-c", script],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    while not (tmp_path / "started").exists():
        assert lab.poll() is None, lab.stderr and lab.stderr.read()
        threading.Event().wait(0.01)
    number, state = (tmp_path / "started").read_text().split()
    lab.send_signal(end)
    _, said = lab.communicate(timeout=30)
    assert lab.returncode == (130 if end is signal.SIGINT else -end), said
    for _ in range(500):
        if not Path(state).exists() and not _is_running(int(number)):
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"{state} or {number} is left: {os.listdir(Path(state).parent)}")


def _is_running(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
