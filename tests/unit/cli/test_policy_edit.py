"""A policy document edited where it stands; the rules are those at the top of ``cli/policy_edit.py``."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher import Policy
from pinscher.cli.policy_edit import Addition, UneditablePolicyError, new_document, with_pins

A, B, C = (f"sha256/{letter * 43}=" for letter in "AEI")
HEAD = 'format = 1\nname = "bank-app"\nversion = 42  # monotonic\n'


def added(text: str, pin: str = C, *, host: str = "api.bank.example", is_backup: bool = False) -> str:
    """Return *text* with one pin added."""
    return with_pins(text, [Addition(host, (pin,), is_backup=is_backup)])


def test_new_host_gets_an_entry_at_the_end() -> None:
    """A host that the document does not list gets an entry of its own at the end."""
    expected = f'{HEAD.replace("42", "43")}\n[hosts."api.bank.example"]\npins = ["{C}"]\n'
    assert added(HEAD) == expected


def test_new_document_begins_at_version_one() -> None:
    """A document that begins with an addition has version 1."""
    assert tomllib.loads(added(new_document("app")))["version"] == 1


LAYOUTS = {
    "one line": f'[hosts."api.bank.example"]  # payments\npins = ["{A}", "{B}"]  # two\nnote = "x"\n',
    "many lines": f'[hosts."api.bank.example"]\npins = [\n    "{A}",  # now\n    "{B}"  # next\n]\n[hosts."z.example"]\npins = ["{A}"]\n',
    "trailing comma": f"[hosts.'api.bank.example']\npins = [\n\t'{A}',\n\t'{B}',\n\t# nothing more\n]\n",
    "spaces": f'  [ hosts . "api.bank.example" ]\n  pins=[ "{A}","{B}" , ]\n',
    "other spelling": f'[hosts."API.Bank.Example"]\nmode = "enforce"\npins = ["{A}", "{B}"]\n',
    "first among hosts": f'[hosts."api.bank.example"]\npins = ["{A}", "{B}"]\n\n[hosts."b.example"]\npins = ["{C}"]\n',
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("is_backup", [False, True], ids=["pin", "backup"])
def test_listed_host_keeps_its_layout(layout: str, is_backup: bool) -> None:
    """A pin goes into the entry of its host, and every line of the document but those two stays (rule 1)."""
    text = HEAD + LAYOUTS[layout]
    edited = added(text, is_backup=is_backup)
    before = tomllib.loads(text)
    key = next(iter(before["hosts"]))
    entry = tomllib.loads(edited)["hosts"][key]
    assert entry["backup-pins" if is_backup else "pins"][-1] == C
    assert entry["pins"][:2] == [A, B]
    comments = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
    assert [line.partition("#")[2] for line in edited.splitlines() if "#" in line] == comments


def test_version_grows_once_for_several_additions() -> None:
    """Several additions at once are one edit, and one version (rule 3)."""
    additions = [Addition(host, (C,), is_backup=False) for host in ("a.example", "b.example")]
    assert tomllib.loads(with_pins(HEAD, additions))["version"] == 43


def test_present_pin_changes_nothing() -> None:
    """A pin that the entry has already, by its text or by a key's name, changes nothing, the version neither."""
    text = f'{HEAD}[keys.next]\npin = "{C}"\n[hosts."api.bank.example"]\npins = ["{A}"]\nbackup-pins = ["next"]\n'
    assert added(text) == text


@pytest.mark.parametrize(
    "text",
    [
        f'{HEAD}hosts = {{ "api.bank.example" = {{ pins = ["{A}"] }} }}\n',
        f'{HEAD}[hosts]\n"api.bank.example".pins = ["{A}"]\n',
    ],
)
@pytest.mark.parametrize(("is_backup", "line"), [(False, f'pins = ["{A}", "{C}"]'), (True, f'backup-pins = ["{C}"]')])
def test_unknown_layout_is_left_to_a_person(text: str, is_backup: bool, line: str) -> None:
    """A layout that the editor does not know is refused, with the field to write into the entry there is (rule 2)."""
    with pytest.raises(UneditablePolicyError, match="add this to the entry that is there") as caught:
        added(text, is_backup=is_backup)
    assert [line] == str(caught.value).splitlines()[1:]
    assert is_backup != ("in place of its 'pins'" in str(caught.value))


def test_quoted_field_is_left_to_a_person() -> None:
    """A field whose name stands in quotes is not written a second time (rule 2)."""
    with pytest.raises(UneditablePolicyError, match="in place of its 'pins'"):
        added(f'{HEAD}[hosts."api.bank.example"]\n"pins" = ["{A}"]\n')


def test_hosts_in_one_line_are_left_to_a_person() -> None:
    """A new host does not go into hosts that stand in one line; what to write is valid there (rule 2)."""
    text = f'{HEAD}hosts = {{ "a.example" = {{ pins = ["{A}"] }} }}\n'
    with pytest.raises(UneditablePolicyError, match="add this to it") as caught:
        added(text)
    line = str(caught.value).splitlines()[1]
    assert [A, C] == [
        entry["pins"][0] for entry in tomllib.loads(text.replace("] } }", f"] }}, {line} }}"))["hosts"].values()
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("host", ["api.bank.example", "new.example"])
def test_a_document_with_crlf_keeps_its_line_ends(layout: str, host: str) -> None:
    """A document whose every line ends in CRLF is edited as one with LF is, and every line still does (rule 4)."""
    text = HEAD + LAYOUTS[layout]
    edited = added(text.replace("\n", "\r\n"), host=host)
    assert edited.count("\n") == edited.count("\r\n")
    assert added(text, host=host) == edited.replace("\r\n", "\n")


@given(
    st.lists(st.sampled_from([A, B, C]), unique=True),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", " ", "\n", "\n  "]),
)
def test_edited_document_says_what_was_meant(pins: list[str], is_backup: bool, has_comma: bool, gap: str) -> None:
    """An addition puts exactly its missing pins behind those of its field, whatever the array looks like."""
    comma = "," if has_comma and pins else ""
    array = "[" + gap + f",{gap}".join(f'"{pin}"' for pin in pins) + comma + gap + "]"
    text = f'{HEAD}[hosts."api.bank.example"]\npins = {array}\n'
    edited = tomllib.loads(with_pins(text, [Addition("api.bank.example", (A, C), is_backup=is_backup)]))
    missing = [pin for pin in (A, C) if pin not in pins]
    entry = edited["hosts"]["api.bank.example"]
    assert entry["pins"] + entry.get("backup-pins", []) == pins + missing


DRAFT = '[hosts."api.bank.example"]\nunpinned = "draft: deserves pins [yet]"  # soon\nnote = "draft: score 60"\n'


def test_first_pins_take_the_place_of_a_drafted_exception() -> None:
    """Where a draft says that a host has no pins yet, the first pins replace that line, and the rest stays (rule 5)."""
    text = f'{HEAD}{DRAFT}[hosts."z.example"]\nunpinned = "draft: third party"\n'
    expected = text.replace("42", "43").replace('unpinned = "draft: deserves pins [yet]"  # soon', f'pins = ["{C}"]')
    assert expected == added(text)
    assert expected == added(expected)
    entry = Policy.loads(expected).lookup("api.bank.example")
    assert (True, None) == (entry is not None and entry.pinset is not None, entry and entry.unpinned)


def test_exception_of_a_person_is_not_replaced() -> None:
    """An exception that a person gave a reason for stays, and the policy with both is refused when it is read (rule 5)."""
    text = HEAD + DRAFT.replace("draft: deserves", "public: deserves")
    assert 'unpinned = "public: deserves pins [yet]"' in added(text)


@pytest.mark.parametrize(
    "entry",
    [
        '[hosts]\n"api.bank.example" = {unpinned = "draft: x"}\n',
        '[hosts]\n"API.bank.example" = {unpinned = "draft: x"}\n',
        '[hosts."api.bank.example"]\nunpinned = """draft: x\nnote = \'y\'"""\n',
    ],
    ids=["inline", "inline, spelled otherwise", "several lines"],
)
def test_draft_in_another_layout_is_left_to_a_person(entry: str) -> None:
    """A drafted exception that cannot be taken out for certain is not edited, and what to write is told (rule 2)."""
    with pytest.raises(UneditablePolicyError):
        added(HEAD + entry)
