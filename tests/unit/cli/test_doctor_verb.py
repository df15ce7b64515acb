"""``pinscher doctor``: every test runs it in a process of its own, because it looks at the process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def doctor(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the verb after a line of Python in the same process, as a sitecustomize would."""
    program = f"{before}\nimport sys\nfrom pinscher.cli import main\nsys.exit(main(['doctor', *sys.argv[1:]]))"
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def facts(*arguments: str, before: str = "") -> dict[str, list[dict[str, Any]]]:
    """Return what the verb found, by name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for fact in json.loads(doctor("--json", *arguments, before=before).stdout)["facts"]:
        found.setdefault(fact["name"], []).append(fact)
    return found


def test_healthy_machine_is_a_good_answer() -> None:
    """On a machine where nothing stands in the way, a genuine server passes, a rogue does not, and the exit is 0."""
    done = doctor()
    assert (done.returncode, done.stderr) == (0, "")
    assert "a genuine server was let in" in done.stdout
    assert "a rogue one refused before any byte was sent" in done.stdout


def test_json_has_the_documented_fields() -> None:
    """The JSON answer has exactly the documented fields."""
    answer = json.loads(doctor("--json").stdout)
    assert set(answer) == {"healthy", "facts"}
    assert {frozenset(fact) for fact in answer["facts"]} == {frozenset({"name", "health", "text", "remedy"})}
    names = {fact["name"] for fact in answer["facts"]}
    assert names >= {"interpreter", "openssl", "trust store", "environment", "ssl module", "self-test"}


@pytest.mark.parametrize(
    "name",
    ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSLKEYLOGFILE", "PYTHONHTTPSVERIFY"],
)
def test_redirecting_variable_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """An environment variable that redirects trust is named with its value, escaped."""
    monkeypatch.setenv(name, f"{tmp_path}/\x1b[2J")
    (fact,) = facts()["environment"]
    assert (fact["health"], fact["text"].startswith(f"{name}={tmp_path}/\\x1b[2J ")) == ("warning", True)


def test_proxy_is_shown_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy is a warning that shows the proxy's place, and never the password in its URL."""
    monkeypatch.setenv("HTTPS_PROXY", "http://user:s3cret@proxy.example:3128/")
    (fact,) = facts()["environment"]
    assert fact["text"].startswith("HTTPS_PROXY=proxy.example:3128 ")
    assert "s3cret" not in fact["text"]


PATCHES = {
    "import ssl\nclass SSLContext(ssl.SSLContext): pass\nSSLContext.__module__ = 'truststore._api'\n"
    "ssl.SSLContext = SSLContext": "ssl.SSLContext was replaced by truststore._api.SSLContext",
    "import ssl\nclass S(ssl.SSLSocket): pass\nssl.SSLContext.sslsocket_class = S": (
        "ssl.SSLContext.sslsocket_class was replaced, and with it the class of every connection"
    ),
    "import ssl\nssl.SSLSocket.do_handshake = lambda *_: None": "ssl.SSLSocket.do_handshake was replaced",
    "import ssl\nssl._create_default_https_context = ssl._create_unverified_context": (
        "the default HTTPS context was replaced by _create_unverified_context"
    ),
}


@pytest.mark.parametrize("patch", PATCHES, ids=range(len(PATCHES)))
def test_patched_ssl_is_an_error(patch: str) -> None:
    """A part of the ssl module that somebody replaced is an error that names it, and exit 1."""
    done = doctor("--json", before=patch)
    texts = [fact["text"] for fact in json.loads(done.stdout)["facts"] if fact["health"] == "error"]
    assert done.returncode == 1
    assert PATCHES[patch] in texts


def test_check_that_does_not_check_is_an_error() -> None:
    """Where a context does not pin, the rogue server of the self-test is let in, and that is an error."""
    before = (
        "import dataclasses\nimport pinscher.tls.judgement as judgement\n"
        "from pinscher.verdict import Action, Outcome\n"
        "genuine = judgement.evaluate_entry\n"
        "judgement.evaluate_entry = lambda *about: dataclasses.replace(genuine(*about), action=Action.ALLOW)\n"
    )
    (found,) = facts(before=before)["self-test"]
    expected = "a rogue server with a valid certificate was let in: nothing is pinned here"
    assert (found["health"], found["text"]) == ("error", expected)


def test_policy_is_looked_at(tmp_path: Path) -> None:
    """A policy that is named is loaded, and one that cannot be is an error."""
    path = tmp_path / "pins.toml"
    pin = f"sha256/{'A' * 43}="
    path.write_text(f'format = 1\nname = "x"\nversion = 1\n[hosts."a.example"]\npins = ["{pin}"]\n')
    good = facts("--policy", str(path))["policy"]
    path.write_text("format = 1\n")
    bad = facts("--policy", str(path))["policy"]
    assert ([fact["health"] for fact in good], [fact["health"] for fact in bad]) == (["ok"], ["error"])


def test_report_channel_without_a_keeper_is_told(tmp_path: Path) -> None:
    """A policy that names a report channel is told that nothing is sent to it without a keeper."""
    path = tmp_path / "pins.toml"
    pin = f"sha256/{'A' * 43}="
    path.write_text(
        f'format = 1\nname = "x"\nversion = 1\n[hosts."a.example"]\npins = ["{pin}"]\nreport-to = ["main"]\n'
        '[reporting.main]\nurl = "https://reports.example/v1"\n'
    )
    _, channel = facts("--policy", str(path))["policy"]
    assert channel["text"] == "report channel 'main' is named, and without a keeper nothing is ever sent to it"
