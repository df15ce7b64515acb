"""``pinscher repo``: publishing from the command line, by several people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pinscher import Policy
from pinscher.cli.app import run

if TYPE_CHECKING:
    from pathlib import Path

PIN, BACKUP = (
    "sha256/NahLU0GZuWlQxC5iyWPffbj545x3cCad5I+tsIssZ4M=",
    "sha256/C5+lpZ7tcVwmwQIMcRtPbsQtWLABXhQzejna0wHFr8M=",
)
OTHER = "sha256/YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg="


def document(version: int, *, pin: str = PIN, ladder: str = '["override", "abort"]') -> str:
    """Return a policy document."""
    return (
        f'format = 1\nname = "app"\nversion = {version}\n[hosts."api.bank.com"]\n'
        f'pins = ["{pin}"]\nbackup-pins = ["{BACKUP}"]\non-mismatch = {ladder}\n'
    )


class Shell:
    """Runs commands in a folder, and returns what they say."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys

    def __call__(self, line: str, *, code: int = 0) -> tuple[str, str]:
        """Run ``pinscher LINE``; return both streams."""
        self._capsys.readouterr()
        ended = run(line.split())
        out, err = self._capsys.readouterr()
        assert code == ended, out + err
        return out, err

    def json(self, line: str, *, code: int = 0) -> Any:
        """Run ``pinscher LINE --json``, and return the answer."""
        return json.loads(self(f"{line} --json", code=code)[0])

    def publish(self, version: int, **said: str) -> None:
        """Publish a policy with every signature."""
        (self.folder / "pins.toml").write_text(document(version, **said))
        self(
            "repo publish repo pins.toml --key alice.key --key bob.key --online-key online.key --accept diff:key-accepted"
        )


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Return a shell in a folder with a repository that has published version 1."""
    monkeypatch.chdir(tmp_path)
    made = Shell(tmp_path, capsys)
    for name in ("alice", "bob", "carol", "online"):
        made(f"repo key {name}.key")
    made(
        "repo init repo --root alice.key.pub --root bob.key.pub --root carol.key.pub --root-threshold 2 "
        "--signer alice.key.pub --signer bob.key.pub --threshold 2 --online online.key.pub "
        "--key alice.key --key bob.key --online-key online.key"
    )
    made.publish(1)
    return made


def test_two_people_publish(shell: Shell) -> None:
    """Each signer is told what is still lacking and from whom, and what comes next."""
    (shell.folder / "pins.toml").write_text(document(2))
    out, err = shell("repo publish repo pins.toml --key alice.key")
    assert out == "targets version 3 lacks 1 signature, from bob\n"
    assert "app version 1 -> 2: 1 change" in err
    assert "'pinscher repo sign repo --key KEY'" in err
    out, err = shell("repo renew repo --online-key online.key")
    assert "published: nothing new; timestamp 3 until" in out
    assert "warning: targets waits: it lacks 1 signature" in err
    out, err = shell("repo sign repo --key bob.key")
    assert (out, "repo renew" in err) == ("targets version 3 is completely signed\n", True)
    assert "app version 1 -> 2: 1 change" in err
    assert ["targets"] == shell.json("repo renew repo --online-key online.key")["published"]
    assert "targets version 3, published" in shell("repo status repo")[0]


def test_what_a_check_objects_to_is_refused(shell: Shell) -> None:
    """A weakening, such as another key, is refused until it is accepted by name; then it is published."""
    (shell.folder / "pins.toml").write_text(document(2, pin=OTHER))
    out, err = shell("repo publish repo pins.toml", code=1)
    assert out == ""
    assert "error: [diff:key-accepted]" in err
    assert "--accept=diff:key-accepted" in err
    found = shell.json("repo publish repo pins.toml", code=1)
    assert {"diff:key-accepted": False} == {one["name"]: one["accepted"] for one in found["objections"]}
    found = shell.json("repo publish repo pins.toml --accept diff:key-accepted --accept diff:no-common-key")
    assert (2, {"targets": 2}) == (found["version"], found["lacking"])
    assert {"diff:key-accepted": True} == {one["name"]: one["accepted"] for one in found["objections"]}


def test_lint_is_asked_too(shell: Shell) -> None:
    """What the lint rules warn of is refused by the rule's name."""
    text = document(2).replace(f'backup-pins = ["{BACKUP}"]\n', "")
    (shell.folder / "pins.toml").write_text(text)
    assert "error: [lint:backup-pin]" in shell("repo publish repo pins.toml", code=1)[1]


def test_a_rehearsal_changes_nothing(shell: Shell) -> None:
    """With --dry-run the effect is shown, and nothing is staged."""
    (shell.folder / "pins.toml").write_text(document(2))
    assert shell("repo publish repo pins.toml --dry-run")[0] == "nothing was changed\n"
    assert {} == shell.json("repo publish repo pins.toml --dry-run")["lacking"]
    assert not any(one["staged"] for one in shell.json("repo status repo")["roles"])


def test_a_version_goes_up(shell: Shell) -> None:
    """A policy whose version does not follow the published one is refused."""
    (shell.folder / "pins.toml").write_text(document(1, pin=OTHER))
    assert "version 1 does not follow version 1" in shell("repo publish repo pins.toml", code=2)[1]


def test_a_key_is_withdrawn(shell: Shell) -> None:
    """One command denies a key and names another; a rehearsal shows what changes first."""
    line = f"repo withdraw repo {PIN} --instead {OTHER} --accept diff:key-accepted"
    assert "BREAKS" in shell(f"{line} --dry-run")[1]
    assert "error: [lint:backup-pin]" in shell(f"repo withdraw repo {PIN}", code=1)[1]
    found = shell.json(f"{line} --key alice.key --key bob.key --online-key online.key")
    assert ["targets"] == found["published"]
    [bundle] = [
        path for path in (shell.folder / "repo/public/targets").iterdir() if b'"version":2' in path.read_bytes()
    ]
    entry = Policy.load(bundle).lookup("api.bank.com")
    assert entry is not None
    assert entry.pinset is not None
    assert [OTHER, BACKUP] == [str(pin) for pin in entry.pinset]
    assert [PIN] == [str(pin) for pin in entry.pinset.denied_keys]


def test_what_cannot_be_withdrawn(shell: Shell) -> None:
    """An entry that is not there, a pin that is none, and a key that is denied already are told."""
    assert "no entry 'x.bank.com'" in shell(f"repo withdraw repo {PIN} --host x.bank.com", code=2)[1]
    assert "invalid value for 'PIN'" in shell("repo withdraw repo sha256/x", code=2)[1]


def test_an_override_is_published(shell: Shell) -> None:
    """An emergency policy shows what is accepted and what is accepted beside it, and is over within 72 hours."""
    line = f"repo override repo --host api.bank.com --pin {OTHER} --hours 4"
    out, err = shell(f"{line} --dry-run")
    assert out == "nothing was changed\n"
    assert f"  accepted       {PIN}, {BACKUP}\n  also accepted  {OTHER}\n  denied         nothing\n" in err
    assert {} == shell.json(f"{line} --dry-run")["lacking"]
    found = shell.json(f"{line} --key alice.key --key bob.key --online-key online.key")
    assert (["override"], True) == (found["published"], found["hosts"][0]["listens"])
    assert "invalid value for '--hours'" in shell(line.replace("--hours 4", "--hours 73"), code=2)[1]
    assert "one by one" in shell(line.replace("--host api", "--host *.api"), code=2)[1]
    assert "begins nor ends with a hyphen" in shell(line.replace("--host api", "--host -api"), code=2)[1]


def test_an_override_that_no_client_uses(shell: Shell) -> None:
    """An emergency policy for a host whose ladder does not know of it is told to be of no use."""
    shell.publish(2, ladder='["abort"]')
    err = shell(f"repo override repo --host api.bank.com --pin {OTHER} --hours 1")[1]
    assert 'no rung "override"' in err


def test_keys_are_rotated(shell: Shell) -> None:
    """A signer comes and another goes; the role itself is signed anew by its new keys."""
    out, _ = shell("repo rotate repo targets --add carol.key.pub --remove alice --key alice.key --key bob.key")
    assert "targets version 3 lacks 1 signature, from carol\n" in out
    found = shell.json("repo rotate repo root --key alice.key --key bob.key --key carol.key --online-key online.key")
    assert (["root"], ["root", "targets"]) == (found["staged"], found["published"])
    assert "has no key called 'alice'" in shell("repo rotate repo targets --remove alice", code=2)[1]
    assert "there is no role called 'x'" in shell("repo rotate repo x --threshold 1", code=2)[1]


def test_a_team_gets_a_role(shell: Shell) -> None:
    """A team signs its own policy for its own hosts, and is refused others."""
    found = shell.json(
        "repo delegate repo pay --signer carol.key.pub --threshold 1 --host **.pay.com "
        "--key alice.key --key bob.key --key carol.key --online-key online.key"
    )
    assert ("pay/policy.json", ["targets", "pay"]) == (found["bundle"], found["published"])
    (shell.folder / "pins.toml").write_text(document(1))
    assert "may speak of **.pay.com" in shell("repo publish repo pins.toml --role pay", code=2)[1]
    (shell.folder / "pins.toml").write_text(document(1).replace("api.bank.com", "a.pay.com"))
    shell("repo publish repo pins.toml --role pay --key carol.key --online-key online.key")
    assert (
        "invalid value for '--host'"
        in shell("repo delegate repo x --signer carol.key.pub --threshold 1 --host a..b", code=2)[1]
    )


def test_no_policy_yet(tmp_path: Path, shell: Shell) -> None:
    """A repository that has published nothing has nothing to withdraw from."""
    line = "repo init new --root alice.key.pub --root-threshold 1 --signer alice.key.pub --threshold 1 --online online.key.pub --on-call bob.key.pub"
    found = shell.json(f"{line} --key alice.key")
    assert {} == found["lacking"]
    assert "published no policy yet" in shell(f"repo withdraw new {PIN}", code=2)[1]
    assert "holds a repository already" in shell(line, code=2)[1]
    assert "is no repository" in shell("repo status nothing", code=2)[1]


@pytest.mark.parametrize(
    "line", [f"repo withdraw file {PIN}", f"repo override file --host api.bank.com --pin {OTHER} --hours 2"]
)
def test_a_file_is_no_repository(shell: Shell, line: str) -> None:
    """A regular file in the place of the repository is one error, for the commands of a night as well."""
    (shell.folder / "file").write_text("x")
    assert ("", "pinscher: error: 'file' is no repository; 'pinscher repo init' makes one\n") == shell(line, code=2)


def test_keys_for_everybody(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is never overwritten, can be encrypted, and says what its files are for."""
    assert "is never overwritten" in shell("repo key alice.key", code=2)[1]
    found = shell.json("repo key dora.key")
    assert ("dora.key", "dora.key.pub", 64) == (found["private"], found["public"], len(found["keyid"]))
    monkeypatch.setattr("click.prompt", lambda *_, **__: "correct horse")
    shell("repo key erin.key --passphrase")
    assert b"ENCRYPTED PRIVATE KEY" in (shell.folder / "erin.key").read_bytes()
    line = (
        "repo init new --root erin.key --root-threshold 1 --signer alice.key.pub --threshold 1 --online online.key.pub"
    )
    assert "no passphrase was given" in shell(line, code=2)[1]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    shell(f"{line} --key erin.key")


def test_the_state_tells_what_has_lapsed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timestamp that has lapsed is a bad answer."""
    from datetime import UTC, datetime

    monkeypatch.setattr("pinscher.cli.repo_status.now", lambda: datetime(2999, 1, 1, tzinfo=UTC))
    out, _ = shell("repo status repo", code=1)
    assert "timestamp version 2, published, LAPSED" in out


def test_sign_tells_what_there_is_to_sign(shell: Shell) -> None:
    """A key that nothing waits for is told what is staged."""
    assert "has nothing to sign here; staged: nothing" in shell("repo sign repo --key alice.key", code=2)[1]
    (shell.folder / "pins.toml").write_text(document(2))
    shell("repo publish repo pins.toml")
    assert "staged: targets" in shell("repo sign repo --key carol.key", code=2)[1]
    assert {"targets": 1} == shell.json("repo sign repo --key bob.key --role targets")["lacking"]
