"""Streams that take nothing, while a verb speaks; the rules are those of ``cli/voice.py``."""

from __future__ import annotations

import errno
import io
import sys
from typing import TYPE_CHECKING

import pytest

from pinscher.cli.voice import ReaderGoneError, UnwrittenAnswerError, Voice

if TYPE_CHECKING:
    from collections.abc import Callable


class Full(io.StringIO):
    """A stream on a disk that is full."""

    refusal = OSError(errno.ENOSPC, "No space left on device")

    def write(self, _text: str, /) -> int:
        """Take nothing."""
        raise self.refusal


class Left(Full):
    """A stream whose reader has left."""

    refusal = BrokenPipeError(errno.EPIPE, "Broken pipe")


SPOKEN: dict[str, Callable[[Voice], None]] = {
    "a line": lambda voice: voice.answer("an answer"),
    "a document": lambda voice: voice.document({"an": "answer"}),
    "one document of many": lambda voice: voice.line({"an": "answer"}),
}


@pytest.mark.parametrize("speak", SPOKEN.values(), ids=SPOKEN)
def test_an_answer_that_cannot_be_written_is_an_error(
    speak: Callable[[Voice], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk takes no answer, and the error says so; a reader who left is no error (rules 5 and 6)."""
    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(UnwrittenAnswerError, match="standard output cannot be written: no space left on device"):
        speak(Voice())
    monkeypatch.setattr(sys, "stdout", Left())
    with pytest.raises(ReaderGoneError):
        speak(Voice())


def test_a_remark_that_cannot_be_written_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is said about an answer never keeps the answer back (rule 6)."""
    monkeypatch.setattr(sys, "stderr", Full())
    voice = Voice()
    voice.warning("a warning")
    voice.note("a note")
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert voice.confirm("is it?")
    voice.answer("the answer")
    assert "the answer\n" == capsys.readouterr().out
