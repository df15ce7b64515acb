"""The page about the monitor, followed as a reader would, and its reference held against the code."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "serve.md"
REFERENCE = Path(__file__).parent.parent / "docs" / "reference" / "monitor.md"
POLICY = f'format = 1\nname = "bank-app"\nversion = 1\n[hosts."127.0.0.1"]\npins = ["sha256/{"A" * 43}="]\n'


def test_the_page_about_the_monitor_is_true(tmp_path: Path) -> None:
    """The monitor starts as the page says, and every request of the page is answered."""
    (tmp_path / "pins.toml").write_text(POLICY)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        text = PAGE.read_text(encoding="utf-8").replace("8080", str(free.getsockname()[1]))
    commands = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
    environment = os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    serve = next(command for command in commands if command.startswith("pinscher serve"))
    asked = [command for command in commands if command.startswith("curl")]
    assert 6 == len(asked)
    with subprocess.Popen(serve.split(), cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            token = process.stdout.readline().split()[-1]
            assert "/welcome/" in process.stdout.readline()
            assert "listening on" in process.stdout.readline()
            told = [
                subprocess.run(
                    ["sh", "-c", command.replace("curl", "curl --noproxy '*' -f", 1)],
                    env=environment | {"TOKEN": token},
                    check=True,
                    capture_output=True,
                    text=True,
                    timeout=60,
                ).stdout
                for command in asked
            ]
        finally:
            process.send_signal(signal.SIGTERM)
            assert "stopped\n" == process.stdout.read() if process.stdout else False
    assert 0 == process.returncode
    for expected, answer in zip(
        ('"ok"', "pinscher_looks", "127.0.0.1:443", '"findings"', "pinscher-application-", '"incidents"'),
        told,
        strict=True,
    ):
        assert expected in answer


def test_every_route_is_in_the_reference() -> None:
    """Each address of the interface stands in its table."""
    from pinscher.monitor.web import api, collecting, health

    text = REFERENCE.read_text(encoding="utf-8")
    for route in (*health.ROUTES, *collecting.ROUTES, *api.ROUTES):
        path = route.path.replace("{number:number}", "N")
        assert f"{path}`" in text or path.endswith("/{token}"), path


def test_every_page_is_in_the_reference() -> None:
    """Each page of the dashboard that somebody can load stands in its table, or in the words above and below it."""
    from pinscher.monitor.web import pages

    text = REFERENCE.read_text(encoding="utf-8") + PAGE.read_text(encoding="utf-8")
    shown = [route.path for route in pages.ROUTES if "GET" in (route.methods or ()) and "/static/" not in route.path]
    for path in shown:
        name = path.replace("{number:number}", "N").replace("{secret}", "")
        assert f"`{name}`" in text or (path.startswith("/welcome") and name in text) or path == "/news", path
    assert 15 == len(shown)


def test_every_finding_and_cause_is_in_the_reference() -> None:
    """Each rule and each cause of an incident has its place."""
    from pinscher.monitor.judging import IncidentCause
    from pinscher.monitor.transparency.watching import TRANSPARENCY_RULES

    source = "".join(
        path.read_text(encoding="utf-8")
        for path in (Path(__file__).parent.parent / "src/pinscher/monitor/findings").glob("*.py")
    )
    names = [*re.findall(r'rule="([a-z-]+)"', source), *TRANSPARENCY_RULES, *(cause.value for cause in IncidentCause)]
    assert len(names) > 30
    text = REFERENCE.read_text(encoding="utf-8")
    assert [] == [name for name in names if f"`{name}`" not in text]


@pytest.mark.parametrize(
    "name",
    [
        "pinscher_endpoints",
        "pinscher_findings",
        "pinscher_incidents",
        "pinscher_reports_total",
        "pinscher_refused_total",
    ],
)
def test_the_figures_are_in_the_reference(name: str) -> None:
    """Each figure has its row."""
    assert f"`{name}`" in REFERENCE.read_text(encoding="utf-8")
