"""The pytest plugin, in a run of pytest of its own as an application's would be."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.scenarios import SCENARIOS

if TYPE_CHECKING:
    from pathlib import Path

FAMILY = next(
    one.family for one in SCENARIOS.values() if one.is_positive and not one.needs
    and any(other.family == one.family and not other.is_positive and not other.needs for other in SCENARIOS.values())
)  # fmt: skip
"""A family in which a simple client has something to accept and something to refuse."""

TESTS = f"""
import http.client, os, socket, ssl
import pinscher, pytest

def pinned(errand):
    context = pinscher.PinnedContext(pinscher.Policy.load(errand.policy), trust=errand.ca)
    talk(context, errand)

def unpinned(errand):
    talk(ssl.create_default_context(cafile=errand.ca), errand)

def talk(context, errand):
    with socket.create_connection((errand.address, errand.port), 10) as tcp:
        with context.wrap_socket(tcp, server_hostname=errand.host) as tls:
            tls.sendall(b"POST / HTTP/1.0\\r\\n\\r\\n" + errand.secret.encode())
            assert tls.recv(100)

@pytest.mark.pin_scenarios(family={FAMILY!r}, can=["policy", "several-pins", "authority-pins", "certificate-pins"])
def test_pinned(pin_case):
    pin_case.play(pinned)

@pytest.mark.pin_scenarios(family={FAMILY!r})
def test_unpinned(pin_case):
    pin_case.play(unpinned)
"""


def run(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on one file of tests."""
    (folder / "test_it.py").write_text(text)
    (folder / "pytest.ini").write_text(
        "[pytest]\naddopts = --strict-markers -p no:cacheprovider\nfilterwarnings = error\n"
    )
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-v", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_one_test_gets_the_whole_family(tmp_path: Path) -> None:
    """One marked test is a test for each case: a pinned client passes them, an unpinned one fails where it must refuse."""
    ran = run(tmp_path, TESTS)
    lines = [line for line in ran.stdout.splitlines() if line.startswith("test_it.py::")]
    cases = [(case, one) for one in SCENARIOS.values() if one.family == FAMILY for case in one.cases]
    assert 2 * len(cases) == len(lines), ran.stdout
    pinned = [line.split("%")[0].split(" ")[1] for line in lines if "test_pinned" in line]
    assert "FAILED" not in pinned, ran.stdout
    assert "PASSED" in pinned
    for case, one in cases:
        line = next(line for line in lines if f"::test_unpinned[{case.id}]" in line)
        assert "SKIPPED" in line or ("PASSED" in line) == one.is_positive or not one.is_positive, line
    assert "accepted what must be refused: the servers read" in ran.stdout


def test_a_scenario_brings_its_positives(tmp_path: Path) -> None:
    """To name one scenario that must be refused is to play what its family accepts as well."""
    negative = next(one for one in SCENARIOS.values() if one.family == FAMILY and not one.is_positive)
    marked = TESTS.replace(f"family={FAMILY!r}", f"scenario={negative.id!r}")
    ran = run(tmp_path, marked, "--collect-only")
    wanted = [one for one in SCENARIOS.values() if one.family == FAMILY and (one is negative or one.is_positive)]
    assert 2 * sum(len(one.cases) for one in wanted) == ran.stdout.count("<Function "), ran.stdout


def test_what_a_client_cannot_do_is_skipped_in_words(tmp_path: Path) -> None:
    """A case beyond the client is skipped, and the reason names what is missing."""
    needing = next(one for one in SCENARIOS.values() if one.needs)
    ran = run(tmp_path, TESTS.replace(f"family={FAMILY!r}, can=[", f"scenario={needing.id!r}, can=[][:0] and ["), "-rs")
    assert "the client cannot do what the case asks for: " in ran.stdout, ran.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def test_it(pin_case): pass", "test_it takes a pin_case, so mark it with @pytest.mark.pin_scenarios"),
        (
            "import pytest\n@pytest.mark.pin_scenarios(family='nobody')\ndef test_it(pin_case): pass",
            "there is no family or scenario 'nobody'; 'pinscher lab list' shows them",
        ),
    ],
)
def test_mistakes_are_explained(tmp_path: Path, text: str, message: str) -> None:
    """A missing marker and a name that is not there are said when tests are collected."""
    ran = run(tmp_path, text)
    assert message in ran.stdout + ran.stderr
    assert 0 != ran.returncode


SERVERS = """
import urllib.request
import pinscher, pytest

def test_servers(pinned_server, rogue_server):
    context = pinscher.PinnedContext(pinscher.Policy.load(pinned_server.policy_file), trust=pinned_server.ca_file)
    assert urllib.request.urlopen(pinned_server.url, context=context).status == 200
    assert pinned_server.application_bytes > 0
    with pytest.raises(OSError) as caught:
        urllib.request.urlopen(rogue_server.url, context=context)
    assert pinscher.verdict_of(caught.value).outcome is pinscher.Outcome.NO_MATCHING_PIN
    assert rogue_server.application_bytes == 0
    assert len(rogue_server.server.evidence) == 1

def test_lab(lab):
    bank = lab.bank()
    assert lab.serve(bank.genuine).port
"""


def test_a_genuine_and_a_rogue_server_are_fixtures(tmp_path: Path) -> None:
    """A test may have a genuine server with its CA and policy, an impostor beside it, and a stage for whatever else."""
    ran = run(tmp_path, SERVERS)
    assert "2 passed" in ran.stdout, ran.stdout


def test_the_plugin_is_light(tmp_path: Path) -> None:
    """Until a test asks for it, pytest loads nothing of the lab, and rewrites nothing of the package."""
    text = """
import sys
def test_light(request):
    assert not [name for name in sys.modules if name.startswith(("pinscher.lab", "cryptography", "rich", "click"))]
    from pinscher.lab import player
    assert "@py_assert" not in str(player.__loader__) and "AssertionRewritingHook" not in type(player.__loader__).__name__
"""
    ran = run(tmp_path, text)
    assert "1 passed" in ran.stdout, ran.stdout


def test_a_foreign_error_is_the_tests_own(tmp_path: Path) -> None:
    """What a client raises that is no refusal fails the test as it stands; refusals of other kinds are named."""
    broken = TESTS.replace("def pinned(errand):", "def pinned(errand):\n    raise KeyError('mine')")
    ran = run(tmp_path, broken, "-k", "test_pinned", "-x")
    assert "KeyError: 'mine'" in ran.stdout
    named = broken.replace("pin_case.play(pinned)", "pin_case.play(pinned, refusals=(KeyError,))")
    ran = run(tmp_path, named, "-k", "test_pinned")
    assert "refused what must be accepted" in ran.stdout
    assert "the client said: KeyError: 'mine'" in ran.stdout
