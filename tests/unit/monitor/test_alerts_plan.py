"""The file that says who is told what, when and how often."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher import monitor
from pinscher.monitor.alerts.notices import Notice, notice_of
from pinscher.monitor.alerts.plan import LARGEST_FILE, InvalidAlertsError, Plan
from pinscher.monitor.findings import Severity
from pinscher.monitor.findings.names import ENDPOINT_RULES, EVERY_RULE

SECRET = "json://user:hunter2@alerts.example/T0KEN"


def plan(route: str = "", top: str = "") -> Plan:
    """Return a plan of one route."""
    return Plan.loads(f'format = 1\n{top}\n[routes.team]\nurls = ["{SECRET}"]\n{route}'.encode(), {})


def notice(**fields: object) -> Notice:
    """Return a notice about one endpoint."""
    told: dict[str, object] = {
        "at": 0, "severity": Severity.WARNING, "what": "opened", "rule": "pin-mismatch", "subject": "api.bank.example:443",
        "host": "api.bank.example", "application": "", "cause": "", "said": "said", "advice": "do", "path": "/findings/1",
    }  # fmt: skip
    return Notice(**told | fields)  # type: ignore[arg-type]


def test_a_route_without_filters_takes_everything() -> None:
    """What nobody filters is told."""
    route = plan().routes[0]
    assert route.wants(notice())
    assert route.wants(notice(severity=Severity.NOTICE, what="closed", host="", application="shop"))


@pytest.mark.parametrize(
    ("line", "wanted", "other"),
    [
        ('severity = "critical"', {"severity": Severity.CRITICAL}, {"severity": Severity.WARNING}),
        ('rules = ["new-issuer"]', {"rule": "new-issuer"}, {}),
        ('hosts = ["*.shop.example"]', {"host": "a.shop.example"}, {}),
        ('applications = ["shop"]', {"application": "shop"}, {}),
        ("closed = false", {}, {"what": "closed"}),
    ],
)
def test_a_filter_takes_away(line: str, wanted: dict[str, object], other: dict[str, object]) -> None:
    """By severity, rule, host, application, and whether the end is told."""
    route = plan(line).routes[0]
    assert (True, False) == (route.wants(notice(**wanted)), route.wants(notice(**other)))


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("pin-missmatch", "found 'pin-missmatch'; did you mean 'pin-mismatch'?"),
        ("incidents", "did you mean 'incident'?"),
        ("\\u001b[2Jred", "found '\\x1b[2Jred'"),
    ],
)
def test_a_rule_that_no_finding_has_is_an_error(named: str, said: str) -> None:
    """A misspelled rule would be a route that is silent for ever, and is refused with the nearest one there is."""
    with pytest.raises(InvalidAlertsError) as caught:
        plan(f'rules = ["new-issuer", "{named}"]')
    assert "routes.team.rules[1]" == caught.value.place
    assert said in str(caught.value)


def test_every_rule_of_the_monitor_can_be_asked_for() -> None:
    """Whatever a finding can be called in the monitor's code is a rule that a route can name, and stands in the manual."""
    code = [*(Path(monitor.__file__).parent / "findings").glob("*.py"), Path(monitor.__file__).parent / "reloading.py"]
    written = {name for one in code for name in re.findall(r'rule="([a-z-]+)"', one.read_text(encoding="utf-8"))}
    assert written <= EVERY_RULE
    assert written >= {*ENDPOINT_RULES, "clients-silent", "policy-refused"}
    manual = (Path(__file__).parents[3] / "docs/reference/monitor.md").read_text(encoding="utf-8")
    assert EVERY_RULE == set(re.findall(r"^\| `([a-z-]+)` \| (?:critical|warning|notice)", manual, re.MULTILINE))


@pytest.mark.parametrize(
    ("hours", "at", "severity", "is_quiet"),
    [
        ('from = "22:00", to = "07:00"', "2026-11-21T21:30", 2, True), ('from = "22:00", to = "07:00"', "2026-11-21T20:59", 2, False),
        ('from = "22:00", to = "07:00"', "2026-11-21T06:00", 2, False), ('from = "22:00", to = "07:00"', "2026-11-21T05:59", 1, True),
        ('from = "22:00", to = "07:00"', "2026-11-21T23:00", 3, False), ('from = "22:00", to = "07:00", critical = "waits"', "2026-11-21T23:00", 3, True),
        ('from = "12:00", to = "13:00"', "2026-11-21T11:00", 1, True), ('from = "12:00", to = "13:00"', "2026-11-21T12:00", 1, False),
        ('from = "22:00", to = "07:00"', "2026-07-21T20:30", 1, True),
    ],
)  # fmt: skip
def test_quiet_hours_are_those_of_the_named_zone(hours: str, at: str, severity: int, *, is_quiet: bool) -> None:
    """Over midnight and over the change of clocks; what is critical passes unless it is told to wait."""
    route = plan(f'zone = "Europe/Zurich"\nquiet = {{ {hours} }}').routes[0]
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert is_quiet == route.is_quiet(moment, Severity(severity))


def test_an_address_may_come_from_the_environment() -> None:
    """So that the file holds no secret; a variable that is missing is an error."""
    text = b'format = 1\n[routes.team]\nurls = ["env:ALERTS"]\nrepeat-hours = 1'
    route = Plan.loads(text, {"ALERTS": SECRET}).routes[0]
    assert ((SECRET,), timedelta(hours=1)) == (route.addresses, route.repeat)
    with pytest.raises(InvalidAlertsError, match="no such variable"):
        Plan.loads(text, {})


@pytest.mark.parametrize(
    ("route", "top", "words"),
    [
        ("colour = 1", "", "unknown field `colour`"), ("severity = 'urgent'", "", "'urgent'"), ("zone = 'Mars/Base'", "", "no time zone of this machine: 'Mars/Base'"),
        ("quiet = { from = '22:00', to = '07:00' }", "", "expected a time zone"), ("digest = '08:00'", "", "expected a time zone"),
        ("zone = 'UTC'\nquiet = { from = '22:00', to = '22:00' }", "", "begins and ends"), ("zone = 'UTC'\ndigest = '8'", "", "such as '22:00', found '8'"),
        ("hosts = ['a b']", "", "a b"), ("group-minutes = -1", "", "routes"), ("", "link = 'ftp://x'", "link: expected where"), ("", "link = 'https://[x'", "link"),
        ("", "link = 'https://u:p@x'", "link"), ("[routes.'a b']\nurls = ['json://x']", "", "letters"), ("[routes.b]\nurls = []", "", "expected 1 to 16"),
        ("[routes.b]\nurls = ['nothing']", "", "routes.b.urls[0]: expected an address"), ("x = ", "", "no TOML"),
    ],
)  # fmt: skip
def test_a_file_that_makes_no_sense_is_refused_without_its_secrets(route: str, top: str, words: str) -> None:
    """The words say the place, and no address."""
    with pytest.raises(InvalidAlertsError) as caught:
        plan(route, top)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_is_named_in_its_error(tmp_path: Path) -> None:
    """One that is missing, one that is too long, one of other letters, and one without routes."""
    path = tmp_path / "alerts.toml"
    with pytest.raises(InvalidAlertsError, match="cannot be read"):
        Plan.load(path)
    for content, words in (
        (b"#" * (LARGEST_FILE + 1), "octets"), (b"\xff", "UTF-8"), (b"format = 1\n[routes]", "expected 1 to 64 routes"),
        (f'format = 1\n[routes.a]\nurls = ["{SECRET}'.encode(), "no TOML"), (f'format = 2\nroutes = "{SECRET}"'.encode(), "format"),
    ):  # fmt: skip
        path.write_bytes(content)
        with pytest.raises(InvalidAlertsError, match=words) as caught:
            Plan.load(path)
        assert str(path) in str(caught.value)
        assert "hunter2" not in str(caught.value)


def test_an_address_is_in_no_representation() -> None:
    """What a debugger or a log prints of a plan has no secret in it."""
    assert "hunter2" not in repr(plan())
    assert plan().route("team") is not None
    assert plan().route("other") is None


@given(st.binary(max_size=200))
def test_whatever_the_file_holds_the_answer_is_a_plan_or_its_error(content: bytes) -> None:
    """No other error comes out."""
    with contextlib.suppress(InvalidAlertsError):
        Plan.loads(b'format = 1\n[routes.a]\nurls = ["json://x"]\n' + content, {})


KEY = "key sha256/" + "A" * 43 + "= for "


@pytest.mark.parametrize(
    ("listed", "subject", "is_wanted"),
    [
        ("**.bank.example", f"{KEY}api.bank.example", True),
        ("api.bank.example", f"{KEY}*.bank.example", True),
        ("api.bank.example", f"{KEY}**.bank.example", True),
        ("*.bank.example", f"{KEY}**.api.bank.example", True),
        ("**.api.bank.example", f"{KEY}*.bank.example", True),
        ("bank.example", f"{KEY}*.bank.example", False),
        ("*.bank.example", f"{KEY}**.a.b.bank.example", False),
        ("**.bank.example", f"{KEY}api.shop.example", False),
        ("api.bank.example", "api.bank.example:443, all vantage points", True),
        ("api.bank.example", "api.bank.example:443, its TLSA records", True),
        ("api.bank.example", "api.bank.example:443, its certificate in logs", True),
        ("api.bank.example", "api.bank.example:443 from frankfurt", True),
        ("2001:db8::1", "[2001:db8::1]:443, its TLSA records", True),
        ("api.shop.example", "api.bank.example:443, all vantage points", False),
        ("api.bank.example", "clients of app host **.bank.example", True),
        ("api.bank.example", "clients of app host **.shop.example", False),
        ("api.bank.example", f"clients of app host **.{'a' * 10}~{'0' * 32}", False),
        ("api.bank.example", "entry 7 of log Argon", False),
        ("api.bank.example", "clients of app many hosts", True),
        ("api.bank.example", "clients of app many policy versions", False),
    ],
)
def test_a_route_hears_all_about_its_hosts(listed: str, subject: str, *, is_wanted: bool) -> None:
    """A certificate that was issued, vantage points, logs and TLSA records are about hosts, and so is an entry over them."""
    row = SimpleNamespace(id=1, severity=3, rule="ct-foreign-ca", subject=subject, cause="", said="", advice="")
    told = notice_of(row, what="opened", at=0)  # type: ignore[arg-type]
    assert is_wanted == plan(f'hosts = ["{listed}"]').routes[0].wants(told)


def test_the_longest_entry_of_a_policy_fits_its_column() -> None:
    """A notice about it is stored, and so is every other that is written with it."""
    long = f"**.{'.'.join(['a' * 62] * 4)}"
    assert (254, 253) == (len(long), len(notice(host=long).row["host"]))
