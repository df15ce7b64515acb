"""``pinscher check``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from loopback import ADDRESS, HOST, Authority, Server

from pinscher.cli import main
from pinscher.pin import Pin

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FIELDS = {
    "endpoint", "host", "port", "protocol", "outcome", "action", "mode", "matched", "backup", "expired", "verdict",
    "diagnosis", "path",
}  # fmt: skip


def write_policy(path: Path, pinned: bytes, *, more: str = "", host: str = HOST) -> Path:
    """Write a policy that pins one key for one host."""
    path.write_text(f'format = 1\nname = "bank"\nversion = 3\n[hosts."{host}"]\npins = ["{Pin.of(pinned)}"]\n{more}')
    return path


def check(policy: Path, authority: Authority, *rest: str) -> int:
    """Check servers of the loopback against a policy, trusting the authority's root."""
    trusted = ["--connect", ADDRESS, "--ca-file", str(authority.ca_file), "--timeout", "5"]
    return main(["check", "--policy", str(policy), *trusted, *rest])


def test_match_is_a_good_answer(authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A server with the pinned key is a good answer, and the pin that matched is shown."""
    issued = authority.issue()
    policy = write_policy(tmp_path / "pins.toml", issued.der)
    with Server(issued) as server:
        code = check(policy, authority, server.place)
    assert (code, capsys.readouterr().out) == (0, f"{server.place}  match  pin {Pin.of(issued.der)}\n")


def test_mismatch_is_a_bad_answer(authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A server with another key is a bad answer with the diagnosis, and not one byte is sent to it."""
    policy = write_policy(tmp_path / "pins.toml", authority.issue(file="genuine").der)
    rogue = authority.issue(file="rogue")
    with Server(rogue) as server:
        code = check(policy, authority, server.place)
    out = capsys.readouterr().out
    assert (code, out.splitlines()[0]) == (1, f"{server.place}  NO-MATCHING-PIN  block (enforce)")
    assert f"no pinned key in the validated chain of {HOST}" in out
    assert str(Pin.of(rogue.der)) in out
    assert server.application_bytes == 0


def test_report_only_mismatch_is_a_bad_answer(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mismatch in report-only mode is a bad answer too, explained as in enforce mode."""
    genuine, rogue = authority.issue(file="genuine"), authority.issue(file="rogue")
    more = 'mode = "report-only"\nreport-only-since = 2026-01-01\n'
    policy = write_policy(tmp_path / "pins.toml", genuine.der, more=more)
    with Server(rogue) as server:
        code = check(policy, authority, server.place)
    out = capsys.readouterr().out
    assert (code, out.splitlines()[0]) == (1, f"{server.place}  NO-MATCHING-PIN  allow (report-only)")
    assert f"no pinned key in the validated chain of {HOST}" in out


def test_chain_that_does_not_verify_is_a_bad_answer(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server whose chain OpenSSL refuses is a bad answer, whatever its key."""
    issued = authority.issue(days=-3)
    policy = write_policy(tmp_path / "pins.toml", issued.der)
    with Server(issued) as server:
        assert check(policy, authority, server.place) == 1
    out = capsys.readouterr().out
    assert "CHAIN-NOT-VALIDATED" in out
    assert "certificate has expired" in out


def test_no_answer_is_neither_good_nor_bad(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that does not speak TLS gives no answer, and exit 2."""
    policy = write_policy(tmp_path / "pins.toml", authority.issue().der)
    with Server(script=[(b"", b"hello\r\n")]) as server:
        assert check(policy, authority, server.place) == 2
    out, err = capsys.readouterr()
    assert out == f"{server.place}  NO ANSWER\n"
    assert err.startswith(f"pinscher: error: no answer from {server.place}: ")


def test_bad_answer_outweighs_a_missing_one(authority: Authority, tmp_path: Path) -> None:
    """One mismatch among endpoints that give no answer makes exit 1."""
    policy = write_policy(tmp_path / "pins.toml", authority.issue(file="genuine").der)
    with Server(authority.issue(file="rogue")) as rogue, Server(script=[(b"", b"hello\r\n")]) as silent:
        assert check(policy, authority, silent.place, rogue.place) == 1


def test_many_endpoints_keep_their_order(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Endpoints that are checked at once answer in the order they were named, each with its own verdict."""
    genuine = authority.issue(file="genuine")
    policy = write_policy(tmp_path / "pins.toml", genuine.der)
    with Server(genuine) as good, Server(authority.issue(file="rogue")) as bad:
        places = [good.place, bad.place] * 10
        assert check(policy, authority, "--json", *places) == 1
    results = json.loads(capsys.readouterr().out)["results"]
    assert [result["endpoint"] for result in results] == places
    assert [result["outcome"] for result in results] == ["match", "no-matching-pin"] * 10


def test_json_has_the_documented_fields(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The JSON answer has exactly the documented fields, for a match and for a missing answer."""
    issued = authority.issue()
    policy = write_policy(tmp_path / "pins.toml", issued.der)
    with Server(issued) as server, Server(script=[(b"", b"hello\r\n")]) as silent:
        check(policy, authority, "--json", server.place, silent.place)
    answer = json.loads(capsys.readouterr().out)
    match, missing = answer["results"]
    assert set(answer["policy"]) == {"name", "version", "digest"}
    assert (set(match), set(missing)) == (FIELDS, {"endpoint", "host", "port", "protocol", "error"})
    assert (match["outcome"], match["matched"], match["diagnosis"]) == ("match", str(Pin.of(issued.der)), None)


def test_starttls_is_checked_on_the_same_connection(authority: Authority, tmp_path: Path) -> None:
    """A server behind STARTTLS is judged on the connection that was upgraded, after the one agreement."""
    issued = authority.issue()
    policy = write_policy(tmp_path / "pins.toml", issued.der)
    with Server(issued, [(b"", b"+OK\r\n"), (b"STLS\r\n", b"+OK\r\n")]) as server:
        assert check(policy, authority, "--starttls", "pop3", server.place) == 0
    assert server.connections == 1


def test_unlisted_host_is_a_bad_answer(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A host that the policy does not list is refused as an application would refuse it."""
    issued = authority.issue()
    policy = write_policy(tmp_path / "pins.toml", issued.der, host="other.example")
    with Server(issued) as server:
        assert check(policy, authority, server.place) == 1
    assert "UNLISTED-HOST" in capsys.readouterr().out


def test_policy_without_a_full_host_is_a_usage_error(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A policy of patterns alone names no host to check, and that is said."""
    policy = write_policy(tmp_path / "pins.toml", authority.issue().der, host="*.bank.example")
    assert check(policy, authority) == 2
    err = capsys.readouterr().err
    assert "pinscher: warning: *.bank.example names no single host and was not checked" in err
    assert "pinscher: error: the policy names no host that can be checked" in err


def test_policy_that_cannot_be_read_is_no_answer(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A policy that is missing or not valid is one error with its place, and exit 2."""
    odd = tmp_path / "odd.toml"
    odd.write_text('format = 1\nname = "x"\nversion = 1\nsurprise = 1\n')
    codes = [check(tmp_path / "none.toml", authority, "a.example"), check(odd, authority, "a.example")]
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert codes == [2, 2]
    assert first == f"pinscher: error: cannot read '{tmp_path}/none.toml': no such file or directory"
    assert f"{odd}" in second


def test_host_that_is_not_pinned_is_told(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A host that the policy leaves unpinned is a good answer with a warning beside it."""
    policy = tmp_path / "pins.toml"
    policy.write_text(f'format = 1\nname = "bank"\nversion = 3\n[hosts."{HOST}"]\nunpinned = "public"\n')
    with Server(authority.issue()) as server:
        assert check(policy, authority, server.place) == 0
    out, err = capsys.readouterr()
    assert out == f"{server.place}  not-pinned\n"
    assert err == (
        f"pinscher: warning: {server.place} is not pinned: the policy lets every valid certificate through\n"
    )


def test_entry_past_its_date_is_told(authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A match under an entry that is past its date is a good answer with a warning beside it."""
    issued = authority.issue()
    policy = write_policy(tmp_path / "pins.toml", issued.der, more="expires = 2020-01-01T00:00:00Z\n")
    with Server(issued) as server:
        assert check(policy, authority, server.place) == 0
    assert f"the policy's entry for {server.place} is past its date: renew it" in capsys.readouterr().err


def test_without_a_host_the_listed_ones_are_checked(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without HOST every host that the policy names in full is checked, at its protocol's port."""
    policy = write_policy(tmp_path / "pins.toml", authority.issue().der)
    policy.write_text(policy.read_text() + '[hosts."free.example"]\nunpinned = "public"\n')
    # Nobody is asked in earnest: the deadline has passed before the first address is tried.
    assert check(policy, authority, "--json", "--timeout", "1e-9") == 2
    results = json.loads(capsys.readouterr().out)["results"]
    assert [result["endpoint"] for result in results] == [f"{HOST}:443"]
