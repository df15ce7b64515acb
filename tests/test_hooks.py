"""The hooks of docs/hooks, run with real certificates, and certbot's by the real certbot against a real Pebble."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.authority import Authority
from pinscher.pin import Pin
from pinscher.probe import read_keys
from pinscher.rotation.keys import BackupKey, KeyAlgorithm
from tests.conformance.environment import environment
from tests.pebble import looking_pebble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.lab.authority import HeldCertificate
    from pinscher.rotation.keys import Pebble

HOOKS = Path(__file__).parent.parent / "docs" / "hooks"
HOST = "api.bank.example"
ROOT = Authority.root()
MIDDLE = ROOT.intermediate()
OLD, NEW = MIDDLE.issue(HOST), MIDDLE.issue(HOST)
INVENTORY = 'format = 1\n[[deployments]]\napplication = "bank-app"\nversion = "2.3"\npolicy = "pins.toml"\n'


def _policy(*pins: Pin, host: str = HOST) -> str:
    told = ", ".join(f'"{pin}"' for pin in pins)
    return f'format = 1\nname = "bank"\nversion = 1\n[hosts."{host}"]\npins = [{told}]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with an inventory, a policy that pins the old key, and what a server serves now."""
    (tmp_path / "served").mkdir()
    for name, content in {
        "deployments.toml": INVENTORY.encode(), "pins.toml": _policy(Pin.of(OLD.der)).encode(), "ca.pem": ROOT.pem,
        "served/fullchain.pem": b"as before", "served/privkey.pem": b"as before",
        "hook.conf": f"PINSCHER_DEPLOYMENTS={tmp_path}/deployments.toml\nPINSCHER_SERVED={tmp_path}/served\n"
        f"PINSCHER_CA_FILE={tmp_path}/ca.pem\nPINSCHER_RELOAD='touch {tmp_path}/reloaded'\n".encode(),
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
    return tmp_path


def _environment(folder: Path, **more: str) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {"PATH": path, "PINSCHER_HOOK_CONF": str(folder / "hook.conf")} | more


def _hook(name: str, folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HOOKS / f"{name}.sh", *arguments],
        cwd=folder, env=_environment(folder, **more), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@dataclass(frozen=True)
class Tool:
    """How a tool leaves a new certificate, and how it tells its hook."""

    name: str
    files: dict[str, str]
    variables: dict[str, str]
    arguments: tuple[str, ...] = ()


CHAINED = {"new/all.pem": "chain_pem", "new/key.pem": "key_pem"}
TOOLS = [
    Tool(
        "certbot",
        {
            "new/cert.pem": "pem",
            "new/chain.pem": "middle",
            "new/fullchain.pem": "chain_pem",
            "new/privkey.pem": "key_pem",
        },
        {"RENEWED_LINEAGE": "new", "RENEWED_DOMAINS": HOST},
    ),
    Tool("acme-sh", CHAINED, {"CERT_FULLCHAIN_PATH": "new/all.pem", "CERT_KEY_PATH": "new/key.pem", "Le_Domain": HOST}),
    Tool("lego", CHAINED, {"LEGO_CERT_PATH": "new/all.pem", "LEGO_CERT_KEY_PATH": "new/key.pem"}),
    Tool("lego", CHAINED, {"LEGO_HOOK_CERT_PATH": "new/all.pem", "LEGO_HOOK_CERT_KEY_PATH": "new/key.pem"}),
    Tool("caddy", CHAINED, {"CADDY_STORAGE": "."}, ("new/all.pem", "new/key.pem")),
    Tool("cert-manager", {"new/tls.crt": "chain_pem", "new/tls.key": "key_pem"}, {"TLS_SECRET": "new"}),
]


def _renewed(tool: Tool, folder: Path, held: HeldCertificate) -> subprocess.CompletedProcess[str]:
    """Leave a certificate as a tool does, and run the tool's hook as it does."""
    (folder / "new").mkdir(exist_ok=True)
    for name, what in tool.files.items():
        (folder / name).write_bytes(MIDDLE.pem if what == "middle" else getattr(held, what))
    return _hook(tool.name, folder, *tool.arguments, **tool.variables)


def _served(folder: Path) -> tuple[bytes, bytes, bool]:
    """Return what is served, and whether the server was told."""
    names = ("fullchain.pem", "privkey.pem")
    assert sorted(names) == sorted(one.name for one in (folder / "served").iterdir())
    full, key = ((folder / "served" / name).read_bytes() for name in names)
    return full, key, (folder / "reloaded").exists()


def test_every_hook_is_tried() -> None:
    """Each script of the folder is tried here, and can be run."""
    scripts = {one.stem: one for one in HOOKS.glob("*.sh")}
    assert {"gate-then-serve", *(tool.name for tool in TOOLS)} == set(scripts)
    assert all(one.stat().st_mode & stat.S_IXUSR for one in scripts.values())


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: f"{tool.name}-{next(iter(tool.variables))}")
def test_hook_serves_what_clients_accept(folder: Path, tool: Tool) -> None:
    """A certificate whose key is pinned is put where the server reads it, its key for the owner alone, and told."""
    done = _renewed(tool, folder, OLD)
    assert 0 == done.returncode, done.stderr
    assert (OLD.chain_pem, OLD.key_pem, True) == _served(folder)
    assert 0o600 == stat.S_IMODE((folder / "served" / "privkey.pem").stat().st_mode)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: f"{tool.name}-{next(iter(tool.variables))}")
def test_hook_leaves_alone_what_clients_would_refuse(folder: Path, tool: Tool) -> None:
    """A certificate whose key no client knows changes nothing that is served, and the hook fails with the reason."""
    done = _renewed(tool, folder, NEW)
    assert 1 == done.returncode, done.stderr
    assert (b"as before", b"as before", False) == _served(folder)
    assert ("REFUSES  bank-app 2.3" in done.stdout, "is not served" in done.stderr) == (True, True)


def test_no_answer_is_no_reason_to_serve(folder: Path) -> None:
    """Where the gate cannot tell, because no client lists the host or the inventory is gone, nothing is served."""
    (folder / "pins.toml").write_text(_policy(Pin.of(OLD.der), host="other.example"))
    assert 2 == _renewed(TOOLS[0], folder, OLD).returncode
    (folder / "deployments.toml").unlink()
    assert 2 == _renewed(TOOLS[0], folder, OLD).returncode
    assert (b"as before", b"as before", False) == _served(folder)


@pytest.mark.parametrize("missing", ["PINSCHER_DEPLOYMENTS", "PINSCHER_SERVED"])
def test_hook_that_is_not_configured_serves_nothing(folder: Path, missing: str) -> None:
    """A hook without its settings fails and says which it misses."""
    lines = (folder / "hook.conf").read_text().splitlines()
    (folder / "hook.conf").write_text("\n".join(one for one in lines if not one.startswith(missing)) + "\n")
    done = _renewed(TOOLS[0], folder, OLD)
    assert (False, True) == (done.returncode == 0, missing in done.stderr)
    assert (b"as before", b"as before", False) == _served(folder)


def test_hook_without_a_program_to_ask_serves_nothing(folder: Path) -> None:
    """Where pinscher is not on the path the hook fails: it does not fail open."""
    done = _renewed(Tool("certbot", TOOLS[0].files, TOOLS[0].variables | {"PATH": "/usr/bin:/bin"}), folder, OLD)
    assert 127 == done.returncode, done.stderr
    assert (b"as before", b"as before", False) == _served(folder)


class Certbot:
    """The real certbot in a folder of its own, with a real Pebble."""

    def __init__(self, folder: Path, pebble: Pebble, port: int) -> None:
        self._folder = folder
        self._own = ["--server", pebble.directory, "--http-01-port", str(port), "--http-01-address", "127.0.0.1"]
        self._trust = str(pebble.certificate)
        self._program = environment("certbot").with_name("certbot")
        self.live = folder / "certbot" / "live" / HOST

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run certbot, which must end well."""
        folders = [
            part
            for name in ("config", "work", "logs")
            for part in (f"--{name}-dir", "certbot" if name == "config" else f"certbot/{name}")
        ]
        done = subprocess.run(
            [self._program, *arguments, *folders, *self._own, "--non-interactive"],
            cwd=self._folder, env=_environment(self._folder, REQUESTS_CA_BUNDLE=self._trust),
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert 0 == done.returncode, done.stdout + done.stderr
        return done


@pytest.fixture
def certbot(folder: Path) -> Iterator[Certbot]:
    """Return a certbot that has its first certificate, whose key is pinned, from a Pebble whose root clients trust."""
    with looking_pebble() as (pebble, port):
        with urllib.request.urlopen(pebble.roots, context=pebble.context, timeout=10) as answer:
            (folder / "ca.pem").write_bytes(answer.read())
        made = Certbot(folder, pebble, port)
        account = ("--agree-tos", "--register-unsafely-without-email")
        made("certonly", "--standalone", "--domain", HOST, "--reuse-key", *account)
        (folder / "pins.toml").write_text(_policy(_pin(made.live / "cert.pem")))
        yield made


def _pin(file: Path) -> Pin:
    (read, *_) = read_keys(file.read_bytes(), source=file.name)
    return read.pin


def test_certbot_serves_a_renewal_with_the_pinned_key(certbot: Certbot, folder: Path) -> None:
    """Certbot renews with the same key, its deploy hook asks the gate, and the new certificate is served."""
    before = (certbot.live / "cert.pem").read_bytes()
    certbot(
        "renew",
        "--force-renewal",
        "--reuse-key",
        "--no-random-sleep-on-renew",
        "--deploy-hook",
        str(HOOKS / "certbot.sh"),
    )
    assert before != (certbot.live / "cert.pem").read_bytes()
    lineage = tuple((certbot.live / name).read_bytes() for name in ("fullchain.pem", "privkey.pem"))
    assert (*lineage, True) == _served(folder)


def test_certbot_does_not_serve_a_renewal_with_a_new_key(certbot: Certbot, folder: Path) -> None:
    """Certbot renews with a new key, which no client knows: the gate refuses, and the server keeps what it has."""
    done = certbot(
        "renew",
        "--force-renewal",
        "--new-key",
        "--no-random-sleep-on-renew",
        "--deploy-hook",
        str(HOOKS / "certbot.sh"),
    )
    assert _pin(certbot.live / "cert.pem") not in [
        Pin.parse(one) for one in (folder / "pins.toml").read_text().split('"') if one.startswith("sha256/")
    ]
    assert (b"as before", b"as before", False) == _served(folder)
    assert "REFUSES  bank-app 2.3" in done.stdout + done.stderr
    assert "error code 1" in done.stdout + done.stderr


PAGES = HOOKS.parent / "how-to"


def _commands(page: str) -> list[str]:
    """Return the commands of a page, in order."""
    blocks = re.findall(r"```console\n(.*?)```", (PAGES / page).read_text(encoding="utf-8"), re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


def _run(command: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder, env=_environment(folder, **more), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def _with(places: dict[str, str], command: str) -> str:
    """Return a command with a page's places replaced by those of this test."""
    for place, here in places.items():
        command = command.replace(place, here)
    return command


def test_the_page_about_renewals_is_true(certbot: Certbot, folder: Path) -> None:
    """Every command of the page about renewals runs as it stands there, but for where certbot and the hooks are."""
    issue, pin, first, renew = _commands("renew-with-certbot.md")
    shutil.rmtree(folder / "certbot" / "live")
    shutil.rmtree(folder / "certbot" / "renewal")
    shutil.rmtree(folder / "certbot" / "archive")
    certbot(*issue.split()[1:])
    places = {"/etc/letsencrypt": str(folder / "certbot"), "/etc/pinscher/hooks": str(HOOKS)}
    (folder / "pins.toml").unlink()
    for command in (_with(places, pin), _with(places, first)):
        done = _run(command, folder)
        assert 0 == done.returncode, done.stdout + done.stderr
    assert ((certbot.live / "fullchain.pem").read_bytes(), True) == _served(folder)[::2]
    certbot(
        *renew.replace("/etc/pinscher/hooks", str(HOOKS)).split()[1:], "--force-renewal", "--no-random-sleep-on-renew"
    )
    assert (certbot.live / "fullchain.pem").read_bytes() == _served(folder)[0]


def test_the_page_about_backup_keys_is_true(certbot: Certbot, folder: Path) -> None:
    """Every command of the page about backup keys runs, from the day the key is made to the day it serves."""
    make, rehearse, lint, request, gate, opening = _commands("backup-key.md")
    (folder / "words").write_text("correct horse battery staple\n")
    made = _run(make, folder)
    assert 0 == made.returncode, made.stderr
    table = made.stdout.partition("\n\n")[2]
    used = _policy(_pin(certbot.live / "cert.pem"))
    (folder / "pins.toml").write_text(f'{used}backup-pins = ["api-backup"]\n{table}')
    for command in (rehearse, f"{lint} --fail-on error"):
        done = _run(command, folder)
        assert 0 == done.returncode, done.stdout + done.stderr
    assert "rehearsed = " in (folder / "pins.toml").read_text()
    certbot(*request.split()[1:])
    for command in (f"{gate} --ca-file ca.pem", opening):
        done = _run(command, folder)
        assert 0 == done.returncode, done.stdout + done.stderr
    assert _pin(folder / "backup.pem") == _pin(folder / "opened.pem")


def test_backup_key_serves_on_its_day(certbot: Certbot, folder: Path) -> None:
    """A certificate for the backup key's request, from certbot, passes the gate with the opened key."""
    backup, passphrase = BackupKey.generate(KeyAlgorithm.P256), "correct horse battery staple"
    (folder / "api-backup.key").write_bytes(backup.sealed(passphrase))
    (folder / "api-backup.csr").write_bytes(backup.request([HOST]))
    (folder / "pins.toml").write_text(_policy(_pin(certbot.live / "cert.pem"), backup.pin))
    certbot("certonly", "--standalone", "--csr", "api-backup.csr", "--fullchain-path", "backup.pem")
    openssl = shutil.which("openssl")
    assert openssl is not None
    opening = [openssl, "pkey", "-in", "api-backup.key", "-passin", f"pass:{passphrase}", "-out", "opened.pem"]
    subprocess.run(opening, cwd=folder, check=True, timeout=60)
    done = _hook("gate-then-serve", folder, "backup.pem", "opened.pem")
    assert 0 == done.returncode, done.stderr
    assert (backup.pin, True) == (_pin(folder / "served" / "fullchain.pem"), _served(folder)[2])
