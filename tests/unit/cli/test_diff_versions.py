"""``pinscher diff --deployments``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main

if TYPE_CHECKING:
    from pathlib import Path

A, B, C = (f"sha256/{letter * 43}=" for letter in "AEI")
HEAD = 'format = 1\nname = "bank"\nversion = {}\n'
PINNED = '[hosts."{}"]\npins = ["{}"]\nbackup-pins = ["{}"]\n'
HOST = "api.bank.example"
BASE = ["diff", "old.toml", "new.toml", "--accept=key-accepted", "--deployments", "deployments.toml"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a policy, the next one without a key of the first, and an inventory of both."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "oldest.toml").write_text(HEAD.format(1) + f'[hosts."{HOST}"]\npins = ["{A}"]\n')
    (tmp_path / "old.toml").write_text(HEAD.format(2) + PINNED.format(HOST, A, B))
    (tmp_path / "new.toml").write_text(HEAD.format(3) + PINNED.format(HOST, B, C))
    rows = [("1.0", "oldest", "share = 0.05"), ("1.1", "oldest", ""), ("2.0", "old", "share = 0.5"), ("3.0", "new", "")]
    (tmp_path / "deployments.toml").write_text(
        "format = 1\n"
        + "".join(
            f'[[deployments]]\napplication = "bank|app"\nversion = "{version}"\npolicy = "{file}.toml"\n{more}\n'
            for version, file, more in rows
        )
    )
    return tmp_path


def test_stranded_versions_are_a_bad_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """A version without any key of the new policy is stranded, which makes exit 1 until that is accepted by name."""
    assert 1 == main(BASE)
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert f"  STRANDED  bank|app 1.0 (5 %)   for {HOST} it accepts no key that version 3 accepts" in lines
    assert "  differs   bank|app 2.0 (50 %)" in lines
    assert "  same      bank|app 3.0" in lines
    told = f"    loses: {HOST}: does not accept {A} any more: a server that shows no other pinned key is refused"
    assert 3 == lines.count(f"{told} [key-dropped]")
    assert "refuse servers that follow version 3: an unknown share of the users of bank|app" == lines[-1]
    assert "accept that with --accept=no-common-key" in err
    assert 0 == main([*BASE, "--accept=no-common-key"])


def test_share_of_the_stranded_is_told_where_it_is_known(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The users of the stranded versions are counted by application."""
    path = folder / "deployments.toml"
    path.write_text(path.read_text().replace('"oldest.toml"\n\n', '"oldest.toml"\nshare = 0.02\n'))
    assert 1 == main(BASE)
    assert "refuse servers that follow version 3: 7 % of the users of bank|app" in capsys.readouterr().out
    assert 1 == main([*BASE, "--markdown"])
    assert "**7 %** of the users of `bank\\x7capp` refuse servers that follow version 3." in capsys.readouterr().out


def test_json_has_what_the_help_says(capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON has a row for each released version, and the shares of those who are stranded."""
    assert 1 == main([*BASE, "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert [True, True, True, False] == [one["differs"] for one in answer["versions"]]
    assert [[HOST], [HOST], [], []] == [one["stranded"] for one in answer["versions"]]
    first = answer["versions"][0]
    assert ["file", "application", "version", "share", "differs", "stranded", "losses"] == list(first)
    assert ("oldest.toml", "bank|app", "1.0", "0.05") == tuple(first.values())[:4]
    assert ["key-dropped", "no-common-key"] == [one["kind"] for one in first["losses"]]
    assert {"bank|app": None} == answer["stranded_shares"]


def test_markdown_keeps_names_in_code_spans(capsys: pytest.CaptureFixture[str]) -> None:
    """In a comment each version is a line, and what somebody named stands in a code span."""
    assert 1 == main([*BASE, "--markdown"])
    lines = capsys.readouterr().out.splitlines()
    assert f"- `bank\\x7capp 1.0 (5 %)` **STRANDED**: `for {HOST} it accepts no key that version 3 accepts`" in lines
    assert "- `bank\\x7capp 3.0` same" in lines
    assert "**an unknown share** of the users of `bank\\x7capp` refuse servers that follow version 3." in lines


def test_many_stranded_hosts_are_cut_short(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A version that is stranded on many hosts names three of them; the JSON names all."""
    hosts = [f"h{number}.example" for number in range(5)]
    for file, version, pins in (("oldest", 1, (A, C)), ("old", 2, (A, B)), ("new", 3, (B, "sha256/" + "M" * 43 + "="))):
        (folder / f"{file}.toml").write_text(HEAD.format(version) + "".join(PINNED.format(one, *pins) for one in hosts))
    assert 1 == main(BASE)
    assert "for h0.example, h1.example, h2.example and 2 more it accepts no key" in capsys.readouterr().out


def test_inventory_that_cannot_be_read_is_no_answer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An inventory's mistake is one error with its line."""
    (folder / "deployments.toml").write_text('format = 1\n[[deployments]]\napplication = "x"\n')
    assert 2 == main(BASE)
    told = capsys.readouterr()
    assert ("", 1) == (told.out, told.err.count("error:"))
    assert "deployments.toml:2: deployments[0].policy: expected a text in quotes" in told.err
