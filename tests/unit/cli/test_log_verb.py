"""``pinscher log``."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pinscher.cli import main
from pinscher.policy import Policy
from pinscher.updates.log import LogWriter, NoteSigner, pin_set_entry

if TYPE_CHECKING:
    from pathlib import Path

SIGNER = NoteSigner("pins.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
KEY = f"--key={SIGNER.verifier}"
POLICY = Policy.loads(f'format = 1\nname = "bank"\nversion = 7\n[hosts."a.example"]\npins = ["sha256/{"A" * 43}="]\n')


@pytest.fixture
def writer(tmp_path: Path) -> LogWriter:
    """Return a log with a policy and something else in it."""
    made = LogWriter(tmp_path / "log", SIGNER)
    odd = [
        b"\x1b[31mred",
        b'{"digest": 1, "name": "x", "version": 1}',
        b'{"digest": "' + b"0" * 64 + b'", "name": 1, "version": 1}',
    ]
    made.append([pin_set_entry(POLICY), *odd])
    return made


def test_verify_remembers_a_good_head(writer: LogWriter, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A whole log is a good answer, and its head is remembered and held to the next one."""
    arguments = ["log", "verify", str(tmp_path / "log"), KEY, f"--head={tmp_path / 'head'}"]
    assert 0 == main(arguments)
    assert (tmp_path / "log" / "checkpoint").read_bytes() == (tmp_path / "head").read_bytes()
    assert "whole: 1 tile leads to the head that is signed\n  head  pins.example/log 4 " in capsys.readouterr().out
    writer.append([b"more"])
    assert 0 == main([*arguments, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert (True, 5, 4, 1, False, None) == (
        document["good"], document["head"]["size"], document["seen"]["size"], document["tiles"], document["forked"],
        document["error"],
    )  # fmt: skip
    assert 0 == main(arguments)
    assert "which is how it began" in capsys.readouterr().out


def test_split_view_is_a_bad_answer(writer: LogWriter, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log that contradicts the head that was seen is exit 1 with both heads, and the head that was seen stays."""
    shutil.copytree(tmp_path / "log", tmp_path / "victim")
    LogWriter(tmp_path / "victim", SIGNER).append([b"private"])
    writer.append([b"public"])
    seen = (tmp_path / "victim" / "checkpoint").read_bytes()
    (tmp_path / "head").write_bytes(seen)
    arguments = ["log", "verify", str(tmp_path / "log"), KEY, f"--head={tmp_path / 'head'}"]
    assert 1 == main(arguments)
    told = capsys.readouterr()
    assert "FORKED: the log has forked: two roots" in told.out or "first 5 entries" in told.out
    assert "they are the evidence" in told.err
    assert seen == (tmp_path / "head").read_bytes()
    assert 1 == main([*arguments, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert (False, True, None) == (document["good"], document["forked"], document["head"])


def test_a_damaged_mirror_is_a_bad_answer(
    writer: LogWriter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mirror with a changed tile is exit 1, and no fork."""
    (tmp_path / "log" / "tile" / "0" / "000.p" / "4").write_bytes(bytes(128))
    assert 1 == main(["log", "verify", str(tmp_path / "log"), KEY])
    assert capsys.readouterr().out.startswith("BAD: tile/0/000.p/4 does not say")


def test_what_cannot_be_reached_is_no_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without a log, an odd key and an empty file of a head are no answers."""
    assert 2 == main(["log", "verify", str(tmp_path), KEY])
    assert "there is no log" in capsys.readouterr().err
    assert 2 == main(["log", "verify", str(tmp_path), "--key=x"])
    assert "no verifier key" in capsys.readouterr().err
    (tmp_path / "head").touch()
    assert 2 == main(["log", "verify", str(tmp_path), KEY, f"--head={tmp_path / 'head'}"])
    assert "found nothing" in capsys.readouterr().err


def test_show_names_policies(writer: LogWriter, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Policies are shown by name, version and digest, and anything else escaped."""
    assert 0 == main(["log", "show", str(tmp_path / "log"), KEY])
    told = capsys.readouterr().out.splitlines()
    assert [
        "pins.example/log: 4 in it",
        f"       0  bank version 7  {POLICY.digest}",
        r"       1  \x1b[31mred",
    ] == told[:3]
    assert 0 == main(["log", "show", "--json", "--last=4", str(tmp_path / "log"), KEY])
    document = json.loads(capsys.readouterr().out)
    assert [True, False, False, False] == [row["policy"] is not None for row in document["entries"]]
    assert 4 == document["head"]["size"]
    assert 0 == main(["log", "show", "--last=1", str(tmp_path / "log"), KEY])
    assert 2 == len(capsys.readouterr().out.splitlines())
