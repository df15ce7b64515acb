"""``pinscher plan``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main
from pinscher.lab.encoding import pem
from tests.unit.rotation.survival.worlds import UNREADABLE, leaf

if TYPE_CHECKING:
    from pathlib import Path

BASE = ["plan", "api.bank.example", "--at", "2026-11-21"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that the command runs in, with a curve."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "adoption.csv").write_text("day,share\n0,5\n3,60\n14,97\n30,99.95\n")
    return tmp_path


def test_json_has_what_the_help_says(capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON has the certificates, the keys' days and the steps with what follows from their lateness."""
    assert 0 == main([*BASE, "--lifetime", "47", "--adoption", "adoption.csv", "--refresh", "24", "--json"])
    answer = json.loads(capsys.readouterr().out)
    names = ["host", "start", "until", "share", "lead_days", "adoption", "calendar", "certificates", "keys", "steps"]
    assert names == list(answer)
    assert [[0, 5], [3, 60], [14, 97], [30, 99.95]] == answer["adoption"]
    assert ("2026-11-21", "2027-11-21", 99.9, 31) == tuple(
        answer[name] for name in ("start", "until", "share", "lead_days")
    )
    assert {
        "key": 0,
        "pin_by": None,
        "serves_from": "2026-11-21",
        "serves_until": "2026-12-22",
        "unpin_from": "2026-12-29",
    } == answer["keys"][0]
    assert {"on": "2026-11-21", "expires": "2027-01-07", "key": 0} == answer["certificates"][0]
    assert ["pin", "pin", "switch", "unpin"] == [step["kind"] for step in answer["steps"][:4]]
    step = answer["steps"][0]
    assert ["on", "kind", "key", "text", "late", "breaks_on", "versions", "shares", "unclear", "clients"] == list(step)
    assert (None, None, None) == (step["versions"], step["shares"], step["unclear"])


def test_files_are_written_and_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The picture and the calendar are written, and written anew over their own earlier selves."""
    arguments = [*BASE, "--refresh", "24", "--svg", "plan.svg", "--ics", "plan.ics"]
    assert (0, 0) == (main([*arguments, "--days", "50"]), main(arguments))
    assert (folder / "plan.svg").read_text().startswith("<svg xmlns=")
    assert (folder / "plan.ics").read_bytes().startswith(b"BEGIN:VCALENDAR\r\n")
    assert ["adoption.csv", "plan.ics", "plan.svg"] == sorted(path.name for path in folder.iterdir())
    capsys.readouterr()
    assert 2 == main([*BASE, "--refresh", "24", "--svg", "nowhere/plan.svg"])
    assert "cannot write 'nowhere/plan.svg'" in capsys.readouterr().err


def test_certificate_in_use_begins_the_plan(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The days of the certificate in use are read from its file."""
    (folder / "server.pem").write_bytes(pem("CERTIFICATE", leaf("x").der))
    assert 0 == main([*BASE, "--refresh", "1", "--cert", "server.pem", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert {"on": "2026-11-11", "expires": "2027-02-09", "key": 0} == answer["certificates"][0]


def test_calendar_of_the_user_replaces_the_schedule(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A user's limits on lifetimes are taken, and their source is shown."""
    limits = {
        "format": 1,
        "source": "our own CA\x1b",
        "date": "2026-01-01",
        "limits": [{"from": "2020-01-01", "days": 7}],
    }
    (folder / "own.json").write_text(json.dumps(limits))
    assert 0 == main([*BASE, "--refresh", "24", "--days", "5", "--calendar", "own.json"])
    out = capsys.readouterr().out
    assert "lifetimes: our own CA\\x1b (2026-01-01)" in out
    assert "2026-11-25  switch  serve key 1 with a new certificate until 2026-12-02" in out


@pytest.mark.parametrize(
    ("arguments", "content", "message"),
    [
        (["--adoption", "file"], b"rubbish", "file: not CSV of day,share"),
        (["--refresh", "1", "--calendar", "file"], b"{", "file: not JSON"),
        (["--refresh", "1", "--cert", "file"], b"rubbish", "file: expected a certificate"),
        (
            ["--refresh", "1", "--cert", "file"],
            pem("CERTIFICATE", leaf("x", hosts=["other.example"]).der),
            "the first certificate of 'file' is not for api.bank.example",
        ),
        (["--refresh", "nan"], b"", "a refresh takes 0 to"),
        (["--refresh", "1", "--lifetime", "0"], b"", "invalid value for '--lifetime'"),
        (["--refresh", "1", "--renew-at", "nan"], b"", "renewed between"),
        (["--refresh", "1", "--at", "9999-12-01"], b"", "begins before 9500"),
        (["--refresh", "1", "--share", "nan"], b"", "a share of the clients is more than 0"),
    ],
)
def test_bad_input_is_one_clear_error(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], content: bytes, message: str
) -> None:
    """What cannot be planned is one error in words, and no answer."""
    (folder / "file").write_bytes(content)
    assert 2 == main([*BASE, *arguments])
    told = capsys.readouterr()
    assert ("", 1) == (told.out, told.err.count("error:"))
    assert message in told.err


@pytest.mark.parametrize("host", ["bad host", "a..b", "*.bank.example", ""])
def test_a_host_that_is_none_is_one_clear_error(capsys: pytest.CaptureFixture[str], host: str) -> None:
    """A plan is for one host that there can be, whatever else is given."""
    assert 2 == main(["plan", host, "--refresh", "1"])
    told = capsys.readouterr()
    assert ("", True) == (told.out, told.err.startswith(f"pinscher: error: host '{host}' cannot be used: "))
    assert 1 == told.err.count("error:")


def test_a_host_is_planned_for_in_its_one_form(capsys: pytest.CaptureFixture[str]) -> None:
    """However a host is spelt, the plan names it as a policy does."""
    assert 0 == main(["plan", "API.Bank.Example.", "--refresh", "1", "--json"])
    assert "api.bank.example" == json.loads(capsys.readouterr().out)["host"]


def test_unreadable_dates_are_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A certificate without readable dates cannot begin a plan."""
    (folder / "server.pem").write_bytes(pem("CERTIFICATE", UNREADABLE.replace(b"350101000000Z", b"35010100000xZ")))
    assert 2 == main([*BASE, "--refresh", "1", "--cert", "server.pem"])
    assert "the dates of the certificate in 'server.pem' cannot be read" in capsys.readouterr().err
