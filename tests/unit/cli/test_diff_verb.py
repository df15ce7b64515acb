"""``pinscher diff``."""

from __future__ import annotations

import io
import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main
from pinscher.cli.diff import code
from pinscher.policy import Policy

if TYPE_CHECKING:
    from pathlib import Path

A, B, C = (f"sha256/{letter * 43}=" for letter in "AEI")
OLD = f'format = 1\nname = "bank"\nversion = 1\n[hosts."api.bank.com"]\npins = ["{A}"]\nbackup-pins = ["{B}"]\n'
NEXT = OLD.replace("version = 1", "version = 2")


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """Return a folder with a policy and what may become of it."""
    for name, text in {
        "old": OLD,
        "denied": NEXT + f'denied-keys = ["{C}"]\n',
        "added": NEXT.replace(f'["{B}"]', f'["{B}", "{C}"]'),
        "many": NEXT
        + "".join(f'[hosts."h{number}.com"]\npins = ["{A}"]\nbackup-pins = ["{B}"]\n' for number in "1234"),
    }.items():
        (tmp_path / f"{name}.toml").write_text(text)
    return tmp_path


def test_equal_policies_are_a_good_answer(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two equal policies have no change, and that is a good answer."""
    old = str(policies / "old.toml")
    assert (0, "bank version 1 -> 1: no change\n", "") == (main(["diff", old, old]), *capsys.readouterr())


def test_strengthening_is_a_good_answer(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A change that weakens nothing is a good answer, and what it breaks is said in capitals."""
    assert main(["diff", str(policies / "old.toml"), str(policies / "denied.toml")]) == 0
    head, _, line = capsys.readouterr().out.splitlines()
    assert "bank version 1 -> 2: 1 change, 0 weakening, 1 breaking clients" == head
    assert line.split(maxsplit=3) == [
        "strengthens",
        "BREAKS",
        "api.bank.com:",
        f"denies {C} from now on, even beside a pin [denied-key]",
    ]


def test_weakening_is_a_bad_answer(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A weakening makes exit 1, and a hint says how to accept it by its kind."""
    old, added = str(policies / "old.toml"), str(policies / "added.toml")
    assert main(["diff", old, added]) == 1
    out, err = capsys.readouterr()
    assert f"  WEAKENS          api.bank.com: accepts {C} as a backup: " in out
    assert "pinscher: hint: a weakening that is meant is accepted with --accept=key-accepted\n" == err
    assert main(["diff", old, added, "--accept=key-accepted"]) == 0


def test_json_has_the_documented_fields(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON answer has exactly the documented fields."""
    assert main(["diff", "--json", str(policies / "old.toml"), str(policies / "added.toml")]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert {"old", "new", "weakens", "breaks", "changes", "versions", "stranded_shares"} == set(answer)
    assert ([], {}) == (answer["versions"], answer["stranded_shares"])
    assert {"name": "bank", "version": 1, "digest": Policy.loads(OLD).digest} == answer["old"]
    (change,) = answer["changes"]
    assert {"kind", "effect", "breaks", "accepted", "hosts", "text"} == set(change)
    assert ("key-accepted", "weakening", ["api.bank.com"]) == (change["kind"], change["effect"], change["hosts"])
    assert (True, False) == (answer["weakens"], answer["breaks"])


def test_markdown_is_a_comment_of_a_pull_request(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The Markdown has a heading, a summary and a line for each change, hosts and keys in code spans."""
    assert main(["diff", "--markdown", str(policies / "old.toml"), str(policies / "added.toml")]) == 1
    heading, _, summary, _, line = capsys.readouterr().out.splitlines()
    assert ("### Pinning policy `bank`: version 1 to 2", "1 change, 1 weakening, 0 breaking clients.") == (
        heading,
        summary,
    )
    assert line.startswith(f"- **WEAKENS**: `api.bank.com`: accepts `{C}` as a backup: ")


HOSTILE = "`x`|<img src=x onerror=y> @everyone [a](b) #1 https://evil.example \u202e**bold**"


def test_hostile_text_is_inert_in_markdown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a policy says, its text stays in one code span and one line: no markup, mention, link or table cell."""
    (tmp_path / "old.toml").write_text(OLD)
    (tmp_path / "new.toml").write_text(
        NEXT.replace('"bank"', json.dumps(HOSTILE, ensure_ascii=False).replace("\u202e", "\u00e4"))
        + f"note = {json.dumps(HOSTILE.replace(chr(0x202E), ''))}\n"
    )
    assert main(["diff", "--markdown", str(tmp_path / "old.toml"), str(tmp_path / "new.toml")]) == 0
    out = capsys.readouterr().out
    outside = re.sub(r"`[^`\n]*`", "", out)
    assert out.isascii()
    assert 0 == out.count("|")
    assert not re.search(r"[<>@\[\]`]|https?:|#1|bold", outside)
    assert 6 == len(out.splitlines())


@pytest.mark.parametrize(("text", "expected"), [("a`b|c", r"`a\x60b\x7cc`"), ("", "` `"), ("```", r"`\x60\x60\x60`")])
def test_code_span_cannot_be_left(text: str, expected: str) -> None:
    """What would end a code span or a table's cell is escaped inside it."""
    assert expected == code(text)


def test_many_hosts_are_cut_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A change that concerns many hosts names the first three, and the JSON names all of them."""
    wide = NEXT.replace('"api.bank.com"', '"**.com"')
    exact = "".join(f'[hosts."{name}.h.com"]\npins = ["{A}"]\nbackup-pins = ["{B}"]\n' for name in "abcde")
    (tmp_path / "old.toml").write_text(wide.replace("version = 2", "version = 1") + exact)
    (tmp_path / "new.toml").write_text(NEXT.replace('"api.bank.com"', '"other.test"') + exact)
    paths = [str(tmp_path / "old.toml"), str(tmp_path / "new.toml")]
    main(["diff", *paths])
    assert "**.com, names below a.h.com, names below b.h.com and 3 more: is refused" in capsys.readouterr().out
    main(["diff", "--json", *paths])
    (left,) = (one for one in json.loads(capsys.readouterr().out)["changes"] if one["kind"] == "unlisted")
    assert 6 == len(left["hosts"])


def test_standard_input_is_one_of_the_two(
    policies: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of the policies may come from standard input, as a version control system gives it."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(OLD.encode())))
    assert main(["diff", "-", str(policies / "denied.toml")]) == 0
    assert main(["diff", "-", "-"]) == 2
    assert "one of OLD and NEW may be '-', not both" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--json", "--markdown"], ["--accept=nonsense"]])
def test_mistakes_are_no_answer(policies: Path, arguments: list[str]) -> None:
    """Two forms of answer at once, or a kind that is not there, are mistakes."""
    old = str(policies / "old.toml")
    assert main(["diff", old, old, *arguments]) == 2


def test_unreadable_policy_is_no_answer(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A policy that cannot be read is no answer, with its file and line."""
    (policies / "odd.toml").write_text(f"{OLD}surprise = 1\n")
    assert main(["diff", str(policies / "old.toml"), str(policies / "odd.toml")]) == 2
    assert "odd.toml:7: " in capsys.readouterr().err
