"""``pinscher probe``."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from loopback import ADDRESS, HOST, Authority, Server
from name_server import NameServer

from pinscher.cli import main
from pinscher.der import SubjectPublicKeyInfo
from pinscher.lab.authority import Authority as LabAuthority
from pinscher.lab.server import TlsServer
from pinscher.pin import Pin

if TYPE_CHECKING:
    from pathlib import Path


def write_policy(path: Path, pinned: bytes, *, host: str = HOST) -> Path:
    """Write a policy that pins one key for one host."""
    path.write_text(f'format = 1\nname = "bank"\nversion = 3\n[hosts."{host}"]\npins = ["{Pin.of(pinned)}"]\n')
    return path


def probe(policy: Path, ca_file: object, *rest: str) -> int:
    """Probe servers of the loopback, trusting one root."""
    reached = ["--connect", ADDRESS, "--ca-file", str(ca_file), "--timeout", "5", "--retries", "0"]
    return main(["probe", "--policy", str(policy), *reached, *rest])


def objects(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the objects of the answer, one for each line."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_answers_come_as_lines_of_json(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each answer is one line with its verdict, both chains with their pins, and what the handshake agreed on."""
    issued = authority.issue()
    policy = write_policy(tmp_path / "pins.toml", issued.der)
    with Server(issued) as server:
        code = probe(policy, authority.ca_file, "--json", server.place)
    (answer,) = objects(capsys)
    assert (0, "match", str(Pin.of(issued.der)), None) == (
        code,
        *(answer[name] for name in ("outcome", "matched", "cause")),
    )
    assert ["leaf", "intermediate", "root"] == [certificate["role"] for certificate in answer["path"]]
    assert 2 == len(answer["presented"])
    assert {"count": 0, "logs": [], "error": None, "verified": False} == answer["timestamps"]
    assert ("TLSv1.3", ADDRESS, 0) == (answer["tls"], answer["address"], server.application_bytes)


def test_a_mismatch_says_why_and_what_next(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bad answer is in capitals, with its cause and the next step, and sets the exit code over a missing one."""
    policy = write_policy(tmp_path / "pins.toml", authority.issue(file="genuine").der)
    rogue = authority.issue(file="rogue")
    with Server(rogue) as server:
        place = server.place
        code = probe(policy, authority.ca_file, place, f"{HOST}:1")
    out = capsys.readouterr().out
    assert 1 == code
    assert f"{place} at {ADDRESS}  NO-MATCHING-PIN  block (enforce), " in out
    assert f"{HOST}:1 at {ADDRESS}  NO ANSWER  no answer from {HOST}:1: {ADDRESS}: connection refused\n" in out
    assert out.endswith("2 answers: 1 bad, 1 missing\n")


def test_no_answer_is_exit_2(authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing answers and nothing is bad, there is no answer."""
    policy = write_policy(tmp_path / "pins.toml", authority.issue().der)
    assert 2 == probe(policy, authority.ca_file, f"{HOST}:1", "--json")
    (answer,) = objects(capsys)
    assert f"no answer from {HOST}:1: {ADDRESS}: connection refused" == answer["error"]


def test_a_list_of_endpoints_is_probed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endpoints are read from a file or standard input, comments left out, each with its own protocol."""
    root = LabAuthority.root()
    held = root.issue("*.bank.test")
    policy = write_policy(tmp_path / "pins.toml", held.der, host="*.bank.test")
    (tmp_path / "root.pem").write_bytes(root.pem)
    with TlsServer(held) as server, TlsServer(held, protocol="smtp") as mail:
        lines = [f"h{number}.bank.test:{server.port}  # a comment" for number in range(20)]
        text = "\n".join(["# endpoints", "", *lines, f"mail.bank.test:{mail.port} smtp"])
        (tmp_path / "list").write_text(text)
        codes = [probe(policy, tmp_path / "root.pem", "--json", "--from", str(tmp_path / "list"), "--per-host", "5")]
        from_file = objects(capsys)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        codes.append(probe(policy, tmp_path / "root.pem", "--json", "--from", "-"))
    for found in (from_file, objects(capsys)):
        assert {"match"} == {answer["outcome"] for answer in found}
        assert 21 == len({answer["endpoint"] for answer in found})
        assert ["smtp"] == [answer["protocol"] for answer in found if answer["host"] == "mail.bank.test"]
    assert [0, 0] == codes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "list:1: expected an endpoint, found none"),
        ("ok.test\nhttps://x/\n", "list:2: endpoint 'https://x/' cannot be used: give the host alone"),
        (
            "ok.test telnet\n",
            "list:1: endpoint 'ok.test telnet' cannot be used: after the endpoint stands one of tls, ",
        ),
    ],
)
def test_a_bad_list_is_told_before_anything_is_probed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    """A line that names no endpoint ends the run with its file and line, before the first connection."""
    policy = write_policy(tmp_path / "pins.toml", LabAuthority.root().certificate)
    (tmp_path / "list").write_text(text)
    assert 2 == main(["probe", "--policy", str(policy), "--from", str(tmp_path / "list")])
    assert message in capsys.readouterr().err


def test_what_cannot_be_asked_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two things from one standard input, a list too long, and a resolver that is no address are refused."""
    policy = write_policy(tmp_path / "pins.toml", LabAuthority.root().certificate)
    (tmp_path / "long").write_bytes(b"#" * (16 << 20) + b"\n#")
    assert [2, 2, 2, 2] == [
        main(["probe", *arguments])
        for arguments in (
            ["--policy", "-", "--from", "-"],
            ["--policy", str(policy), "--from", str(tmp_path / "long")],
            ["--policy", str(policy), "--tlsa", "dns.example"],
            ["--policy", str(policy), "--tlsa", "1.2.3.4:x"],
        )
    ]
    err = capsys.readouterr().err
    for words in ("cannot both be read", "more than 16 MiB", "expected the IP address of a resolver"):
        assert words in err


def test_hosts_of_the_policy_are_probed(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a host every host that the policy names in full is looked at, on the port of its protocol."""
    policy = write_policy(tmp_path / "pins.toml", authority.issue().der)
    probe(policy, authority.ca_file, "--json")
    assert [f"{HOST}:443"] == [answer["endpoint"] for answer in objects(capsys)]


def test_timestamps_and_tlsa_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Damaged timestamps are told as such; TLSA records agree, disagree, are missing, or cannot be had."""
    root = LabAuthority.root()
    identifier = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
    held = root.issue("bank.test", extensions=[x509.UnrecognizedExtension(identifier, b"\x04\x01x")])
    policy = write_policy(tmp_path / "pins.toml", held.der, host="bank.test")
    (tmp_path / "root.pem").write_bytes(root.pem)
    digest = hashlib.sha256(SubjectPublicKeyInfo.of_certificate(held.der).der).hexdigest()
    with TlsServer(held) as server:
        name = f"_{server.port}._tcp.bank.test."
        for records, words in (
            ({name: [f"3 1 1 {digest}"]}, "agrees"), ({name: [f"3 1 1 {'0' * 64}"]}, "DISAGREES"), ({}, "no record"),
        ):  # fmt: skip
            with NameServer(records) as names:
                arguments = [f"bank.test:{server.port}", "--tlsa", f"127.0.0.1:{names.port}"]
                assert 0 == probe(policy, tmp_path / "root.pem", *arguments)
                assert f"  tlsa: {words}\n" in capsys.readouterr().out
                probe(policy, tmp_path / "root.pem", "--json", *arguments)
                (answer,) = objects(capsys)
        assert {"records": [], "authenticated": False, "agrees": None, "error": None} == answer["tlsa"]
        assert "the length of the list is not that of its content" == answer["timestamps"]["error"]
        with NameServer({}, fails=True) as names:
            arguments = [f"bank.test:{server.port}", "--tlsa", f"127.0.0.1:{names.port}"]
            assert 0 == probe(policy, tmp_path / "root.pem", *arguments)
            assert "  tlsa: " in capsys.readouterr().out
            probe(policy, tmp_path / "root.pem", "--json", *arguments)
            assert objects(capsys)[0]["tlsa"]["error"]


def test_a_host_that_is_not_pinned_is_a_good_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An exception of the policy is a good answer without a pin."""
    root = LabAuthority.root()
    policy = tmp_path / "pins.toml"
    policy.write_text('format = 1\nname = "b"\nversion = 1\n[hosts."bank.test"]\nunpinned = "public"\n')
    (tmp_path / "root.pem").write_bytes(root.pem)
    with TlsServer(root.issue("bank.test")) as server:
        assert 0 == probe(policy, tmp_path / "root.pem", f"bank.test:{server.port}")
        place = f"bank.test:{server.port} at {ADDRESS}  not-pinned\n"
    assert place == capsys.readouterr().out


def test_the_progress_bar_takes_no_answer_away(authority: Authority, tmp_path: Path) -> None:
    """With the bar on a terminal, every line of JSON still reaches the file that standard output is."""
    policy = write_policy(tmp_path / "pins.toml", authority.issue().der)
    ours, theirs = os.openpty()
    try:
        command = [sys.executable, "-m", "pinscher.cli", "probe", "--policy", str(policy), "--json", "--retries", "0"]
        ran = subprocess.run(
            [*command, "--connect", ADDRESS, f"{HOST}:1", f"{HOST}:2"],
            stdout=subprocess.PIPE, stderr=theirs, check=False, timeout=60, env=os.environ | {"TERM": "xterm"},
        )  # fmt: skip
    finally:
        os.close(theirs)
        os.close(ours)
    assert (2, 2) == (ran.returncode, len(ran.stdout.splitlines()))
