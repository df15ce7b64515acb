"""``pinscher survive``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from pinscher.cli import main
from pinscher.lab.encoding import pem
from pinscher.rotation.authority_facts import shipped_facts
from tests.unit.rotation.survival.worlds import HOST, UNREADABLE, certified, leaf, pin, policy, root

if TYPE_CHECKING:
    from pathlib import Path

    from pinscher.rotation.survival import Certificate

ROOTS = [root(f"Root {number}") for number in range(6)]
CROSSED = [certified("Root 0", f"Root {number}") for number in range(1, 6)]
LEAF = leaf("Root 0")
BASE = ["survive", HOST, "--policy", "pins.toml", "--chain", "chain.pem", "--trust", "roots.pem", "--at", "2026-11-21"]


def _write(name: str, *certificates: Certificate) -> None:
    from pathlib import Path

    Path(name).write_bytes(pem("CERTIFICATE", *(one.der for one in certificates)))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that the command runs in: a leaf below a root that five others have cross-signed."""
    monkeypatch.chdir(tmp_path)
    _write("chain.pem", LEAF, *CROSSED)
    _write("roots.pem", *ROOTS[1:])
    (tmp_path / "pins.toml").write_text(policy(ROOTS[1]).to_toml())
    return tmp_path


def test_counter_examples_are_printed_as_chains(capsys: pytest.CaptureFixture[str]) -> None:
    """The first three paths without a pin are shown from the leaf to the root, the rest is counted."""
    assert 1 == main(BASE)
    out = capsys.readouterr().out
    assert "2026-11-21T00:00:00Z  5 paths, 4 without a pin" in out
    assert 3 == out.count("a path without a pinned key:")
    assert "  and 1 more path without a pin" in out
    assert f"1 pin would cover every path, and no smaller one does:\n  {pin(LEAF)}  CN=leaf" not in out
    assert "2018-09-04 to 2035-02-07  CN=Root 2" in out


def test_json_has_what_the_help_says(capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON names the answer, the moments, each counter-example's path and the smallest sets."""
    assert 1 == main([*BASE, "--json", "--at", "2027-11-21"])
    answer = json.loads(capsys.readouterr().out)
    names = ["host", "policy", "answer", "moments", "cover", "cover_of_authorities", "do_not_pin", "versions", "shares"]
    assert names == list(answer)
    assert ([], {}) == (answer["versions"], answer["shares"])
    assert (HOST, "breaks", []) == (answer["host"], answer["answer"], answer["do_not_pin"])
    assert [False, True] == [moment["counter_examples"][0]["renewed"] for moment in answer["moments"]]
    moment = answer["moments"][0]
    assert (5, 4, None, []) == (moment["paths"], moment["broken"], moment["cut"], moment["barren"])
    found = moment["counter_examples"][0]
    assert ["leaf", "intermediate", "root"] == [one["role"] for one in found["path"]]
    assert ("no-matching-pin", ["roots.pem"]) == (found["outcome"], found["stores"])
    assert [pin(ROOTS[0])] == [one["pin"] for one in answer["cover_of_authorities"]["pins"]]
    assert (True, 1) == (answer["cover"]["smallest"], answer["cover"]["at_least"])


def test_names_in_a_counter_example_are_escaped(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a certificate calls itself reaches no terminal as it is."""
    evil = root("evil\x1b[2J\n\u202e")
    _write("chain.pem", leaf("evil\x1b[2J\n\u202e"))
    _write("roots\u202e.pem", evil)
    assert 1 == main([*BASE[:-4], "--trust", "roots\u202e.pem"])
    out = capsys.readouterr().out
    assert "CN=evil\\x1b[2J\\x0a\\u202e" in out
    assert all(line.isprintable() and line.isascii() for line in out.splitlines())


def test_denied_key_and_expired_policy_are_told_apart(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A counter-example says whether a key is denied, the policy is past its day, or no key is pinned."""
    text = policy(LEAF, denied=[ROOTS[2]], more='expires = 2027-01-01T00:00:00Z\non-expiry = "fail"\n').to_toml()
    (folder / "pins.toml").write_text(text)
    assert 1 == main([*BASE, "--at", "2027-02-01"])
    out = capsys.readouterr().out
    assert f"a path with the denied key {pin(ROOTS[2])}:" in out
    assert "a path on which the expired policy refuses every key:" in out


def test_cover_without_the_leaf_is_shown_where_it_differs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the leaf's own key covers what many authorities would have to, both sets are shown."""
    for number in range(2):
        _write(f"chain{number}.pem", leaf(f"Root {number + 1}"))
    (folder / "pins.toml").write_text(policy(LEAF).to_toml())
    arguments = ["--chain", "chain0.pem", "--chain", "chain1.pem", "--trust", "roots.pem", "--at", "2026-11-21"]
    assert 0 == main(["survive", HOST, "--policy", "pins.toml", *arguments])
    out = capsys.readouterr().out
    assert f"1 pin would cover every path, and no smaller one does:\n  {pin(LEAF)}  CN=leaf" in out
    assert "2 pins would cover every path, without the leaf's own key, and no smaller one does:" in out


def test_path_that_is_denied_altogether_has_no_cover(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where every path has a denied key no set of pins helps."""
    (folder / "pins.toml").write_text(policy(LEAF, denied=[ROOTS[0]]).to_toml())
    assert 1 == main(BASE)
    assert "no set of pins covers every path" in capsys.readouterr().out
    assert 1 == main([*BASE, "--json"])
    assert json.loads(capsys.readouterr().out)["cover"] is None


def test_more_paths_than_the_limit_are_no_survival(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beyond the limit the answer is none, and the advice is not to pin the host."""
    (folder / "pins.toml").write_text(policy(LEAF).to_toml())
    assert 2 == main([*BASE, "--most-paths", "3"])
    out = capsys.readouterr().out
    assert "NOT PROVED" in out
    assert "at least 3 paths, NOT ALL LOOKED AT (more than 3 paths), 0 without a pin" in out
    assert "do not pin this host: nothing can be proved about it: more than 3 paths" in out
    assert "survives" not in out


def test_next_issuer_and_further_intermediates_are_ways_up(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The next certificate may come from another authority, and certificates from files may stand between."""
    _write("chain.pem", LEAF)
    _write("next.pem", certified("Next", "Root 3"))
    _write("more.pem", *CROSSED)
    assert 1 == main([*BASE, "--intermediates", "more.pem", "--next-issuer", "next.pem"])
    out = capsys.readouterr().out
    assert "6 paths, 5 without a pin" in out
    assert "'chain.pem' leads to no root of roots.pem (openssl)" in out


def test_bare_roots_are_trusted_past_their_day(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Clients that ignore a root's dates have paths where others have none."""
    from tests.unit.rotation.survival.worlds import AT, LONG_AGO

    _write("roots.pem", root("Root 0", not_before=LONG_AGO, not_after=AT.replace(year=2025)))
    (folder / "pins.toml").write_text(policy(ROOTS[0]).to_toml())
    assert 2 == main(BASE)
    assert 0 == main([*BASE, "--bare-roots"])


def test_roots_that_cannot_be_read_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A store's unreadable roots are a warning, and an unreadable chain is an error."""
    (folder / "roots.pem").write_bytes(pem("CERTIFICATE", ROOTS[1].der, UNREADABLE))
    assert 0 == main([*BASE])
    assert "1 of the roots of 'roots.pem' cannot be read; paths to them are not known here" in capsys.readouterr().err
    (folder / "chain.pem").write_bytes(pem("CERTIFICATE", UNREADABLE))
    assert 2 == main([*BASE])
    assert "pinscher: error: a certificate cannot be read:" in capsys.readouterr().err


def test_shipped_and_system_stores_are_the_default(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --trust the roots are Mozilla's and the system's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "roots.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    assert 1 == main([*BASE[:6], *BASE[8:]])
    out = capsys.readouterr().out
    assert "trusting mozilla, system" in out
    assert "trusted by system; built by" in out


def test_online_says_what_it_could_not_fetch(capsys: pytest.CaptureFixture[str]) -> None:
    """With --online an address inside a private network is not asked, and that is said."""
    place = x509.AccessDescription(
        AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://127.0.0.1/")
    )
    _write(
        "chain.pem", LEAF, *CROSSED, certified("x", "y", extensions=[(x509.AuthorityInformationAccess([place]), False)])
    )
    assert 1 == main([*BASE, "--online"])
    assert (
        "pinscher: warning: cannot fetch an issuer from 'http://127.0.0.1/': it leads to no public address"
        in capsys.readouterr().err
    )


def test_facts_of_the_user_are_taken(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Facts about networks come from the user's file where one is given."""
    names = [one.name for one in shipped_facts().authorities]
    assert names
    network = {"name": "Net", "hosts": ["bank.example"], "authorities": ["A"], "source": "x", "date": "2026-01-01"}
    authority = {
        "name": "A", "organisations": ["A"], "key-names": [], "certificate-days": None, "intermediates": None,
        "all-roots": False, "source": "x", "date": "2026-01-01", "roots": [],
    }  # fmt: skip
    facts = {"format": 1, "date": "2026-01-01", "authorities": [authority], "networks": [network]}
    (folder / "facts.json").write_text(json.dumps(facts))
    assert 1 == main([*BASE, "--ca-facts", "facts.json"])
    assert "do not pin this host: Net chooses its CA, and no root of A is pinned" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("chain.pem", b"", "it is empty"),
        ("chain.pem", b"\x30\x80rubbish", "chain.pem: expected a certificate"),
        ("roots.pem", b"-----BEGIN CERTIFICATE-----\nMIIB", "the block is not closed"),
        ("pins.toml", b"format = 2", "pins.toml"),
    ],
)
def test_bad_input_is_one_clear_error(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, message: str
) -> None:
    """A file that cannot be used is one error with its name, and no answer."""
    (folder / name).write_bytes(content)
    assert 2 == main(BASE)
    told = capsys.readouterr()
    assert ("", 1) == (told.out, told.err.count("error:"))
    assert message in told.err
