"""``pinscher run`` pins a program that nobody changed, and starts none that it cannot pin."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pinscher
from pinscher.clients.running import SITE
from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer

PROGRAM = Path(__file__).with_name("running_program.py")
ROOT = Authority.root("Lab Root")
HELD = ROOT.issue("localhost")
PROTOCOLS = ("http", "http", "smtp")


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Return the file of a policy that pins the genuine key."""
    path = tmp_path / "pins.toml"
    path.write_text(f'format = 1\nname = "b"\nversion = 1\n[hosts.localhost]\npins = ["{pinscher.Pin.of(HELD.der)}"]\n')
    path.chmod(0o600)
    return path


def run(*words: Any, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the verb as a user does."""
    command = [sys.executable, "-m", "pinscher.cli", "run", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environment}
    )


def trusting(folder: Path) -> dict[str, str]:
    """Return variables by which every client trusts the lab's authority."""
    path = folder / "ca.pem"
    path.write_bytes(ROOT.pem)
    return dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"), str(path))


def play(policy: Path | None, held: Any, folder: Path) -> tuple[dict[str, str], int]:
    """Let the application talk to three servers that show a certificate, and return what it says and what they read."""
    with contextlib.ExitStack() as open_servers:
        servers = [open_servers.enter_context(TlsServer(held, protocol=protocol)) for protocol in PROTOCOLS]
        program = [sys.executable, PROGRAM, *(server.port for server in servers)]
        if policy is None:
            told = subprocess.run(
                [*map(str, program)], capture_output=True, text=True, check=False, timeout=120,
                env={**os.environ, **trusting(folder)},
            )  # fmt: skip
        else:
            told = run("--policy", policy, "--", *program, **trusting(folder))
        assert 0 == told.returncode, told.stderr
        for server in servers:
            server.wait_idle()
        return json.loads(told.stdout), sum(server.application_bytes for server in servers)


def test_an_unmodified_script_is_pinned(policy: Path, tmp_path: Path) -> None:
    """A script with requests, boto3 and smtplib reaches the pinned server, and gives a rogue not one byte."""
    sent = dict.fromkeys(("with_requests", "with_boto3", "with_smtplib"), "sent")
    rogue = ROOT.issue("localhost")
    told, _ = play(policy, HELD, tmp_path)
    assert sent == told
    told, received = play(policy, rogue, tmp_path)
    assert [True] * 3 == ["no pinned key in the validated chain" in error for error in told.values()]
    assert 0 == received
    told, received = play(None, rogue, tmp_path)
    assert (sent, True) == (told, received > 0), "without pins the same script gives the rogue everything"


def test_the_programs_exit_code_is_passed_on(policy: Path) -> None:
    """A program's exit code, and the signal that ended it, are the verb's own."""
    assert 7 == run("--policy", policy, "--", sys.executable, "-c", "raise SystemExit(7)").returncode
    killed = run("--policy", policy, "--", sys.executable, "-c", "import os; os.kill(os.getpid(), 9)")
    assert 128 + signal.SIGKILL == killed.returncode


def test_a_program_is_told_to_stop(policy: Path) -> None:
    """A termination of the verb reaches the program, which ends as it likes."""
    program = (
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(5));"
        "print('ready', flush=True); signal.pause()"
    )
    command = [sys.executable, "-m", "pinscher.cli", "run", "--policy", policy, "--", sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert "ready\n" == running.stdout.readline()
        running.terminate()
        assert 5 == running.wait(30)


@pytest.mark.parametrize("option", ["-I", "-E", "-S", "-uI", "-IS"])
def test_a_python_that_would_not_be_pinned_is_not_started(policy: Path, option: str) -> None:
    """An interpreter that is told to read no environment is refused before it runs."""
    told = run("--policy", policy, "--", sys.executable, option, "-c", "print('started')")
    assert (2, "") == (told.returncode, told.stdout)
    assert "pinscher: error:" in told.stderr


@pytest.mark.parametrize("words", [["-c", "print('-I')"], ["-u", "-c", "print('x')"], ["-", "-I"]])
def test_other_words_are_the_programs_own(policy: Path, words: list[str]) -> None:
    """What stands behind the program's name is for the program."""
    assert 0 == run("--policy", policy, "--", sys.executable, *words).returncode


def test_a_program_that_is_no_python_is_named(policy: Path) -> None:
    """Where nothing was pinned in the end, the verb says so and gives no good answer."""
    told = run("--policy", policy, "--", "true")
    assert 2 == told.returncode
    assert "nothing of true was pinned" in told.stderr


def test_a_program_that_does_not_exist(policy: Path) -> None:
    """A command that cannot be started is one clear error."""
    told = run("--policy", policy, "--", "/nonexistent/program")
    assert 2 == told.returncode
    assert "cannot start '/nonexistent/program': no such file or directory" in told.stderr


def test_a_broken_policy_starts_nothing(tmp_path: Path) -> None:
    """A policy that cannot be used, in the verb or by the time the program reads it, starts no program."""
    broken = tmp_path / "pins.toml"
    broken.write_text("format = 2\n")
    assert 2 == run("--policy", broken, "--", sys.executable, "-c", "print('started')").returncode
    told = subprocess.run(
        [sys.executable, "-c", "print('started')"], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": SITE, "PINSCHER_POLICY": str(broken)},
    )  # fmt: skip
    assert (2, "") == (told.returncode, told.stdout)
    assert "cannot be" in told.stderr


@pytest.mark.parametrize("variables", [{}, {"PINSCHER_POLICY": "x", "PINSCHER_GUARD": "loud"}])
def test_an_environment_that_makes_no_sense_starts_nothing(policy: Path, variables: dict[str, str]) -> None:
    """Without a policy's name, or with a guard that there is not, the interpreter does not go on without pins."""
    given = {name: str(policy) if value == "x" else value for name, value in variables.items()}
    told = subprocess.run(
        [sys.executable, "-c", "print('started')"], capture_output=True, text=True, check=False, timeout=60,
        env={**{k: v for k, v in os.environ.items() if k != "PINSCHER_POLICY"}, "PYTHONPATH": SITE, **given},
    )  # fmt: skip
    assert (2, "") == (told.returncode, told.stdout)
    assert "PINSCHER_" in told.stderr


def test_the_programs_own_sitecustomize_is_run_too(policy: Path, tmp_path: Path) -> None:
    """A sitecustomize that the program brings is imported after the pins, and its other paths stay."""
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.own = 'ran'\n")
    program = "import sitecustomize, sys; print(own, 'running' in sitecustomize.__file__)"
    told = run("--policy", policy, "--", sys.executable, "-c", program, PYTHONPATH=str(tmp_path))
    assert "ran False\n" == told.stdout, told.stderr


def test_programs_that_the_program_starts_are_pinned(policy: Path) -> None:
    """A child of the program inherits the environment, and is pinned as well."""
    child = "import ssl; print('_wrap_socket' in vars(ssl.SSLContext))"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    assert "True\n" == run("--policy", policy, "--", sys.executable, "-c", program).stdout


def test_the_guard_catches_verify_false(policy: Path, tmp_path: Path) -> None:
    """A program that says ``verify=False`` for a pinned host is refused, and so is its clear text."""
    program = (
        "import sys, requests\n"
        "for url in sys.argv[1:]:\n"
        "    try:\n        requests.get(url, verify=False, timeout=10)\n        print('sent')\n"
        "    except Exception as error:\n        print(type(error).__name__)\n"
    )
    with TlsServer(ROOT.issue("localhost")) as server:
        urls = [f"https://localhost:{server.port}/", f"http://localhost:{server.port}/"]
        told = run("--policy", policy, "--guard", "enforce", "--", sys.executable, "-W", "ignore", "-c", program, *urls)
        server.wait_idle()
        assert (0, 0) == (server.application_bytes, server.evidence.plaintext_bytes)
    assert "SSLError\nUnguardedConnectionError\n" == told.stdout, told.stderr


def test_the_environment_is_shown(policy: Path) -> None:
    """For a service manager, the variables are printed in place of running anything."""
    told = run("--policy", policy, "--show-environment", "--json")
    shown = json.loads(told.stdout)
    assert (str(policy), SITE) == (shown["PINSCHER_POLICY"], shown["PYTHONPATH"])
    assert f"PINSCHER_POLICY={policy}\n" in run("--policy", policy, "--show-environment").stdout


def test_usage(policy: Path) -> None:
    """No command, a policy on standard input, and --json with a command are errors of usage."""
    for words in (["--policy", policy], ["--policy", "-", "--", "true"], ["--policy", policy, "--json", "--", "true"]):
        assert 2 == run(*words).returncode
