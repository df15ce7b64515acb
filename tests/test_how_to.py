"""The how-to pages, followed as a reader would: their files saved, their commands run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer
from pinscher.pin import Pin

if TYPE_CHECKING:
    from collections.abc import Callable

PAGES = Path(__file__).parent.parent / "docs" / "how-to"
FAMILY = ["--family", "substitution"]
"""What the commands of a page are tried on; to play everything takes a minute for a script of Python."""
EXIT_CODES = [0, 1, 0, 1, 0, 0]
"""How the commands of the page about clients end, in order."""


def _blocks(page: str, language: str) -> list[tuple[str, str]]:
    """Return the code blocks of a page in one language, each with the paragraph before it."""
    text = (PAGES / page).read_text(encoding="utf-8")
    return re.findall(rf"([^\n]*)\n\n```{language}\n(.*?)```", text, re.DOTALL)


COMMANDS = [
    line.removeprefix("$ ")
    for _, block in _blocks("judge-a-client.md", "console")
    for line in block.splitlines()
    if line.startswith("$ pinscher")
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the page says to save."""
    for before, block in _blocks("judge-a-client.md", "python"):
        name = re.findall(r"`(\w+\.py)`", before)[-1]
        (tmp_path / name).write_text(block)
    return tmp_path


def test_every_command_has_an_end() -> None:
    """Each command of the page is tried here."""
    assert len(EXIT_CODES) == len(COMMANDS)


@pytest.mark.parametrize(("command", "code"), list(zip(COMMANDS, EXIT_CODES, strict=True)))
def test_a_client_is_judged_from_the_page_alone(folder: Path, command: str, code: int) -> None:
    """Each command of the page about clients ends as the page says."""
    words = shlex.split(command)
    arguments = [*words[1:3], *FAMILY, *words[3:]]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ran = subprocess.run(
        [sys.executable, "-m", "pinscher.cli", *arguments],
        cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert code == ran.returncode, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_page_about_pytest_is_true(tmp_path: Path) -> None:
    """The tests that the page shows pass, as they stand there, in a run of pytest of their own."""
    for number, (_, block) in enumerate(_blocks("pytest.md", "python")):
        narrowed = block.replace("pin_scenarios(", 'pin_scenarios(family="substitution", ')
        (tmp_path / f"test_{number}.py").write_text(narrowed)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers -p no:cacheprovider\n")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert 0 == ran.returncode, ran.stdout
    assert " passed" in ran.stdout


PIN, BACKUP = "NahLU0GZuWlQxC5iyWPffbj545x3cCad5I+tsIssZ4M=", "C5+lpZ7tcVwmwQIMcRtPbsQtWLABXhQzejna0wHFr8M="
ANDROID = f"""<network-security-config>
  <domain-config>
    <domain includeSubdomains="false">api.bank.com</domain>
    <pin-set><pin digest="SHA-256">{PIN}</pin><pin digest="SHA-256">{BACKUP}</pin></pin-set>
  </domain-config>
</network-security-config>
"""
APPLE = f"""<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0"><dict><key>NSAppTransportSecurity</key><dict><key>NSPinnedDomains</key><dict>
<key>api.bank.com</key><dict><key>NSIncludesSubdomains</key><false/><key>NSPinnedLeafIdentities</key><array>
<dict><key>SPKI-SHA256-BASE64</key><string>{PIN}</string></dict>
<dict><key>SPKI-SHA256-BASE64</key><string>{BACKUP}</string></dict>
</array></dict></dict></dict></dict></plist>
"""
ROLES = f"""
[keys.api-2026]
pin = "sha256/{PIN}"
role = "leaf"
[keys.api-backup]
pin = "sha256/{BACKUP}"
role = "leaf"
"""


def _ran(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_the_page_about_platforms_is_true(tmp_path: Path) -> None:
    """Every command of the page about platforms runs, on files like those that it speaks of."""
    commands = [block for _, block in _blocks("one-policy-every-platform.md", "") if "pinscher " in block[:10]]
    commands += [block for _, block in _blocks("one-policy-every-platform.md", "") if "pinscher diff" in block]
    android = tmp_path / "app" / "src" / "main" / "res" / "xml" / "network_security_config.xml"
    android.parent.mkdir(parents=True)
    for path in (android, tmp_path / "network_security_config.xml"):
        path.write_text(ANDROID)
    (tmp_path / "Info.plist").write_text(APPLE)
    imported = _ran(commands[0], tmp_path)
    assert (0, "") == (imported.returncode, imported.stderr)
    compared = _ran(next(one for one in commands if "import apple" in one), tmp_path)
    assert compared.returncode in (0, 1), compared.stderr
    converting = next(one for one in commands if one.startswith("pinscher convert"))
    converted = _ran(f"{converting.rstrip()} --key api-backup leaf sha256/{BACKUP}", tmp_path)
    assert 0 == converted.returncode, converted.stderr
    assert PIN in converted.stdout
    with (tmp_path / "pins.toml").open("a") as policy:
        policy.write(ROLES)
    for line in next(one for one in commands if one.startswith("pinscher export")).splitlines():
        exported = _ran(line, tmp_path)
        assert 0 == exported.returncode, exported.stderr
    assert all(PIN in (tmp_path / name).read_text() for name in ("network_security_config.xml", "Pins.plist"))
    (tmp_path / "old.toml").write_text((tmp_path / "pins.toml").read_text())
    (tmp_path / "pins.toml").write_text((tmp_path / "pins.toml").read_text().replace("version = 1", "version = 2"))
    told = _ran("pinscher diff --markdown old.toml pins.toml", tmp_path)
    assert 0 == told.returncode, told.stdout + told.stderr


def test_the_page_about_the_gate_is_true(tmp_path: Path) -> None:
    """The commands of the page about the gate run on the inventory that it shows: one version refuses, the other not."""
    from pinscher.lab.authority import Authority
    from pinscher.pin import Pin

    root = Authority.root()
    middle = root.intermediate()
    old, new = (middle.issue("api.bank.example") for _ in range(2))
    pinned = f'format = 1\nname = "x"\nversion = 1\n[hosts."api.bank.example"]\npins = ["{Pin.of(old.der)}"]\n'
    android = ANDROID.replace("api.bank.com", "api.bank.example").replace(PIN, str(Pin.of(new.der))[7:])
    (_, inventory), *_ = _blocks("gate-a-certificate.md", "toml")
    (tmp_path / "releases").mkdir()
    for name, text in {
        "deployments.toml": inventory, "releases/pins-2.3.toml": pinned, "pins.toml": pinned,
        "releases/network_security_config.xml": android, "network_security_config.xml": android,
        "new.pem": new.pem.decode(), "chain.pem": middle.pem.decode(), "ca.pem": root.pem.decode(),
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    commands = [line.removeprefix("$ ").strip() for _, line in _blocks("gate-a-certificate.md", "console")]
    assert 2 == len(commands)
    for command in commands:
        asked = _ran(f"{command} --ca-file ca.pem", tmp_path)
        assert (1, 1, 1) == (asked.returncode, asked.stdout.count("REFUSES"), asked.stdout.count("accepts")), asked
    (tmp_path / "old.toml").write_text(pinned)
    (tmp_path / "pins.toml").write_text(pinned.replace("version = 1", "version = 2").replace(*_both(old.der, new.der)))
    (compared,) = (_ran(command, tmp_path) for command in _commands("gate-a-certificate.md"))
    assert (1, 1) == (compared.returncode, compared.stdout.count("STRANDED")), compared
    assert "12 % of the users of bank-app" in compared.stdout


def _both(old: bytes, new: bytes) -> tuple[str, str]:
    """Return the pin of one certificate and that of the other, to put the second in place of the first."""
    return str(Pin.of(old)), str(Pin.of(new))


def _forwarded(command: str, folder: Path, port: int, meanwhile: Callable[[str], None]) -> str:
    """Run a command of the page with its upstreams on the loopback, and return what it said until it was stopped."""
    words = [re.sub(r"(example):\d+$", rf"\1:{port}", word) for word in shlex.split(command)[1:]]
    words = [re.sub(r"^(127\.0\.0\.1)?:\d+$", "127.0.0.1:0", word) for word in words]
    started = [sys.executable, "-m", "pinscher.cli", *words, "--ca-file", "ca.pem", "--connect", "127.0.0.1"]
    with subprocess.Popen(started, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        listens = process.stdout.readline().split(" -> ")[0]
        meanwhile(listens)
        process.terminate()
        # What came with the first line waits in the stream's buffer, which communicate() passes over.
        assert process.stderr is not None
        rest, said = process.stdout.read(), process.stderr.read()
        assert 0 == process.wait(30), said
        return f"{listens}\n{rest}{said}"


def test_the_page_about_forwarding_is_true(tmp_path: Path) -> None:
    """Every forwarder of the page runs as it stands there, and curl reaches a pinned server through the first."""
    root = Authority.root("Lab Root")
    held = root.issue("api.bank.example", "shop.bank.example", "db.bank.example")
    (tmp_path / "ca.pem").write_bytes(root.pem)
    hosts = "".join(f'[hosts."{name}.bank.example"]\npins = ["{Pin.of(held.der)}"]\n' for name in ("api", "shop", "db"))
    (tmp_path / "pins.toml").write_text(f'format = 1\nname = "bank"\nversion = 1\n{hosts}')
    lines = [line.removeprefix("$ ") for _, block in _blocks("forward.md", "console") for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("pinscher forward")]
    curl = next(line for line in lines if line.startswith("curl "))

    def fetched(listens: str) -> None:
        done = _ran(curl.replace("127.0.0.1:8080", listens).replace("curl", "curl --noproxy '*'", 1), tmp_path)
        assert (0, "") == (done.returncode, done.stderr)

    with TlsServer(held) as server:
        assert "stopped" in _forwarded(commands[0], tmp_path, server.port, fetched)
        server.wait_idle()
        assert 0 < server.application_bytes
        told = [_forwarded(command, tmp_path, server.port, lambda _: None) for command in commands[1:]]
    assert 4 == len(commands)
    assert all("0 open connections were cut" in one for one in told)
    assert "unix:shop.socket -> shop.bank.example" in told[0]


def test_the_page_about_finding_what_to_pin_is_true(tmp_path: Path) -> None:
    """Every command of the page runs, on files like those that it speaks of, and ends well."""
    url = "https://api.bank.example/v1/payments"
    (tmp_path / "session.har").write_text(
        f'{{"log": {{"entries": [{{"request": {{"method": "POST", "url": "{url}", "headers": '
        '[{"name": "Authorization", "value": "Bearer x"}]}}]}}'
    )
    (tmp_path / "openapi.yaml").write_text(f"openapi: 3.1.0\nservers:\n- url: {url}\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(f'URL = "{url}"\n')
    (tmp_path / "app.py").write_text("import socket\nsocket.getaddrinfo('127.0.0.1', 443)\n")
    (tmp_path / "chain.pem").write_bytes(Authority.root().issue("api.bank.example").chain_pem)
    blocks = _blocks("find-what-to-pin.md", "console")
    commands = [line[2:] for _, block in blocks for line in block.splitlines() if line.startswith("$ ")]
    assert 5 == len(commands)
    for command in commands:
        ran = _ran(command, tmp_path)
        assert 0 == ran.returncode, ran.stdout + ran.stderr
    assert "api.bank.example" in (tmp_path / "draft.toml").read_text()
    assert "report-only" in (tmp_path / "pinned.toml").read_text()


def _commands(page: str) -> list[str]:
    """Return the commands of a page's blocks without a language, one by one."""
    blocks = (block for _, block in _blocks(page, ""))
    return [line for block in blocks for line in block.splitlines() if line.startswith("pinscher ")]


def test_the_page_about_survival_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of the page about survival ends as it says, on a host below a root and its cross-sign."""
    from pinscher.lab.encoding import pem

    after = datetime.now(UTC) + timedelta(days=900)
    old, new = (Authority.root(name, not_after=after) for name in ("Old Root", "New Root"))
    issuing, second = (new.intermediate(name, not_after=after) for name in ("Issuing CA", "Issuing CA 2"))
    held = issuing.issue("api.bank.example")
    (tmp_path / "chain.pem").write_bytes(held.chain_pem)
    (tmp_path / "intermediates.pem").write_bytes(new.cross_signed_by(old).pem)
    (tmp_path / "next.pem").write_bytes(second.pem)
    (tmp_path / "roots.pem").write_bytes(pem("CERTIFICATE", old.certificate, new.certificate))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    head = 'format = 1\nname = "bank"\nversion = 1\n[hosts."api.bank.example"]\n'
    commands = _commands("prove-a-pin-set-survives.md")
    for day, moment in (("2026-11-21", datetime.now(UTC)), ("2027-11-21", datetime.now(UTC) + timedelta(days=365))):
        commands = [command.replace(day, f"{moment:%Y-%m-%dT%H:%M:%SZ}") for command in commands]
    (tmp_path / "deployments.toml").write_text(
        'format = 1\n[[deployments]]\napplication = "app"\nversion = "2.3"\npolicy = "pins.toml"\n'
    )
    for pinned, codes in ((held.der, [0, 0, 1, 0, 0]), (new.certificate, [0] * 5), (old.certificate, [1] * 5)):
        (tmp_path / "pins.toml").write_text(f'{head}pins = ["{Pin.of(pinned)}"]\n')
        ran = [_ran(command, tmp_path) for command in commands]
        assert codes == [one.returncode for one in ran], [one.stdout + one.stderr for one in ran]
        assert ["trusted by system" in one.stdout for one in ran] == [code == 1 for code in codes]


def test_the_page_about_rotation_is_true(tmp_path: Path) -> None:
    """Every command of the page about rotation makes a plan from the curve that the page shows."""
    ((_, curve),) = _blocks("plan-a-rotation.md", "csv")
    (tmp_path / "adoption.csv").write_text(curve)
    (tmp_path / "server.pem").write_bytes(Authority.root().issue("api.bank.example").pem)
    (tmp_path / "pins.toml").write_text(
        f'format = 1\nname = "x"\nversion = 1\n[hosts."api.bank.example"]\npins = ["sha256/{PIN}"]\n'
    )
    (tmp_path / "deployments.toml").write_text(
        'format = 1\n[[deployments]]\napplication = "app"\nversion = "2.3"\npolicy = "pins.toml"\nshare = 1\n'
        f"since = {datetime.now(UTC) - timedelta(days=20):%Y-%m-%d}\n"
    )
    commands = [f"{command} --at {datetime.now(UTC):%Y-%m-%d}" for command in _commands("plan-a-rotation.md")]
    ran = [_ran(command, tmp_path) for command in commands]
    assert [(0, "")] * 4 == [(one.returncode, one.stderr) for one in ran]
    assert "breaks: app 2.3 (100 %)" in ran[2].stdout
    dated = _ran(f"{_commands('plan-a-rotation.md')[0]} --at 2026-11-21", tmp_path)
    shown = next(block for _, block in _blocks("plan-a-rotation.md", "") if " switch " in block)
    assert shown in dated.stdout
    assert {"plan.svg", "plan.ics"} <= {path.name for path in tmp_path.iterdir()}
