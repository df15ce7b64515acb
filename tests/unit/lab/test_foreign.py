"""Programs as clients under test, and what is left of them."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.errand import PlaceholderError
from pinscher.lab.foreign import program
from pinscher.lab.player import Result, play
from pinscher.lab.workplace import ProgramError, Workplace
from tests.unit.lab.cases import case, genuine, rogue, visit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage

OBEDIENT = """
import os, socket, ssl, sys
lab = {name[13:].lower(): value for name, value in os.environ.items() if name.startswith("PINSCHER_LAB_")}
if lab["expected"] == "refuse":
    sys.exit("\\033[31mrefused")
context = ssl.create_default_context(cafile=lab["ca_file"])
with socket.create_connection((lab["address"], int(lab["port"]))) as tcp:
    with context.wrap_socket(tcp, server_hostname=lab["host"]) as secured:
        secured.sendall(b"POST / HTTP/1.0\\r\\n\\r\\n" + lab["secret"].encode())
        secured.recv(100)
"""
"""A program that cheats: it does what is expected, as the environment says."""


@pytest.fixture
def workplace() -> Iterator[Workplace]:
    """A private folder for programs."""
    with Workplace() as place:
        yield place


def test_a_program_is_judged_by_exit_code_and_evidence(workplace: Workplace) -> None:
    """A program that gets through where it must and fails where it must passes."""
    contestant = program([sys.executable, "-I", "-c", _literal(OBEDIENT)], workplace=workplace)
    assert [Result.PASSED, Result.PASSED] == [play(case(one), contestant).result for one in (genuine, rogue)]


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


@pytest.mark.parametrize(("word", "reason"), [
    ("true", "the client says it got through, but the server read nothing"),
    ("false", "refused what must be accepted"),
])  # fmt: skip
def test_an_exit_code_alone_proves_nothing(workplace: Workplace, word: str, reason: str) -> None:
    """Exit 0 without a request is no success, and a refusal of the genuine server is none either."""
    assert reason == play(case(genuine), program([word], workplace=workplace)).reason


def test_the_words_of_a_program_are_kept_and_escaped(workplace: Workplace) -> None:
    """The report of a failure has the program's exit code and its words, without its escape sequences."""
    command = ["sh", "-c", r"printf '\033[2Jsorry'; exit 3"]
    assert "exit 3\n\\x1b[2Jsorry" == play(case(genuine), program(command, workplace=workplace)).said


def test_a_program_that_is_killed_says_by_what(workplace: Workplace) -> None:
    """A crash is a refusal in name only, and the report says which signal it was."""
    assert "killed by signal 11" == play(case(genuine), program(["sh", "-c", "kill -11 $$"], workplace=workplace)).said


def test_state_is_kept_over_the_visits_of_a_case(workplace: Workplace) -> None:
    """A program that has to remember something between visits has a folder for it, and not beyond the case."""

    def twice(stage: Stage) -> Sequence[Visit]:
        return [visit(stage, is_rogue=True), visit(stage, is_rogue=True)]

    note = "if test -e {state}/note; then echo found; exit 0; else touch {state}/note; exit 1; fi"
    contestant = program(["sh", "-c", note], workplace=workplace)
    assert "visit 2 of 2: accepted what must be refused" == play(case(twice), contestant).reason
    assert "visit 2 of 2: accepted what must be refused" == play(case(twice), contestant).reason
    assert [] == list(workplace.folder.iterdir())


def test_a_time_limit_kills_the_whole_group(workplace: Workplace, tmp_path: Path) -> None:
    """A program that hangs is killed with everything that it started."""
    written = tmp_path / "pid"
    command = ["sh", "-c", f"sleep 600 & echo $! > {written}.new; mv {written}.new {written}; wait"]
    played = play(case(rogue), program(command, workplace=workplace), limit=1)
    assert Result.HUNG is played.result
    assert not _is_running(int(written.read_text()))


def test_what_a_program_leaves_behind_is_killed(workplace: Workplace, tmp_path: Path) -> None:
    """A program that ends in time takes its background processes with it."""
    written = tmp_path / "pid"
    play(case(rogue), program(["sh", "-c", f"sleep 600 & echo $! > {written}; exit 1"], workplace=workplace))
    assert not _is_running(int(written.read_text()))


def _is_running(number: int) -> bool:
    """Tell whether a process runs; one that was killed may wait for somebody to take note of it."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{number}/stat").read_text().rpartition(") ")[2][0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state == "Z":
            return False
        threading.Event().wait(0.01)
    return True


def test_a_program_that_is_not_there_is_an_error(workplace: Workplace) -> None:
    """A command that cannot be run is no client that refuses."""
    with pytest.raises(ProgramError, match="cannot run 'no-such-program': no such file or directory"):
        play(case(rogue), program(["no-such-program"], workplace=workplace))


def test_a_placeholder_is_checked_before_anything_is_run(workplace: Workplace) -> None:
    """A mistake in the command is found at once."""
    with pytest.raises(PlaceholderError):
        program(["curl", "{adress}"], workplace=workplace)


def test_the_folder_is_private_and_goes_away() -> None:
    """Only this user can look into the folder, and it is gone afterwards."""
    with Workplace() as workplace:
        assert 0o700 == stat.S_IMODE(workplace.folder.stat().st_mode)
        assert 0o700 == stat.S_IMODE(workplace.subfolder().stat().st_mode)
    assert not workplace.folder.exists()


def test_a_closed_workplace_starts_nothing() -> None:
    """After an interruption no further program is run."""
    with Workplace() as workplace:
        workplace.stop()
        with pytest.raises(ProgramError, match="closing"):
            play(case(rogue), program(["true"], workplace=workplace))


CRASHING = """
import sys, threading
from pinscher.lab.workplace import Workplace
with Workplace() as workplace:
    folder = workplace.subfolder()
    running = workplace.start(["sleep", "600"], environment={"PATH": "/usr/bin:/bin"}, output=folder / "output.txt")
    print(workplace.folder, running.number, flush=True)
    threading.Event().wait(60)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_after_a_crash(end: signal.Signals) -> None:
    """However the lab ends, killed outright even, its files and the programs under test go with it."""
    lab = subprocess.Popen(
        [sys.executable, "-c", CRASHING],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert lab.stdout is not None
    folder, number = lab.stdout.readline().split()
    assert Path(folder).is_dir()
    os.kill(lab.pid, end)
    lab.wait(20)
    lab.stdout.close()
    assert not _is_running(int(number))
    for _ in range(500):
        if not Path(folder).exists():
            break
        threading.Event().wait(0.01)
    assert not Path(folder).exists()
