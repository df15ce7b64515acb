"""What a program is told of a visit."""

from __future__ import annotations

import dataclasses
import os
import stat
from pathlib import Path

import pytest

from pinscher.lab.client import SECRET
from pinscher.lab.errand import PLACEHOLDERS, TRUST_VARIABLES, Errand, PlaceholderError, check
from pinscher.lab.scenario import Transport, Visit
from pinscher.lab.stage import Stage
from tests.unit.lab.cases import visit


@pytest.fixture
def visited() -> Visit:
    """A visit whose server has ended; its port is what counts here."""
    with Stage() as stage:
        return visit(stage)


def test_every_value_has_a_placeholder_and_a_variable(visited: Visit, tmp_path: Path) -> None:
    """Rule 1: what stands between braces stands in the environment as well."""
    errand = Errand.of(visited, tmp_path)
    assert set(PLACEHOLDERS) == set(errand.values)
    assert [str(visited.address[1]), "localhost", SECRET] == errand.filled(["{port}", "{host}", "{secret}"])
    environment = errand.environment
    assert f"https://localhost:{visited.address[1]}/" == environment["PINSCHER_LAB_URL"]
    assert visited.trust == Path(environment["PINSCHER_LAB_CA_FILE"]).read_bytes()
    assert visited.policy == Path(environment["PINSCHER_LAB_POLICY_FILE"]).read_text()
    assert ("accept", visited.pins[0]) == (environment["PINSCHER_LAB_EXPECTED"], environment["PINSCHER_LAB_PINS"])


def test_what_a_visit_does_not_have_is_empty(visited: Visit, tmp_path: Path) -> None:
    """Rule 2: a visit without a proxy or a client certificate leaves their values empty."""
    assert ["", ""] == Errand.of(visited, tmp_path).filled(["{proxy}", "{certificate}"])


def test_files_are_private(visited: Visit, tmp_path: Path) -> None:
    """Rule 3: what is written for a program can be read by this user alone."""
    Errand.of(dataclasses.replace(visited, client_certificate=b"pem"), tmp_path)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert {"ca.pem": 0o600, "policy.toml": 0o600, "client.pem": 0o600, "state": 0o700} == modes


def test_a_second_visit_has_its_own_files(visited: Visit, tmp_path: Path) -> None:
    """The files of a visit replace those of the one before."""
    Errand.of(visited, tmp_path)
    errand = Errand.of(dataclasses.replace(visited, policy="another"), tmp_path)
    assert "another" == Path(errand.policy).read_text()


def test_a_program_sees_the_trust_store_and_no_proxy(
    visited: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that reads the usual variables trusts the lab's authority, and goes through nobody's proxy."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    monkeypatch.setenv("UNRELATED", "kept")
    errand = Errand.of(visited, tmp_path)
    assert {errand.ca} == {errand.environment[name] for name in TRUST_VARIABLES}
    assert "HTTPS_PROXY" not in errand.environment
    assert os.environ["UNRELATED"] == errand.environment["UNRELATED"]


def test_pins_are_written_for_curl(visited: Visit, tmp_path: Path) -> None:
    """For curl a pin has two slashes and pins have semicolons between them; it takes no hash of a whole certificate."""
    pins = ("sha256/one=", "cert-sha256/two=", "sha256/three=")
    errand = Errand.of(dataclasses.replace(visited, pins=pins), tmp_path)
    assert "sha256//one=;sha256//three=" == errand.values["curl_pins"]
    assert ",".join(pins) == errand.values["pins"]


@pytest.mark.parametrize(
    ("host", "transport", "url"),
    [
        ("::1", Transport.HTTPS, "https://[::1]:{}/"),
        ("mail.test", Transport.SMTP, "smtp://mail.test:{}"),
        ("mail.test", Transport.POP3, "pop3://mail.test:{}"),
    ],
)
def test_the_url_is_the_protocols(visited: Visit, tmp_path: Path, host: str, transport: Transport, url: str) -> None:
    """An address stands in brackets, and the scheme is that of the protocol that upgrades."""
    errand = Errand.of(dataclasses.replace(visited, host=host, transport=transport), tmp_path)
    assert url.format(visited.address[1]) == errand.url


@pytest.mark.parametrize("argument", ["{what}", "{}", "{0}", '{"json": 1}', "{", "{url.nothing}"])
def test_braces_that_stand_for_nothing_are_refused(argument: str) -> None:
    """A placeholder that nobody knows is a mistake, said before anything is run."""
    with pytest.raises(PlaceholderError, match=r"braces that stand for nothing, expected one of \{url\}"):
        check(["curl", argument])


def test_doubled_braces_are_braces(visited: Visit, tmp_path: Path) -> None:
    """A program's own braces are written twice."""
    assert ['{"host": "localhost"}'] == Errand.of(visited, tmp_path).filled(['{{"host": "{host}"}}'])
