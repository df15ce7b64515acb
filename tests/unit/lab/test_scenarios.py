"""
Every case of every scenario is what it says: played with plain ``ssl`` and with OpenSSL's own client.

A plain client, which knows no pins, must complete the handshake of each visit if and only if the scenario says that it
is validated. Otherwise a refusal by a pinned client would prove nothing about its pins.
"""

from __future__ import annotations

import gc
import inspect
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pinscher.host import canonical_host, is_ip_literal
from pinscher.lab.authority import Authority
from pinscher.lab.own import BLOCKING, reached
from pinscher.lab.player import Result, play
from pinscher.lab.scenario import Capability, Transport
from pinscher.lab.scenarios import SCENARIOS
from pinscher.lab.stage import Stage
from pinscher.lab.talk import Target
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.probe.starttls import ResponseInjectionError, StarttlsRefusedError
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from pinscher.lab.scenario import Case, Scenario, Visit

CASES = [case for scenario in SCENARIOS.values() for case in scenario.cases]
EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
EVERY_SCENARIO = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.id)
OPENSSL = shutil.which("openssl")


def _is_validated_by_ssl(visit: Visit) -> bool:
    """Tell whether a plain context that trusts what the visit says completes the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=visit.trust.decode())
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    if visit.client_certificate is not None:
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(visit.client_certificate)
            file.flush()
            context.load_cert_chain(file.name)
    target = Target.of(visit)
    host = visit.host
    if visit.front is not None:
        # A redirect leads to the loopback's address, or to clear text, which is not validated at all.
        host, target = ("127.0.0.1", Target("127.0.0.1", visit.server.address, "/"))
    try:
        if visit.proxy is not None and visit.proxy.startswith("https:"):
            # What stands behind the proxy is reached directly: the proxy's own TLS is another scenario's.
            with socket.create_connection(visit.server.address, 10) as tcp:
                context.wrap_socket(tcp, server_hostname=host).close()
                return True
        with reached(visit, target) as tcp, context.wrap_socket(tcp, server_hostname=host):
            return True
    except (ssl.SSLError, StarttlsRefusedError, ResponseInjectionError, ConnectionError):
        return False


@EVERY_CASE
def test_plain_ssl_completes_what_is_validated_and_nothing_else(case: Case) -> None:
    """A plain client of Python's completes the handshakes that the scenario calls validated, and no other."""
    if case.scenario.id in BEYOND_SSL:
        pytest.skip(BEYOND_SSL[case.scenario.id])
    with Stage() as stage:
        for visit in case.set(stage):
            if visit.prepare is not None:
                visit.prepare()
            assert visit.is_validated is _is_validated_by_ssl(visit)


BEYOND_SSL = {"redirect-to-clear-text": "there is no TLS to try"}
"""Scenarios that are not about TLS alone."""

_STARTTLS = {Transport.SMTP: "smtp", Transport.IMAP: "imap", Transport.POP3: "pop3", Transport.FTP: "ftp"}

BEYOND_OPENSSL = {
    "foreign-name": "s_client takes A-labels only",
    "foreign-name-with-another-key": "s_client takes A-labels only",
    "name-with-a-trailing-dot-and-another-key": "s_client gives up on the dot in its server name",
    "upgrade-held-back": "s_client goes on without the offer",
    "answers-injected-before-the-upgrade": "s_client reads the answers with a buffer and drops what is behind",
    "redirect-to-clear-text": "there is no TLS to try",
}
"""Scenarios that the client of OpenSSL cannot express, and why."""


def _is_validated_by_openssl(visit: Visit, folder: Path) -> bool:
    assert OPENSSL is not None
    ca = folder / "ca.pem"
    ca.write_bytes(visit.trust)
    host, port = visit.host, visit.server.port
    if visit.front is not None:
        host = "127.0.0.1"
    command = [OPENSSL, "s_client", "-CAfile", str(ca), "-no-CApath", "-no-CAstore", "-verify_return_error", "-brief"]
    command += ["-x509_strict"] if sys.version_info >= (3, 13) else []
    if visit.transport is not Transport.HTTPS:
        command += ["-starttls", _STARTTLS[visit.transport]]
    if visit.proxy is not None and visit.server.address[1] == int(visit.proxy.rpartition(":")[2]):
        command += ["-connect", f"localhost:{port}", "-proxy", f"127.0.0.1:{port}"]
    else:
        command += ["-connect", f"127.0.0.1:{port}"]
    if visit.client_certificate is not None:
        (folder / "client.pem").write_bytes(visit.client_certificate)
        command += ["-cert", str(folder / "client.pem"), "-cert_chain", str(folder / "client.pem")]
    if is_ip_literal(canonical_host(host)):
        command += ["-verify_ip", host, "-noservername"]
    else:
        command += ["-verify_hostname", host.lower(), "-servername", host.lower()]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=20, check=False)
    return done.returncode == 0 and b"Verification: OK" in done.stderr + done.stdout


@pytest.mark.skipif(OPENSSL is None and "CI" not in os.environ, reason="no openssl command is installed")
@EVERY_CASE
def test_openssl_completes_what_is_validated_and_nothing_else(case: Case, tmp_path: Path) -> None:
    """OpenSSL's own client agrees with the scenario about what is validated."""
    if case.scenario.id in BEYOND_OPENSSL:
        pytest.skip(BEYOND_OPENSSL[case.scenario.id])
    with Stage() as stage:
        for visit in case.set(stage):
            if visit.prepare is not None:
                visit.prepare()
            assert visit.is_validated is _is_validated_by_openssl(visit, tmp_path)


@EVERY_SCENARIO
def test_a_scenario_explains_itself(scenario: Scenario) -> None:
    """Every scenario has a sentence, and its chain drawn as text."""
    assert scenario.title.endswith(".")
    assert "\n    " in (inspect.getdoc(scenario.function) or "")


@EVERY_CASE
def test_a_case_asks_for_what_it_needs(case: Case) -> None:
    """Every case names the capabilities without which a client cannot play it."""
    needs = case.scenario.needs
    with Stage() as stage:
        visits = case.set(stage)
        assert (len(visits) > 1) is (Capability.SEVERAL_VISITS in needs)
        assert {visit.transport is not Transport.HTTPS for visit in visits} == {Capability.STARTTLS in needs}
        assert {visit.front is not None for visit in visits} == {Capability.REDIRECTS in needs}
        assert any(visit.host not in ("localhost", "127.0.0.1") for visit in visits) is (Capability.NAMES in needs)
        assert any(visit.client_certificate for visit in visits) is (Capability.CLIENT_CERTIFICATE in needs)
        assert any(visit.proxy for visit in visits) is bool(needs & {Capability.PROXY, Capability.SECURE_PROXY})
        if len({visit.policy for visit in visits}) > 1 and Capability.NEW_POLICY not in needs:
            assert len({visit.host for visit in visits}) > 1
        assert (case.scenario.expected, case.scenario.is_reported) == (visits[-1].expected, visits[-1].is_reported)
        for visit in visits:
            Policy.loads(visit.policy)


def test_there_are_enough_of_them() -> None:
    """There are at least a hundred scenarios with at least two hundred and fifty cases."""
    assert len(SCENARIOS) >= 100
    assert len(CASES) >= 250
    assert len({case.id for case in CASES}) == len(CASES)


def test_every_family_can_be_passed() -> None:
    """Every family has a scenario in which a right client gets through, so that refusing everything proves nothing."""
    families = {scenario.family for scenario in SCENARIOS.values()}
    assert families == {scenario.family for scenario in SCENARIOS.values() if scenario.is_positive}


def test_every_outcome_is_played() -> None:
    """Every outcome of the truth table is the right one of some scenario."""
    assert set(Outcome) == {scenario.expected for scenario in SCENARIOS.values()}


def test_keys_are_fresh_every_time() -> None:
    """A case that is staged twice has other keys the second time."""
    shown = []
    for _ in range(2):
        with Stage() as stage:
            shown.append(SCENARIOS["pinned-leaf"].cases[0].set(stage)[0].pins)
    assert shown[0] != shown[1]


def test_nothing_is_left_of_five_hundred_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After five hundred cases no thread, no descriptor and no file is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    chosen = [case for case in CASES if "rsa" not in case.id and "silence" not in case.scenario.family]
    for case in chosen[:20]:
        play(case, BLOCKING)
    gc.collect()
    before = _held()
    played = [play(chosen[number % len(chosen)], BLOCKING).result for number in range(500)]
    gc.collect()
    assert before == _held()
    assert {Result.PASSED, Result.NOT_APPLICABLE} >= set(played)


def _held() -> tuple[int, int, list[str]]:
    descriptors = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    return threading.active_count(), descriptors, sorted(os.listdir(tempfile.gettempdir()))


def test_authorities_of_the_lab_are_short_lived() -> None:
    """What the lab issues is valid for days and not for years."""
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(Authority.root().certificate)
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days <= 10


def test_the_pin_of_an_unusual_encoding_is_of_the_bytes_that_stand_there() -> None:
    """A re-encoded key has another digest than the usual form of the same key, which is what those cases rest on."""
    held = Authority.root().issue("localhost")
    assert Pin.of(held.der) != Pin.of(held.reencoded("compressed").der)
