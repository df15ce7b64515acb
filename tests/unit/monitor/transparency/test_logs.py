"""A list of logs: what is followed, and what is refused before anything is."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.lab.keys import SigningKey
from pinscher.lab.transparency import CtLog
from pinscher.monitor.transparency.logs import LARGEST_LIST, InvalidLogListError, load_logs, read_logs
from tests.unit.monitor.scene import AT

if TYPE_CHECKING:
    from pathlib import Path

LOG = CtLog()


def changed(*, is_tiled: bool = False, **changes: Any) -> bytes:
    """Return a list of one log with other values."""
    listed = json.loads(LOG.listed("https://log.example/", is_tiled=is_tiled))
    (log,) = listed["operators"][0]["tiled_logs" if is_tiled else "logs"]
    log |= changes
    return json.dumps(listed).encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[]", "no list of logs of version 3"),
        (b'{"operators": []}', "0 logs to follow, expected from 1 to 256"),
        (b" " * (LARGEST_LIST + 1), "a list of more than 8388608 octets"),
        (changed(log_id=base64.b64encode(bytes(32)).decode()), "has a log_id that is not the SHA-256 of its key"),
        (changed(key="AAAA", log_id=""), "has a key that is neither P-256 nor RSA of 2048 bits or more"),
        (
            changed(key=base64.b64encode(SigningKey.kept("p384", "log").spki).decode(), log_id=""),
            "has a key that is neither P-256",
        ),
        (changed(url="http://log.example/"), "expected https://"),
        (changed(url="http://127.0.0.1/"), "expected https://"),
        (changed(url="https://user@log.example/"), "expected no user, query or fragment"),
        (changed(url="https://log.example/?x"), "expected no user, query or fragment"),
        (changed(url="https://log.example:0/"), "expected no user, query or fragment"),
        (changed(url="https:///"), "has the address 'https:///'"),
        (changed(url="https://log.example:x/"), "has the address"),
        (changed(url="\x1b[31m"), r"has the address '\\x1b\[31m'"),
        (changed(is_tiled=True, submission_url="log.example"), "has no submission_url that it could sign by"),
        (changed(is_tiled=True, submission_url="https://a b"), "has no submission_url"),
        (changed(is_tiled=True, monitoring_url=""), "has the address ''"),
        (changed().replace(b'"logs": [', b'"logs": [' + json.dumps(json.loads(changed())["operators"][0]["logs"][0]).encode() + b","), "two logs with one key"),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_followed_is_refused(content: bytes, reason: str) -> None:
    """A list that is none, a key of another kind and an address that is not public and encrypted are refused by name."""
    with pytest.raises(InvalidLogListError, match=reason):
        read_logs(content, at=AT)


def test_plain_http_is_for_this_machine_alone() -> None:
    """Where private addresses are allowed, http leads to the loopback and nowhere else."""
    for url in ("http://127.0.0.1:1", "http://localhost", "http://[::1]"):
        assert url == read_logs(changed(url=url), at=AT, allow_private=True)[0].url
    with pytest.raises(InvalidLogListError, match="expected https://"):
        read_logs(changed(url="http://10.0.0.1"), at=AT, allow_private=True)


def test_a_file_is_named_in_what_is_refused(tmp_path: Path) -> None:
    """A file that is missing, or holds no list, is told with its name."""
    file = tmp_path / "logs.json"
    with pytest.raises(InvalidLogListError, match=r"logs\.json: no such file or directory"):
        load_logs(file, at=AT)
    file.write_bytes(b"{}")
    with pytest.raises(InvalidLogListError, match=r"logs\.json: no list of logs"):
        load_logs(file, at=AT)
    file.write_bytes(changed(temporal_interval={"end_exclusive": "2027-01-01T00:00:00"}))
    (log,) = load_logs(file, at=AT)
    assert ("lab log log.lab.example/2026", LOG.id) == (log.name, log.id)


@given(st.binary(max_size=64), st.integers(0, 400))
def test_any_list_is_read_or_refused(octets: bytes, place: int) -> None:
    """Any octets are a list, or are refused with this file's own error."""
    content = changed()
    for one in (octets, content[:place] + octets + content[place + 1 :]):
        try:
            read_logs(one, at=AT)
        except InvalidLogListError:
            continue
