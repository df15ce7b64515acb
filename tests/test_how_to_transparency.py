"""The page about Certificate Transparency, followed as a reader would, with the log that it makes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

from pinscher.monitor.transparency.logs import LogKind, read_logs
from tests.unit.monitor.scene import AT

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "follow-certificate-transparency.md"
POLICY = f'format = 1\nname = "bank-app"\nversion = 1\n[hosts."api.bank.example"]\npins = ["sha256/{"A" * 43}="]\n'
ENVIRONMENT = os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}


def test_the_page_about_transparency_is_true(tmp_path: Path) -> None:
    """The log of the page is followed by the command of the page, and the foreign certificate is found."""
    text = PAGE.read_text(encoding="utf-8")
    (tmp_path / "pins.toml").write_text(POLICY)
    program = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[0]
    (tmp_path / "a_log.py").write_text(program)
    first, serve = re.findall(r"^\$ (pinscher serve .*)$", text, re.MULTILINE)
    assert serve.startswith(first.replace("log_list.json", "a_log.json"))
    with subprocess.Popen(
        [sys.executable, "a_log.py"], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as log:
        assert log.stdin is not None
        assert log.stdout is not None
        assert "a_log.json names the log" in log.stdout.readline()
        found = _found(f"{serve} --listen 127.0.0.1:0", tmp_path)
        log.communicate("\n")
    assert "was issued by a CA that no pin and no accepted path knows" in found
    assert "CN=Nobody's CA" in found


def _found(serve: str, folder: Path) -> str:
    """Serve until a foreign certificate was found, and return what is said of it."""
    with subprocess.Popen(serve.split(), cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            token = next(line for line in lines if "token" in line).split()[-1]
            url = next(line for line in lines if "listening on" in line).split()[2].rstrip(",")
            request = urllib.request.Request(f"{url}/api/findings", headers={"Authorization": f"Bearer {token}"})
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            for _ in range(300):
                with opener.open(request, timeout=10) as answer:
                    told = json.load(answer)["findings"]
                said = [one["said"] for one in told if one["rule"] == "ct-foreign-ca"]
                if said or threading.Event().wait(0.1):
                    return said[0]
        finally:
            process.send_signal(signal.SIGTERM)
    return ""


def test_a_list_in_the_shape_of_browsers_lists_is_read() -> None:
    """Logs of both kinds are taken from one list; what was retired, or can hold nothing valid any more, is left out."""
    from pinscher.lab.transparency import CtLog

    listed = json.loads(CtLog("a.example/1").listed("https://a.example/1/", is_tiled=True))
    for number, change in enumerate(
        ({}, {"state": {"retired": {}}}, {"temporal_interval": {"end_exclusive": "2026-01-01T00:00:00Z"}})
    ):
        other = json.loads(CtLog().listed(f"https://b{number}.example/", is_tiled=False))["operators"][0]
        other["logs"][0] |= change
        listed["operators"].append(other)
    logs = read_logs(json.dumps(listed).encode(), at=AT)
    assert [(LogKind.TILED, "https://a.example/1"), (LogKind.LISTED, "https://b0.example")] == [
        (log.kind, log.url) for log in logs
    ]
