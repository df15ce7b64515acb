"""The time that a connection has as a whole."""

from __future__ import annotations

import http.client
import socket
import ssl

import pytest

from pinscher.reports.deadline import closed_after


def _fail_late(failure: Exception) -> None:
    """Fail once the time of a connection is over."""
    ours, theirs = socket.socketpair()
    with ours, theirs, closed_after(ours, 0.05):
        assert b"" == ours.recv(1)
        raise failure


@pytest.mark.parametrize("failure", [ConnectionResetError(104, "reset"), http.client.IncompleteRead(b"")])
def test_what_fails_once_the_time_is_over_is_told_as_late(failure: Exception) -> None:
    """A connection that was cut here looks as if its other side had reset it, and is told as what it is."""
    with pytest.raises(TimeoutError, match=r"no whole answer within 0\.05 s") as told:
        _fail_late(failure)
    assert failure is told.value.__cause__


def test_what_fails_in_time_stays_what_it_is() -> None:
    """A failure before the end of the time is told as it came."""
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ConnectionResetError), closed_after(ours, 60):
        raise ConnectionResetError(104, "reset")


def test_a_refused_certificate_is_told_however_late() -> None:
    """A refusal is no matter of time."""
    with pytest.raises(ssl.SSLCertVerificationError):
        _fail_late(ssl.SSLCertVerificationError(1, "refused"))
