"""The page about probing, followed as a reader would: its list saved, its commands run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer
from pinscher.pin import Pin

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "probe-endpoints.md"


def test_the_page_about_probing_is_true(tmp_path: Path) -> None:
    """Every command of the page runs on a list of its form, with the loopback in place of the network."""
    root = Authority.root()
    held = root.intermediate().issue("api.bank.example", "mail.bank.example")
    (tmp_path / "root.pem").write_bytes(root.pem)
    (tmp_path / "pins.toml").write_text(
        f'format = 1\nname = "bank"\nversion = 1\n[hosts."**.bank.example"]\npins = ["{Pin.of(held.der)}"]\n'
    )
    text = PAGE.read_text(encoding="utf-8")
    commands = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
    assert 4 == len(commands)
    listed = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    assert listed is not None
    environment = os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    with TlsServer(held) as server, TlsServer(held, protocol="smtp") as mail:
        endpoints = listed[1].replace("443", str(server.port)).replace(":25", f":{mail.port}")
        (tmp_path / "endpoints.txt").write_text(endpoints)
        for command in commands:
            here = command.replace(
                "pinscher probe", "pinscher probe --ca-file root.pem --connect 127.0.0.1", 1
            ).replace("127.0.0.1:5353", f"127.0.0.1:{server.port}")
            ran = subprocess.run(
                ["sh", "-c", here], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
                timeout=60,
            )  # fmt: skip
            assert (0, "") == (ran.returncode, ran.stderr), here
            told = (tmp_path / "answers.jsonl").read_text() if ">" in command else ran.stdout
            assert 2 == len(re.findall(r"\bmatch\b", told)), told
    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert {"tls", "smtp"} == {answer["protocol"] for answer in answers}
    assert {False} == {answer["timestamps"]["verified"] for answer in answers}
