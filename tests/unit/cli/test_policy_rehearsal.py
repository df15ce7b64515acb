"""A policy document with a day of rehearsal in it; the rules are those at the top of ``cli/policy_edit.py``."""

from __future__ import annotations

import tomllib
from datetime import date

import pytest

from pinscher.cli.policy_edit import UneditablePolicyError
from pinscher.cli.policy_rehearsal import Rehearsal, with_rehearsals

DAY = date(2026, 11, 21)
HEAD = 'format = 1\nname = "bank-app"\nversion = 42  # monotonic\n'
A, B = (f"sha256/{letter * 43}=" for letter in "AE")


def _rehearsed(text: str, *names: str) -> str:
    return with_rehearsals(text, [Rehearsal(name, DAY) for name in names or ("api-backup",)])


LAYOUTS = {
    "said": f'[keys.api-backup]  # the envelope\npin = "{A}"\nrehearsed = 2025-10-01  # by A.\nstored = "safe B"\n',
    "not said": f'[keys.api-backup]\n# first\npin = "{A}"\nstored = "safe B"  # or C\n\n# the end\n[keys.other]\npin = "{B}"\n',
    "quoted": f'[keys."api-backup"]\npin = "{A}"\n',
    "quoted otherwise": f"[ keys . 'api-backup' ]\n  pin = '{A}'\n  rehearsed=2025-10-01\n",
    "no line at the end": f'[keys.api-backup]\npin = "{A}"',
    "another key's day": f'[keys.api-backup]\npin = "{A}"\n[keys.other]\npin = "{B}"\nrehearsed = 2025-10-01\n',
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_day_goes_into_the_keys_table(layout: str) -> None:
    """The day is replaced or added in the key's table, and every other line and comment stays (rule 1)."""
    text = HEAD + LAYOUTS[layout]
    edited = _rehearsed(text)
    meant = tomllib.loads(text)
    meant["version"] = 43
    meant["keys"]["api-backup"]["rehearsed"] = DAY
    assert meant == tomllib.loads(edited)
    assert [one.partition("#")[2] for one in text.splitlines()] == [
        one.partition("#")[2] for one in edited.splitlines() if one != f"rehearsed = {DAY}"
    ]


def test_day_that_is_said_already_changes_nothing() -> None:
    """A document that says the day already keeps its version (rule 3)."""
    text = f'{HEAD}[keys.api-backup]\npin = "{A}"\nrehearsed = {DAY}\n'
    assert text == _rehearsed(text)


def test_version_grows_once_for_several_names() -> None:
    """A key under two names is one edit."""
    text = f'{HEAD}[keys.a]\npin = "{A}"\n[keys."b.c"]\npin = "{A}"\n'
    edited = tomllib.loads(_rehearsed(text, "a", "b.c"))
    assert (43, DAY, DAY) == (edited["version"], edited["keys"]["a"]["rehearsed"], edited["keys"]["b.c"]["rehearsed"])


@pytest.mark.parametrize(
    "table",
    [
        f'[keys]\napi-backup = {{ pin = "{A}" }}\n',
        f'[keys]\napi-backup.pin = "{A}"\n',
        f'[keys.api-backup]\npin = "{A}"\nstored = """\n[keys.api-backup]\nx = 1\n"""\n',
        f'[keys.api-backup]\npin = "{A}"\n"rehearsed" = 2025-10-01\n',
        f'[keys.api-backup]\npin = "{A}"\nrehearsed = 2025-10-01T00:00:00Z\n',
    ],
    ids=["inline", "dotted", "text", "quoted", "a time"],
)
def test_layout_that_is_not_known_is_told(table: str) -> None:
    """A layout in which the day could land elsewhere is refused, with what to write (rule 2)."""
    with pytest.raises(
        UneditablePolicyError,
        match=r"cannot be edited; add this to the table that is there(, in place of its 'rehearsed')?:\nrehea",
    ):
        _rehearsed(HEAD + table)


def test_a_document_with_crlf_keeps_its_line_ends() -> None:
    """A document whose every line ends in CRLF gets the day in a line that does so too."""
    text = f'{HEAD}[keys.api-backup]\npin = "{A}"\n'
    edited = _rehearsed(text.replace("\n", "\r\n"))
    assert _rehearsed(text).replace("\n", "\r\n") == edited
