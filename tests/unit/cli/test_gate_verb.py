"""``pinscher gate``."""

from __future__ import annotations

import json
import os
import plistlib
import shutil
import subprocess
import zipfile
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main
from pinscher.cli.deployed import UndeterminedFileError, all_deployed, read_deployed
from pinscher.lab.authority import Authority
from pinscher.pin import Pin
from pinscher.policy import Policy

if TYPE_CHECKING:
    from pathlib import Path

ROOT = Authority.root("Bank Root")
MIDDLE = ROOT.intermediate("Bank Middle")
OLD, NEW = MIDDLE.issue("api.bank.example"), MIDDLE.issue("api.bank.example")
BASE = ["gate", "--new-cert", "new.pem", "--ca-file", "ca.pem"]
CHAINED = [*BASE, "--chain", "chain.pem"]
NETWORK_SECURITY = """<network-security-config><domain-config>
<domain includeSubdomains="false">api.bank.example</domain>
<pin-set><pin digest="SHA-256">{}</pin><pin digest="SHA-256">{}</pin></pin-set>
</domain-config></network-security-config>"""


def _policy(*pins: Pin, host: str = "api.bank.example") -> str:
    told = ", ".join(f'"{pin}"' for pin in pins)
    return f'format = 1\nname = "bank"\nversion = 1\n[hosts."{host}"]\npins = [{told}]\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that the command runs in, with certificates, policies and an inventory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "releases").mkdir()
    old, new, root = (Pin.of(der) for der in (OLD.der, NEW.der, ROOT.certificate))
    for name, content in {
        "new.pem": NEW.pem,
        "chain.pem": MIDDLE.pem,
        "ca.pem": ROOT.pem,
        "old.toml": _policy(old).encode(),
        "both.json": Policy.loads(_policy(old, new)).to_json(),
        "root.toml": _policy(root).encode(),
        "elsewhere.toml": _policy(old, host="other.example").encode(),
        "app.xml": NETWORK_SECURITY.format(*(str(pin).removeprefix("sha256/") for pin in (old, root))).encode(),
        "releases/2.3.toml": _policy(old).encode(),
        "releases/2.4.toml": _policy(old, new).encode(),
    }.items():
        (tmp_path / name).write_bytes(content)
    entry = '[[deployments]]\napplication = "{}"\nversion = "{}"\npolicy = "{}"\n{}\n'
    rows = [("bank-app", "2.3", "2.3.toml", "share = 0.3"), ("bank-app", "2.4", "2.4.toml", "share = 0.6")]
    rows += [
        ("bank-app", "2.2", "2.3.toml", "share = 0.05"),
        ("kiosk", "1", "2.3.toml", ""),
        ("kiosk", "2", "2.3.toml", ""),
    ]
    inventory = "format = 1\n" + "".join(entry.format(*row) for row in rows)
    (tmp_path / "releases" / "deployments.toml").write_text(inventory)
    return tmp_path


def test_certificate_that_every_client_accepts_is_a_good_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """A certificate with a pinned key on its path is accepted, and the answer says by which pin."""
    assert main([*CHAINED, "--deployed", "both.json", "--deployed", "root.toml"]) == 0
    out, err = capsys.readouterr()
    assert f"accepts  both.json  api.bank.example  pin {Pin.of(NEW.der)}" in out
    assert f"accepts  root.toml  api.bank.example  pin {Pin.of(ROOT.certificate)}" in out
    assert "" == err


def test_refusal_says_which_clients_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """A certificate that a released version refuses is a bad answer, with the share of users and the way out."""
    assert main([*CHAINED, "--deployments", "releases/deployments.toml"]) == 1
    out, err = capsys.readouterr()
    assert "REFUSES  bank-app 2.3 (30 %)  api.bank.example  no-matching-pin: CN=api.bank.example <- CN=Bank Mi" in out
    assert "accepts  bank-app 2.4 (60 %)" in out
    assert "refused: 35 % of the users of bank-app" in out
    assert "refused: an unknown share of the users of kiosk" in out
    assert f"or wait until clients have {Pin.of(NEW.der)}" in err


def test_files_of_other_platforms_are_deployed_too(capsys: pytest.CaptureFixture[str]) -> None:
    """An application's own file is judged as the policy that it stands for, by its name or by the one given."""
    assert main([*CHAINED, "--deployed", "app.xml", "--deployed", "android=app.xml"]) == 0
    assert 2 == capsys.readouterr().out.count("accepts")


def test_packages_of_both_shops_are_deployed_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An APK that Android's own resource compiler built, and an IPA, are judged by the pins inside them."""
    aapt = shutil.which("aapt")
    if aapt is None and not os.environ.get("CI"):
        pytest.skip("aapt is not installed")
    assert aapt is not None, "CI installs aapt"
    (folder / "res" / "xml").mkdir(parents=True)
    (folder / "app.xml").rename(folder / "res" / "xml" / "network_security_config.xml")
    (folder / "AndroidManifest.xml").write_text('<manifest package="com.example.app"><application/></manifest>')
    subprocess.run(
        [aapt, "package", "-f", "-M", "AndroidManifest.xml", "-S", "res", "-F", "app.apk"],
        cwd=folder, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    keys = [{"SPKI-SHA256-BASE64": str(Pin.of(OLD.der)).removeprefix("sha256/")}]
    pinned = {"NSPinnedDomains": {"api.bank.example": {"NSPinnedLeafIdentities": keys}}}
    with zipfile.ZipFile(folder / "app-2.3.ipa", "w") as archive:
        archive.writestr("Payload/Bank.app/Info.plist", plistlib.dumps({"NSAppTransportSecurity": pinned}))
    assert main([*CHAINED, "--json", "--deployed", "app.apk", "--deployed", "app-2.3.ipa"]) == 1
    told = [(one["file"], one["answer"]) for one in json.loads(capsys.readouterr().out)["answers"]]
    assert [("app.apk", "accepts"), ("app-2.3.ipa", "refuses")] == told


def test_without_a_chain_an_authoritys_pin_cannot_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Without the chain a policy that pins its CA is no answer, and a hint says what to hand in; a refusal outweighs."""
    assert main([*BASE, "--deployed", "root.toml"]) == 2
    out, err = capsys.readouterr()
    assert "CANNOT TELL  root.toml" in out
    assert "hand in what the server will send with --chain" in err
    assert main([*BASE, "--deployed", "both.json"]) == 0


def test_chain_may_follow_the_certificate_in_its_file(folder: Path) -> None:
    """A file that holds the certificate and its chain needs no other."""
    (folder / "new.pem").write_bytes(NEW.chain_pem)
    assert main([*BASE, "--deployed", "root.toml"]) == 0


def test_host_that_nobody_lists_is_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no deployed policy lists any of the hosts, nothing was judged, and that is no answer."""
    assert main([*CHAINED, "--deployed", "elsewhere.toml"]) == 2
    assert "no deployed policy lists any of these hosts" in capsys.readouterr().err
    assert main([*CHAINED, "--deployed", "elsewhere.toml", "--host", "Other.example"]) == 1


def test_file_that_cannot_be_read_does_not_hide_a_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    """A deployed file that cannot be read is no answer, and the others are judged all the same."""
    assert main([*CHAINED, "--deployed", "gone.toml", "--deployed", "both.json"]) == 2
    assert main([*CHAINED, "--deployed", "gone.toml", "--deployed", "old.toml", "--json"]) == 1
    assert 2 == capsys.readouterr().err.count("pinscher: error: cannot read 'gone.toml'")


def test_json_has_the_documented_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON answer has exactly the documented fields."""
    inventories = ["--deployments", "releases/deployments.toml", "--deployments", "none.toml"]
    assert main([*CHAINED, "--json", "--deployed", "both.json", *inventories]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert {"at", "certificate", "refused", "shares", "unread", "answers", "clients"} == set(answer)
    assert {"pin": str(Pin.of(NEW.der)), "subject": "CN=api.bank.example", "names": ["api.bank.example"]} == {
        name: value for name, value in answer["certificate"].items() if name != "not_after"
    }
    assert (True, {"bank-app": "0.35", "kiosk": None}) == (answer["refused"], answer["shares"])
    assert ["none.toml"] == [one["file"] for one in answer["unread"]]
    good, bad = answer["answers"][:2]
    assert {"file", "application", "version", "share", "host", "answer", "outcome", "matched", "text", "advice",
            "path"} == set(good)  # fmt: skip
    assert ("accepts", "match", None, None) == (good["answer"], good["outcome"], good["application"], good["advice"])
    assert ("refuses", "no-matching-pin", "0.3") == (bad["answer"], bad["outcome"], bad["share"])
    assert ["leaf", "intermediate", "root"] == [one["role"] for one in bad["path"]]


def test_markdown_keeps_a_strangers_text_apart(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The answer for a pull request is a table in which names stand in code spans, and no name ends one."""
    (folder / "a`|b.toml").write_text(_policy(Pin.of(OLD.der)))
    arguments = ["--deployed", "a`|b.toml", "--deployed", "both.json", "--deployments", "releases/deployments.toml"]
    assert main([*CHAINED, "--markdown", *arguments]) == 1
    out = capsys.readouterr().out
    assert out.startswith("### New certificate `CN=api.bank.example`: 5 refusals\n")
    assert r"| **REFUSES** | `a\x60\x7cb.toml` | `api.bank.example` | `no-matching-pin: " in out
    assert f"| accepts | `both.json` | `api.bank.example` | `pin {Pin.of(NEW.der)}` |" in out
    assert "**Refused: 35 %** of the users of `bank-app`." in out
    assert "\n- issue with a key that is pinned" in out


def test_markdown_of_a_good_answer_has_no_advice(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing is refused, the answer for a pull request ends with its table."""
    assert main([*CHAINED, "--markdown", "--deployed", "both.json"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("` |")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (CHAINED, "nothing is deployed"),
        ([*CHAINED, "--deployed", "both.json", "--json", "--markdown"], "--json and --markdown are two answers"),
        ([*CHAINED, "--deployed", "both.json", "--host", "a..b"], "it has an empty label"),
        (["gate", "--new-cert", "gone.pem", "--deployed", "both.json"], "cannot read 'gone.pem'"),
        (["gate", "--new-cert", "old.toml", "--deployed", "both.json"], "old.toml"),
        ([*CHAINED, "--ca-file", "old.toml", "--deployed", "both.json"], "expected PEM certificates"),
    ],
)
def test_unusable_input_is_no_answer(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be used is told in one line, and is no answer."""
    assert main(arguments) == 2
    assert told in capsys.readouterr().err


def test_the_one_damaged_file_of_several_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of several deployed files, the one that cannot be read or that no policy says the same as is named."""
    pin = "A" * 43 + "="
    exact = {"NSIncludesSubdomains": True, "NSPinnedCAIdentities": [{"SPKI-SHA256-BASE64": pin}],
             "NSPinnedLeafIdentities": [{"SPKI-SHA256-BASE64": pin}]}  # fmt: skip
    ats = {"NSAppTransportSecurity": {"NSPinnedDomains": {"bank.com": exact}}}
    (folder / "a.plist").write_bytes(plistlib.dumps(ats))
    (folder / "b.xml").write_text("<network-security-config>")
    deployed = ["--deployed", "old.toml", "--deployed", "a.plist", "--deployed", "b.xml"]
    main([*CHAINED, *deployed])
    first, *_, last = (one for one in capsys.readouterr().err.splitlines() if "error: " in one)
    assert first.startswith("pinscher: error: a.plist: 'apple' cannot say the same:")
    assert "pinscher: error: b.xml: android file, line 1: it is not well-formed XML" == last


def test_moment_may_be_another(capsys: pytest.CaptureFixture[str]) -> None:
    """A certificate is judged at the moment that is given, and past its end every client refuses it."""
    assert main([*CHAINED, "--deployed", "both.json", "--at", "2100-01-01"]) == 1
    assert "the certificate expired on" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["app.bin", "trustkit", "x=app.toml.gz"])
def test_file_of_unknown_kind_is_refused(name: str) -> None:
    """A file whose name does not tell its dialect is refused with the names that do."""
    with pytest.raises(UndeterminedFileError, match="expected a policy"):
        read_deployed(name)


def test_everything_deployed_is_read_in_order() -> None:
    """Policies come first, then releases with their shares, and paths in an inventory are relative to it."""
    found, failed = all_deployed(("old.toml",), ("releases/deployments.toml",))
    assert [] == failed
    assert ["old.toml", "bank-app 2.3", "bank-app 2.4"] == [one.client for one in found[:3]]
    assert Decimal("0.3") == (found[1].deployment.share if found[1].deployment else None)
