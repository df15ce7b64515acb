"""The scenarios as JSON: what the schema promises holds, and a harness that knows nothing else can play them."""

from __future__ import annotations

import contextlib
import copy
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from pinscher.lab.catalogue import catalogue, catalogue_with_material, chain, description, links, schema
from pinscher.lab.protocols import PROTOCOLS
from pinscher.lab.scenario import Capability, Transport
from pinscher.lab.scenarios import SCENARIOS
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.tls import PinnedContext
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.lab.scenario import Scenario
    from pinscher.verdict import Verdict

HERE = Path(__file__).parent.parent.parent.parent
EVERY_SCENARIO = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.id)


def _check(document: Any) -> None:
    jsonschema.Draft202012Validator(schema(), format_checker=jsonschema.FormatChecker()).validate(document)


def _material(*ids: str) -> dict[str, Any]:
    return catalogue_with_material(SCENARIOS[one] for one in ids)


def test_the_schema_is_one() -> None:
    """The shipped schema is a JSON schema of draft 2020-12."""
    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_catalogue_keeps_the_schema() -> None:
    """The catalogue of all scenarios keeps the schema."""
    _check(catalogue(SCENARIOS.values()))


def test_the_catalogue_says_what_the_scenarios_say() -> None:
    """Every scenario and every case is listed once, in the order of the registry, with what is expected of it."""
    listed = catalogue(SCENARIOS.values())["scenarios"]
    assert list(SCENARIOS) == [one["id"] for one in listed]
    for scenario, one in zip(SCENARIOS.values(), listed, strict=True):
        assert [case.id for case in scenario.cases] == [case["id"] for case in one["cases"]]
        assert (scenario.expected, scenario.is_positive) == (Outcome(one["expected"]), one["accept"])
        assert scenario.needs == set(map(Capability, one["needs"]))


def test_the_catalogue_is_the_same_every_time() -> None:
    """The catalogue without material says the same in every run."""
    assert catalogue(SCENARIOS.values()) == catalogue(SCENARIOS.values())


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (schema()["$defs"]["outcome"]["enum"], [one.value for one in Outcome]),
        (schema()["$defs"]["capability"]["enum"], [one.value for one in Capability]),
        (schema()["$defs"]["visit"]["properties"]["transport"]["enum"], [one.value for one in Transport]),
    ],
    ids=["outcomes", "capabilities", "transports"],
)
def test_the_schema_lists_what_there_is(words: list[str], code: list[str]) -> None:
    """The schema names every outcome, capability and transport, and no other."""
    assert words == code


def test_the_schema_lists_what_servers_of_scenarios_speak() -> None:
    """The schema names every protocol that a server of some scenario speaks, and none that the lab does not know."""
    named = set(schema()["$defs"]["server"]["properties"]["protocol"]["enum"])
    assert {None, *PROTOCOLS} >= named
    chosen = [one for one in SCENARIOS.values() if one.family not in ("keys", "chains")]
    found = catalogue_with_material(chosen)["scenarios"]
    visits = [visit for one in found for case in one["cases"] for visit in case["visits"]]
    assert named == {server["protocol"] for visit in visits for server in visit["servers"]}


def _without_visits(document: Any) -> None:
    del document["scenarios"][0]["cases"][0]["visits"]


def _with_visits_but_no_material(document: Any) -> None:
    document["has_material"] = False


def _another_field(document: Any) -> None:
    document["scenarios"][0]["cases"][0]["visits"][0]["servers"][0]["colour"] = "blue"


def _another_outcome(document: Any) -> None:
    document["scenarios"][0]["expected"] = "fine"


def _without_a_chain(document: Any) -> None:
    document["scenarios"][0]["chain"] = ""


def _certificate_in_other_words(document: Any) -> None:
    document["scenarios"][0]["cases"][0]["visits"][0]["trust"] += "and so on"


def _short_pin(document: Any) -> None:
    document["scenarios"][0]["cases"][0]["visits"][0]["pins"] = ["sha256/AAAA"]


@pytest.mark.parametrize(
    "spoil",
    [
        _without_visits, _with_visits_but_no_material, _another_field, _another_outcome, _without_a_chain,
        _certificate_in_other_words, _short_pin,
    ],
)  # fmt: skip
def test_the_schema_refuses_what_is_not_a_catalogue(spoil: Callable[[Any], None]) -> None:
    """A document with a field too many, too few or of another form does not keep the schema."""
    document = _material("pinned-leaf")
    _check(document)
    spoiled = copy.deepcopy(document)
    spoil(spoiled)
    with pytest.raises(jsonschema.ValidationError):
        _check(spoiled)


def test_material_is_fresh_every_time() -> None:
    """No key and no pin of one run's material stands in the next run's."""
    first, second = (_material("pinned-leaf")["scenarios"][0]["cases"][0]["visits"][0] for _ in range(2))
    assert first["pins"] != second["pins"]
    assert first["servers"][0]["key"] != second["servers"][0]["key"]


def test_material_is_of_the_moment_of_each_visit() -> None:
    """A server that changes its certificate between two visits is one server that shows two chains."""
    first, second = _material("interception-that-begins-later")["scenarios"][0]["cases"][0]["visits"]
    assert (True, False) == (first["accept"], second["accept"])
    assert first["server"] == second["server"] == first["servers"][0]["port"] == second["servers"][0]["port"]
    assert first["servers"][0]["chain"] != second["servers"][0]["chain"]


def test_ports_in_paths_and_proxies_are_those_of_servers() -> None:
    """The port in a redirect's path or in a proxy's URL is that of a server of the same case."""
    for one in _material("redirect-to-a-rogue", "tunnel-to-a-rogue")["scenarios"]:
        visit = one["cases"][0]["visits"][0]
        ports = {str(server["port"]) for server in visit["servers"]}
        assert 2 == len(ports)
        assert any(f":{port}" in visit["path"] + (visit["proxy"] or "") for port in ports)
        assert {visit["connect_to"], visit["server"]} <= set(map(int, ports))


def test_material_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making material opens no port and leaves no thread, no descriptor and no file."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def held() -> tuple[int, int]:
        has_list = Path("/proc/self/fd").is_dir()
        return threading.active_count(), len(os.listdir("/proc/self/fd")) if has_list else 0

    _material("pinned-leaf")
    before = held()
    _material("interception-that-begins-later", "redirect-to-a-rogue", "client-certificate-asked-for-by-a-rogue")
    assert before == held()
    assert [] == list(tmp_path.iterdir())


def test_a_page_comes_apart_into_what_it_says_and_what_it_draws() -> None:
    """The title, the prose, the drawing and the links of a page are told apart."""
    one = SCENARIOS["leaf-used-as-an-authority"]
    assert one.title.startswith("A customer of the pinned authority signs")
    assert ["https://nvd.nist.gov/vuln/detail/CVE-2011-0228"] == links(one)
    assert f"Apple, Microsoft and others have accepted this: {links(one)[0]}" == description(one)
    assert "rogue leaf <- customer's leaf, no authority <- [intermediate, pinned] <- root (trusted)" == chain(one)


def test_material_holds_everything_that_is_sent() -> None:
    """The certificates that a rogue sends behind its own are in the material, the pinned one among them."""
    for case in _material("genuine-intermediate-under-its-own-authority")["scenarios"][0]["cases"]:
        (visit,) = case["visits"]
        sent = re.findall("-----BEGIN.*?-----END CERTIFICATE-----", visit["servers"][0]["chain"], re.DOTALL)
        assert set(visit["pins"]) < {str(Pin.of(ssl.PEM_cert_to_DER_cert(one))) for one in sent}


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("one-host-over-http2", "alpn", ["h2"]),
        ("pinned-leaf", "alpn", []),
        ("renewal-between-visits", "tickets", False),
        ("resumed-under-the-same-policy", "tickets", True),
        ("genuine-server-in-single-octets", "protocol", "http-in-octets"),
        ("answers-injected-before-the-upgrade", "protocol", None),
    ],
)
def test_material_says_how_a_server_behaves(name: str, field: str, value: object) -> None:
    """What a server does beside showing certificates is in the material too."""
    for case in _material(name)["scenarios"][0]["cases"]:
        assert [[value]] * len(case["visits"]) == [[one[field] for one in visit["servers"]] for visit in case["visits"]]


@EVERY_SCENARIO
def test_a_harness_plays_the_material_and_nothing_else(scenario: Scenario, tmp_path: Path) -> None:
    """A harness that has only the document sets up each visit's server, and its clients find what the document says."""
    document = catalogue_with_material([scenario])
    _check(document)
    for case in document["scenarios"][0]["cases"]:
        for visit in case["visits"]:
            server = next(one for one in visit["servers"] if one["port"] == visit["server"])
            if server["protocol"] in NO_TLS:
                assert not visit["validated"] or visit["connect_to"] != visit["server"]
                continue
            assert _play(visit, server, tmp_path) in (None, f"TLSv{case['parameters']['tls']}")


NO_TLS = {
    None,  # answers that are injected before TLS begins are what this one is about
    "http-in-clear", "smtp-stripped", "imap-stripped", "pop3-stripped", "ftp-stripped",
}  # fmt: skip
"""What the harness of this test has no TLS to try with."""


def _play(visit: dict[str, Any], server: dict[str, Any], folder: Path) -> str | None:
    """
    Connect as a plain client and as a pinned one, to the server behind a redirect or a proxy directly.

    Returns the version that the plain one got.
    """
    host = visit["host"] if visit["connect_to"] == visit["server"] else "127.0.0.1"
    theirs = _server_context(server, folder)
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    plain.load_verify_locations(cadata=visit["trust"])
    if sys.version_info >= (3, 13):
        plain.verify_flags |= ssl.VERIFY_X509_STRICT
    version = _shaken(plain, theirs, host, visit, folder)
    assert visit["validated"] is (version is not None)
    verdicts: list[Verdict] = []
    in_force = visit["policy_midway"] or visit["policy"]
    pinned = PinnedContext(Policy.loads(in_force), trust=visit["trust"].encode(), on_verdict=verdicts.append)
    is_through = _shaken(pinned, theirs, host, visit, folder) is not None
    assert (visit["accept"], visit["expected"]) == (is_through, verdicts[-1].outcome.value)
    return version


def _shaken(
    context: ssl.SSLContext, theirs: ssl.SSLContext, host: str, visit: dict[str, Any], folder: Path
) -> str | None:
    """Shake hands over a pair of sockets and return the version, or None where the client refuses."""
    if visit["client_certificate"] is not None:
        (folder / "client.pem").write_text(visit["client_certificate"])
        context.load_cert_chain(folder / "client.pem")
    near, far = socket.socketpair()
    near.settimeout(10)
    # Not so the other end: with a timeout ssl takes an error that OpenSSL left and got over for the handshake's own.
    serving = threading.Thread(target=_serve, args=(theirs, far))
    serving.start()
    try:
        with context.wrap_socket(near, server_hostname=host) as secured:
            return secured.version()
    except ssl.SSLCertVerificationError:
        return None
    finally:
        near.close()
        serving.join()


def _serve(context: ssl.SSLContext, far: socket.socket) -> None:
    """Shake hands once; the client may refuse or be gone."""
    with far, contextlib.suppress(OSError):
        context.wrap_socket(far, server_side=True).close()


def _server_context(server: dict[str, Any], folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if server["tls"] is not None:
        context.minimum_version = context.maximum_version = ssl.TLSVersion[f"TLSv1_{server['tls'][-1]}"]
    if server["shows_anything"]:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if server["alpn"]:
        context.set_alpn_protocols(server["alpn"])
    if server["client_ca"] is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=server["client_ca"])
    (folder / "server.pem").write_text(server["chain"] + server["key"])
    context.load_cert_chain(folder / "server.pem")
    return context


def test_the_reference_of_the_scenarios_is_current() -> None:
    """The page of the scenarios says what their docstrings say today."""
    checked = subprocess.run(
        [sys.executable, HERE / "tools" / "scenario_reference.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (0, "the reference of the scenarios is current\n") == (checked.returncode, checked.stdout), checked.stderr
