"""A forked child does not wait for a thread of its parent's."""

from __future__ import annotations

import os

import pytest

from tests.programs import said

FORKED = """
import os, signal
{made}
with {turn}.lock:
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        {act}
        os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process is forked here")
@pytest.mark.parametrize(
    ("made", "turn"),
    [
        ("from pinscher.turn import Turn; turn = Turn()", "turn"),
        ("from pinscher.store import argon", "argon._TURN"),
        ("from pinscher.tls import record", "record._RECORDING"),
        ("from pinscher.tls import registry", "registry._SWEEPING"),
    ],
    ids=["any", "a derivation by Argon2id", "a refusal that is recorded", "the dead that are swept"],
)
def test_a_child_has_its_turn_whoever_had_it(made: str, turn: str) -> None:
    """A process that is forked while another thread has its turn begins with a turn of its own."""
    assert "7" == said(FORKED.format(made=made, turn=turn, act=f"{turn}.lock.acquire()"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process is forked here")
def test_a_child_reads_refusals_while_its_parent_recorded_one() -> None:
    """What a context remembers can be read in a child that was forked while another thread recorded a refusal."""
    made = "from pinscher.tls import record; told = record.VerdictRecord(None)"
    assert "7" == said(FORKED.format(made=made, turn="record._RECORDING", act="told.refusals"))


def test_a_signal_that_asks_for_refusals_waits_for_nobody() -> None:
    """A handler of a signal reads a context's refusals although the thread that it interrupts was recording one."""
    made = "from pinscher.tls import record; told = record.VerdictRecord(None)"
    assert "()" == said(f"{made}\nwith record._RECORDING.lock:\n    print(told.refusals)")
