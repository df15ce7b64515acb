"""``pinscher export``."""

from __future__ import annotations

import json
import plistlib
import socket
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main
from pinscher.formats import FORMATS
from pinscher.policy import Policy

if TYPE_CHECKING:
    from pathlib import Path

A, B = (f"sha256/{letter * 43}=" for letter in "AE")
HEAD = f"""
format = 1
name = "bank"
version = 1
[keys.now]
pin = "{A}"
role = "leaf"
[keys.next]
pin = "{B}"
role = "leaf"
"""
OPEN = HEAD + '[defaults]\nunlisted-hosts = "allow"\n[hosts."**.bank.com"]\npins = ["now"]\nbackup-pins = ["next"]\n'
SHUT = HEAD + '[hosts."*.bank.com"]\npins = ["now"]\nbackup-pins = ["next"]\n'


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """Return a folder with a policy that Android can say, one that it cannot, and one of a public suffix."""
    (tmp_path / "open.toml").write_text(OPEN)
    (tmp_path / "shut.toml").write_text(SHUT)
    (tmp_path / "suffix.toml").write_text(OPEN.replace("**.bank.com", "**.github.io"))
    (tmp_path / "internal.toml").write_text(OPEN.replace("**.bank.com", "bank.internal"))
    (tmp_path / "many.toml").write_text(
        SHUT + "".join(f'[hosts."*.h{number}.com"]\npins = ["now"]\n' for number in range(30))
    )
    return tmp_path


def test_file_is_the_whole_answer(policies: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """The target's file is on standard output, octet for octet, and nothing beside it."""
    assert main(["export", "android", "--policy", str(policies / "open.toml")]) == 0
    out, err = capfdbinary.readouterr()
    assert out.startswith(b'<?xml version="1.0" encoding="utf-8"?>\n<network-security-config>\n')
    assert (out.endswith(b"</network-security-config>\n"), err) == (True, b"")


def test_refusal_names_host_feature_and_ways_out(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the target cannot say is refused with host, feature and each honest choice; nothing is written."""
    assert main(["export", "android", "--policy", str(policies / "shut.toml")]) == 2
    out, err = capsys.readouterr()
    assert "" == out
    assert "pinscher: error: android: *.bank.com: the target cannot stop after one label [one-label]\n" in err
    assert 'pinscher: hint: write "**.bank.com" in the policy; or list the hosts one by one; or say ' in err
    assert "--accept-loss=one-label, and every name below bank.com is treated alike\n" in err


def test_accepted_losses_are_written_and_warned_of(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Losses that are accepted by name are warned of and recorded in the file; one not needed is a hint."""
    accepted = [f"--accept-loss={name}" for name in ("unlisted-hosts", "one-label", "apex", "ca-pins")]
    assert main(["export", "android", "--policy", str(policies / "shut.toml"), *accepted]) == 0
    out, err = capsys.readouterr()
    assert 3 == out.count("<!-- given up: ") == err.count("pinscher: warning: android: ")
    assert "pinscher: hint: --accept-loss=ca-pins was not needed" in err


def test_json_has_the_documented_fields(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON answer has the file, or every reason why there is none."""
    assert main(["export", "android", "--json", "--policy", str(policies / "open.toml")]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {"format", "file_name", "policy", "content", "given_up"} == set(answer)
    assert answer["policy"]["digest"] == Policy.loads(OPEN).digest
    assert main(["export", "android", "--json", "--policy", str(policies / "shut.toml")]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert {"format", "file_name", "policy", "error", "losses"} == set(answer)
    assert {"name", "host", "feature", "choices", "given_up"} == set(answer["losses"][0])


def test_long_refusals_are_cut_short(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A refusal for very many hosts tells the first, says how many more there are, and has them all in its JSON."""
    assert main(["export", "android", "--json", "--policy", str(policies / "many.toml")]) == 2
    out, err = capsys.readouterr()
    losses = json.loads(out)["losses"]
    assert f"pinscher: error: android: and {len(losses) - 20} more; --json lists them all" == err.splitlines()[-1]


def test_variant_is_another_form(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A variant writes the format's other form; one that is not there is told with those that are."""
    path = str(policies / "open.toml")
    assert main(["export", "okhttp", "--policy", path, "--variant", "java"]) == 0
    assert "import okhttp3.CertificatePinner;" in capsys.readouterr().out
    assert main(["export", "okhttp", "--policy", path, "--variant", "cobol"]) == 2
    assert "okhttp has the variants kotlin, java, found 'cobol'" in capsys.readouterr().err
    assert main(["export", "go", "--policy", path, "--variant", "java"]) == 2
    assert "go has no variants, found 'java'" in capsys.readouterr().err


def test_public_suffixes_come_from_the_bundled_list(
    policies: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a name is a public suffix is answered by the list that was installed, and nothing is fetched."""

    def refused(*_arguments: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refused)
    assert main(["export", "trustkit", "--policy", str(policies / "open.toml")]) == 0
    assert "bank.com" in plistlib.loads(capsys.readouterr().out.encode())["TSKConfiguration"]["TSKPinnedDomains"]
    assert main(["export", "trustkit", "--policy", str(policies / "suffix.toml")]) == 2
    assert "trustkit: github.io: TrustKit stops the application" in capsys.readouterr().err
    assert main(["export", "trustkit", "--policy", str(policies / "internal.toml")]) == 2
    assert "trustkit: bank.internal: TrustKit stops the application" in capsys.readouterr().err


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_written(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every format writes a policy of one host and one certificate's pins, or says why it cannot."""
    (tmp_path / "plain.toml").write_text(OPEN.replace("**.bank.com", "bank.com"))
    code = main(["export", name, "--policy", str(tmp_path / "plain.toml"), "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert (code == 0) is ("content" in answer)
    assert (code == 2) is ("losses" in answer)
    refusing = {"fingerprint", "hpkp", "chromium", "tlsa"}
    assert code == 0 or name in refusing, answer


def test_unknown_format_and_missing_policy_are_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    """A format that is not there is told with those that are; a policy that is not there by its path."""
    assert main(["export", "nonsense", "--policy", "x"]) == 2
    assert "there is no format 'nonsense'; there are android, " in capsys.readouterr().err
    assert main(["export", "go", "--policy", "nowhere.toml"]) == 2
    assert "cannot read 'nowhere.toml'" in capsys.readouterr().err


def test_help_names_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    """The help names every format."""
    main(["export", "--help"])
    words = capsys.readouterr().out.split()
    assert [] == [name for name in FORMATS if name not in words]
