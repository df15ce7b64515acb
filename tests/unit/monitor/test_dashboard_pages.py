"""The pages of the dashboard, read and used without a browser."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from markupsafe import Markup
from sqlalchemy import insert, update

from pinscher.lab.encoding import pem
from pinscher.monitor.findings import Finding, Severity
from pinscher.monitor.sightings import Sightings
from pinscher.monitor.tables import endpoints as endpoints_table
from pinscher.monitor.tables import heartbeats, incidents, millis, reports
from pinscher.monitor.tokens import Role
from pinscher.monitor.web.pages.calendar import certificate_terms, policy_terms
from pinscher.monitor.web.pages.chain_drawing import compared
from pinscher.monitor.web.pages.shown import apart, clock, counted, plain, short, short_pin
from pinscher.monitor.web.pages.timeline_drawing import Span, certificate_spells, key_spells
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.probe import Endpoint
from pinscher.verdict import Outcome
from tests.unit.monitor.dashboard_scene import AT, PASSWORD, PINNED, ROOT, Browser, Dashboard, Forms, Standing, said
from tests.unit.monitor.scene import DAY, HOST, HOUR, chain_of, history, issue, policy_of, sighting

if TYPE_CHECKING:
    from pinscher.monitor.database import Database

pytestmark = pytest.mark.anyio
SUBJECT = f"{HOST}:443"
PIN = str(Pin.of(PINNED.der))


@pytest.fixture
async def dashboard(database: Database) -> Dashboard:
    """Return a dashboard of a bank with one host."""
    return await Dashboard.of(database)


async def _see(dashboard: Dashboard, *seen: Any, outcome: str = "match") -> None:
    """Note what the bank's endpoint showed."""
    async with dashboard.monitor.database.writing() as connection:
        number = (await connection.execute(endpoints_table.select())).first()
        assert number is not None
        for one in seen:
            await Sightings(dashboard.monitor.database).add(connection, number.id, one)
        await connection.execute(update(endpoints_table).values(outcome=outcome, looked=millis(AT)))


async def _find(dashboard: Dashboard, *rules: tuple[str, Severity]) -> None:
    found = [Finding(rule=rule, severity=severity, said=f"it is {rule}", advice="look") for rule, severity in rules]
    async with dashboard.monitor.database.writing() as connection:
        await dashboard.monitor.ledger.settle(connection, SUBJECT, found, at=AT)


async def _report(dashboard: Dashboard, *, times: int = 1, chain: tuple[bytes, ...] = ()) -> None:
    pems = [pem("CERTIFICATE", der).decode() for der in chain]
    for number in range(times):
        body = {"hostname": HOST, "version": 1, "policy": "bank-app", "id": f"{number}-{len(chain)}"}
        await _stored(dashboard, body | {"validated-certificate-chain": pems})
    await dashboard.monitor.group()


async def _stored(dashboard: Dashboard, body: dict[str, Any]) -> None:
    import asyncio
    import json

    monitor = dashboard.monitor
    taking = asyncio.create_task(
        monitor.collector.take_report(json.dumps(body).encode(), application="bank-app", at=AT)
    )
    while not taking.done():
        await monitor.intake.write()
        await asyncio.sleep(0)
    await taking


async def _beat(dashboard: Dashboard, install: str, version: int | None, policy: str = "bank-app") -> None:
    row = {
        "application": "bank-app", "key": install, "received": millis(AT), "install": install, "policy": policy, "version": version,
        "log_head": "", "host": HOST, "outcome": "match", "matched": PIN, "times": 2,
    }  # fmt: skip
    async with dashboard.monitor.database.writing() as connection:
        await connection.execute(insert(heartbeats).values(row))


async def test_the_first_screen_answers_yes_nothing_and_nothing(dashboard: Dashboard) -> None:
    """When every endpoint matches, nobody reported and nothing is near its end."""
    await _see(dashboard, sighting(PINNED, matched=Pin.of(PINNED.der)))
    words = said((await (await dashboard.logged_in("ada")).get("/")).text)
    assert "Is pinning on? Yes. Every watched endpoint" in words
    assert "What broke? Nothing that the monitor or a client told of." in words
    assert "What will break next? Nothing that is near." in words


async def test_pinning_is_off_when_no_host_is_enforced(database: Database) -> None:
    """A policy that only reports, or whose pins have expired, refuses nothing."""
    for more in (
        'mode = "report-only"\nreport-only-since = 2026-11-01\n',
        f'expires = {AT - DAY:%Y-%m-%dT%H:%M:%SZ}\non-expiry = "report"\n',
    ):
        dashboard = await Dashboard.of(database, policy=policy_of(PIN, more=more))
        browser = await dashboard.logged_in(f"ada{len(more)}")
        assert "Is pinning on? Off. No host is held to its pins." in said((await browser.get("/")).text)


async def test_a_policy_without_endpoints_is_unseen(database: Database) -> None:
    """What is pinned and watched nowhere is not called on."""
    dashboard = await Dashboard.of(database, policy=policy_of(PIN, host="*.bank.example"))
    assert "Is pinning on? Unseen." in said((await (await dashboard.logged_in("ada")).get("/")).text)


async def test_whatever_keeps_pinning_from_being_on_is_said(database: Database) -> None:
    """Hosts that only report, expired pins, endpoints that do not match or were not seen, old clients, and ourselves."""
    document = "".join(
        f'[hosts."{host}"]\npins = ["{PIN}"]\nbackup-pins = []\n{more}'
        for host, more in (
            (HOST, ""), ("new.bank.example", ""), ("*.report.example", 'mode = "report-only"\nreport-only-since = 2026-11-01\n'),
            ("*.late.example", "expires = 2026-11-01T00:00:00Z\n"),
        )
    )  # fmt: skip
    document = document.replace("backup-pins = []\n", "") + '[hosts."**.free.example"]\nunpinned = "somebody else\'s"\n'
    policy = Policy.loads(f'format = 1\nname = "bank-app"\nversion = 3\n{document}')
    dashboard = await Dashboard.of(database, policy=policy)
    browser = await dashboard.logged_in("ada")
    words = said((await browser.get("/")).text)
    for part in ("nobody has looked yet: 2 endpoints", "only reported, and nothing refused: 1 host", "expired: 1 host"):
        assert part in words
    await _see(dashboard, sighting(PINNED), outcome="no-matching-pin")
    for number, version in enumerate((1, 2, 3, None)):
        await _beat(dashboard, f"i{number}", version)
    await _beat(dashboard, "other", 1, policy="other")
    await _find(dashboard, ("clients-silent", Severity.CRITICAL))
    dashboard.clock.at += HOUR / 2
    assert 1 == _rows((await browser.get("/findings?rule=clients-silent&state=open")).text)
    words = said((await browser.get("/")).text)
    for part in (
        "no-matching-pin: 2 endpoints",
        "an older policy: 2 clients",
        "clients-silent: 1 finding",
        "itself has not looked since 2026-11-21 12:00",
    ):
        assert part in words


async def test_every_number_leads_to_as_many_rows(dashboard: Dashboard) -> None:
    """What the first screen counts is what the page behind each count lists."""
    await _see(dashboard, sighting(PINNED), outcome="no-matching-pin")
    await _find(
        dashboard,
        ("pin-mismatch", Severity.CRITICAL),
        ("new-issuer", Severity.WARNING),
        ("policy-ends", Severity.WARNING),
        ("key-changed", Severity.NOTICE),
    )
    await _report(dashboard, times=3)
    await _report(dashboard, times=1, chain=chain_of(issue(ROOT)))
    await _beat(dashboard, "one", 1)
    browser = await dashboard.logged_in("ada")
    page = (await browser.get("/")).text
    figures = {
        link.replace("&amp;", "&"): int(number)
        for link, number in re.findall(r'<dd><a href="([^"]+)">(\d+)</a></dd>', page)
    }
    assert {"/endpoints?outcome=no-matching-pin": 1, "/reports": 4, "/clients": 1} == {
        link: figures[link] for link in ("/endpoints?outcome=no-matching-pin", "/reports", "/clients")
    }
    assert [2, 1, 1, 2] == [figures[link] for link in sorted(figures) if link.startswith(("/findings", "/incidents"))]
    for link, number in figures.items():
        assert "/timeline" in link or number == _rows((await browser.get(link)).text), link


def _rows(page: str) -> int:
    return page.partition("<tbody>")[2].partition("</tbody>")[0].count('<tr><th scope="row"')


async def test_every_link_of_every_page_leads_somewhere(dashboard: Dashboard) -> None:
    """Followed to the end, as a person with patience would: each answers, and none leads out."""
    await _see(dashboard, sighting(PINNED, at=AT - DAY), sighting(issue(ROOT), outcome=Outcome.NO_MATCHING_PIN))
    await _find(dashboard, ("pin-mismatch", Severity.CRITICAL), ("policy-ends", Severity.WARNING))
    await _report(dashboard, chain=chain_of(issue(ROOT)))
    await _beat(dashboard, "one", None)
    browser = await dashboard.logged_in("ada")
    seen, waiting = set(), {"/"}
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = await browser.get(path)
        assert 200 == answer.status_code, path
        links = {link.partition("#")[0] for link in Forms(answer.text).links}
        assert all(link.startswith("/") or not link for link in links)
        waiting |= {link for link in links if link} - seen
    assert {"/endpoints", "/timeline", "/findings", "/incidents", "/clients", "/accounts", "/audit"} <= seen
    assert len(seen) > 15


async def test_lists_go_on_where_a_page_ends(dashboard: Dashboard) -> None:
    """A hundred rows a page, and the next page begins where one ended."""
    database = dashboard.monitor.database
    await dashboard.monitor.watch.schedule.watch(
        [Endpoint(f"h{number}.example") for number in range(101)], at=AT, is_anew=False
    )
    common = {"application": "a", "host": HOST, "key": "", "issuer": "", "cause": "unknown", "said": "s", "advice": "a", "first": 0, "last": 0, "reports": 1, "times": 1, "versions": "{}", "chain": "", "share": "", "state": "open"}  # fmt: skip
    told = {"application": "a", "received": 1, "host": HOST, "policy": "p", "mode": "enforce", "cause": "", "library": "", "times": 1, "served": "", "validated": "", "incident": 1}  # fmt: skip
    async with database.writing() as connection:
        await connection.execute(insert(incidents), [common] * 101)
        await connection.execute(insert(reports), [told | {"key": str(number)} for number in range(101)])
    for number in range(101):
        await _beat(dashboard, f"i{number}", 1)
    async with database.writing() as connection:
        for number in range(101):
            found = [Finding(rule="unreachable", severity=Severity.WARNING, said="gone", advice="look")]
            await dashboard.monitor.ledger.settle(connection, f"h{number}.example:443", found, at=AT)
    browser = await dashboard.logged_in("ada")
    for path in (
        "/endpoints?host=H",
        "/incidents?state=open&cause=unknown",
        "/reports",
        "/findings?severity=warning&rule=unreachable",
    ):
        page = (await browser.get(path)).text
        assert 100 == _rows(page), path
        then = Forms(page).links[-1]
        assert 1 == _rows((await browser.get(then)).text), then
    page = (await browser.get("/clients?application=bank-app&version=1")).text
    assert "before=" in Forms(page).links[-1]
    assert "before=" not in (await browser.get("/clients?application=bank-app&version=99")).text
    assert "after=" in (await browser.get("/timeline")).text


async def test_a_finding_is_acknowledged_and_silenced_with_a_reason(dashboard: Dashboard) -> None:
    """The page says so, and the audit log who said it."""
    await _find(dashboard, ("unreachable", Severity.WARNING))
    browser = await dashboard.logged_in("ada")
    number = re.findall(r'href="/findings/(\d+)"', (await browser.get("/findings?kind=broken")).text)[0]
    here = f"/findings/{number}"
    answer = await browser.send(here, f"{here}/acknowledge", reason="calling them <now>")
    assert "State acknowledged" in said(answer.text)
    assert "calling them &lt;now&gt;" in answer.text
    answer = await browser.send(here, f"{here}/silence", reason="moving", hours="4")
    assert "State silenced until 2026-11-21 16:00 UTC in 4 hours" in said(answer.text)
    assert [("ada", "finding acknowledged", f"finding {number}"), ("ada", "finding silenced", f"finding {number}")] == (
        await dashboard.deeds()
    )[-2:]
    assert 0 == _rows((await browser.get("/findings?state=open")).text)
    assert 1 == _rows((await browser.get("/findings?state=silenced")).text)
    for action, fields, status in (
        ("silence", {"reason": "x", "hours": "5"}, 400),
        ("silence", {"reason": " ", "hours": "4"}, 400),
        ("acknowledge", {"reason": ""}, 400),
    ):
        assert status == (await browser.send(here, f"{here}/{action}", **fields)).status_code
    form = Forms((await browser.get(here)).text).forms[f"{here}/acknowledge"]
    gone = await browser.post("/findings/999999999999999999/acknowledge", form | {"reason": "x"})
    assert (404, True) == (gone.status_code, "no open finding" in gone.text)


async def test_what_a_token_changes_is_in_the_log_too(dashboard: Dashboard) -> None:
    """A program that acknowledges a finding stands in the log as whose token it has; what only looks does not."""
    await _find(dashboard, ("unreachable", Severity.WARNING))
    token = await dashboard.monitor.tokens.make(Role.OPERATOR, "pager", at=AT)
    client, headers = Browser(dashboard).client, {"Authorization": f"Bearer {token}"}
    number = (await client.get("/api/findings", headers=headers)).json()["findings"][0]["id"]
    path = f"/api/findings/{number}/acknowledge"
    assert 201 == (await client.post(path, json={"reason": "on it"}, headers=headers)).status_code
    assert 400 == (await client.post(path, json={"reason": ""}, headers=headers)).status_code
    assert [("token of pager", "acknowledgeFinding", path)] == await dashboard.deeds()


async def test_an_incident_is_drawn_and_acknowledged(dashboard: Dashboard) -> None:
    """The chain stands beside the pins, with no line between them; what a person says of it is kept."""
    await _report(dashboard, chain=chain_of(issue(ROOT)))
    browser = await dashboard.logged_in("ada")
    here = re.findall(r'href="(/incidents/\d+)"', (await browser.get("/incidents")).text)[0]
    page = (await browser.get(here)).text
    assert "no key is in both" in page
    assert PIN in page
    answer = await browser.send(here, f"{here}/acknowledge", reason="ours")
    assert "State acknowledged ours" in said(answer.text)
    assert ("ada", "incident acknowledged", here.removeprefix("/").replace("s/", " ")) == (await dashboard.deeds())[-1]
    assert "Nothing that the monitor or a client told of" in said((await browser.get("/")).text)
    assert 404 == (await browser.get("/incidents/987654")).status_code


@pytest.mark.parametrize("path", ["/findings/1/acknowledge", "/findings/1/silence", "/incidents/1/acknowledge", "/clients/applications", "/accounts/invite", "/accounts/1/remove"])  # fmt: skip
async def test_a_viewer_changes_nothing(dashboard: Dashboard, path: str) -> None:
    """Whatever form somebody makes up: the role is asked for, and the log stays with the operators."""
    browser = await dashboard.logged_in("vera", Standing.VIEWER)
    form = Forms((await browser.get("/")).text).forms["/logout"] | {"reason": "x", "name": "eve", "role": "operator"}
    answer = await browser.post(path, form)
    assert (403, True) == (answer.status_code, "a viewer looks" in answer.text)
    assert 403 == (await browser.get("/audit")).status_code
    assert "/audit" not in (await browser.get("/")).text
    assert "Everybody" not in (await browser.get("/accounts")).text
    assert {403: 2} == dashboard.monitor.refused


async def test_an_operator_invites_and_removes(dashboard: Dashboard) -> None:
    """A link for a name and a role, shown once; the same name gets a new password by it; the last operator stays."""
    browser = await dashboard.logged_in("ada")
    answer = await browser.send("/accounts", "/accounts/invite", name="vera", role="viewer")
    link = re.findall(r"http://127.0.0.1:8080(/welcome/[\w-]+)", answer.text)[0]
    viewer = Browser(dashboard)
    await viewer.send(link, link, password=PASSWORD, again=PASSWORD)
    assert "/" == (await viewer.get("/")).url.path
    again = await dashboard.link("vera", Standing.OPERATOR)
    await Browser(dashboard).send(again, again, password=PASSWORD * 2, again=PASSWORD * 2)
    assert "/login" == (await viewer.get("/")).url.path
    assert 401 == (await viewer.log_in("vera")).status_code
    assert "/" == (await viewer.log_in("vera", PASSWORD * 2)).url.path
    rows = await dashboard.desk.accounts.all()
    assert [("ada", "operator"), ("vera", "operator")] == [(row["name"], row["role"]) for row in rows]
    removal = f"/accounts/{rows[1]['id']}/remove"
    assert 200 == (await browser.send("/accounts", removal)).status_code
    assert "/login" == (await viewer.get("/")).url.path
    answer = await browser.send("/accounts", f"/accounts/{rows[0]['id']}/remove")
    assert (400, True) == (answer.status_code, "the last operator stays" in answer.text)
    form = Forms((await browser.get("/")).text).forms["/logout"]
    assert 404 == (await browser.post("/accounts/987654/remove", form)).status_code
    for fields in ({"name": "", "role": "viewer"}, {"name": "x", "role": "king"}, {"name": "a b", "role": "viewer"}):
        assert 400 == (await browser.send("/accounts", "/accounts/invite", **fields)).status_code
    assert "account removed" in (await browser.get("/audit")).text


async def test_who_changes_the_password_ends_every_other_session(dashboard: Dashboard) -> None:
    """The old one is asked for; the browser that changed it goes on in a new session."""
    browser = await dashboard.logged_in("vera", Standing.VIEWER)
    other = Browser(dashboard)
    await other.log_in("vera")
    new = {"password": "another long phrase", "again": "another long phrase"}
    for fields, words in (
        ({"old": "not this one"} | new, "another one"), ({"old": PASSWORD, "password": "a" * 12, "again": "b" * 12}, "differ"),
        ({"old": PASSWORD, "password": "short", "again": "short"}, "12 to 256"),
    ):  # fmt: skip
        answer = await browser.send("/accounts", "/accounts/password", **fields)
        assert (400, True) == (answer.status_code, words in answer.text)
    answer = await browser.send("/accounts", "/accounts/password", old=PASSWORD, **new)
    assert ("/accounts", 200) == (answer.url.path, answer.status_code)
    assert "/login" == (await other.get("/")).url.path
    assert ("vera", "password changed", "") == (await dashboard.deeds())[-1]


async def test_an_application_gets_its_token_on_a_page(dashboard: Dashboard) -> None:
    """Once, and written into the log without the token."""
    browser = await dashboard.logged_in("ada")
    answer = await browser.send("/clients", "/clients/applications", name="shop")
    token = re.findall(r"pinscher-application-[\w-]+", answer.text)[0]
    assert "pinscher-application" not in (await browser.get("/clients")).text + (await browser.get("/audit")).text
    assert "<li>shop</li>" in (await browser.get("/clients")).text
    assert token
    assert 400 == (await browser.send("/clients", "/clients/applications", name="a b")).status_code


async def test_an_endpoint_shows_its_history(dashboard: Dashboard) -> None:
    """The keys it had, what it showed when, and its chain; before the first look there is nothing to show."""
    browser = await dashboard.logged_in("ada")
    here = re.findall(r'href="(/endpoints/\d+)"', (await browser.get("/endpoints?outcome=not-yet")).text)[0]
    assert "Nobody has looked at it yet." in (await browser.get(here)).text
    other = issue(ROOT)
    await _see(
        dashboard, sighting(PINNED, at=AT - 2 * DAY), sighting(PINNED, at=AT - DAY, matched=Pin.of(PINNED.der)),
        sighting(other, outcome=Outcome.NO_MATCHING_PIN, said="clients refuse it"), outcome="no-matching-pin",
    )  # fmt: skip
    page = (await browser.get(here)).text
    for part in (PIN, str(Pin.of(other.der)), "clients refuse it", "no-matching-pin"):
        assert part in page
    drawn = (await browser.get(f"/timeline?endpoint={here.rpartition('/')[2]}&days=7")).text
    assert ('class="box good"' in drawn, 'class="box bad"' in drawn, "<option selected>90" in drawn) == (
        True,
        True,
        True,
    )
    assert 404 == (await browser.get("/endpoints/987654")).status_code


async def test_keys_follow_each_other_on_the_timeline() -> None:
    """A key that stays is one spell however often it was seen; an endpoint without a verified path has none."""
    other = issue(ROOT)
    seen = history(
        sighting(PINNED, at=AT - 3 * DAY), sighting(PINNED, at=AT - 2 * DAY), sighting(other, at=AT),
        sighting(PINNED, at=AT).__class__(first=AT, last=AT, failure="no answer"),
    )  # fmt: skip
    assert [(AT - 3 * DAY, AT - 2 * DAY), (AT, AT)] == [(spell.first, spell.last) for spell in key_spells(seen)]
    assert 2 == len(certificate_spells(seen))
    span = Span(AT - DAY, AT + DAY)
    assert [250, 725, 1200] == [span.x(at) for at in (AT - 9 * DAY, AT, AT + 9 * DAY)]
    assert [True, False] == [span.shows(AT, AT), span.shows(AT - 9 * DAY, AT - 8 * DAY)]


def test_the_days_of_a_policy() -> None:
    """When its pins expire, since when a host only reports, and when a rehearsal is a year old."""
    policy = Policy.loads(f"""
format = 1
name = "bank-app"
version = 1
[keys.spare]
pin = "{Pin.of(issue(ROOT).der)}"
rehearsed = 2026-01-02
[keys.other]
pin = "{Pin.of(issue(ROOT).der)}"
[keys.unused]
pin = "{Pin.of(issue(ROOT).der)}"
[hosts."{HOST}"]
pins = ["{PIN}"]
backup-pins = ["spare", "other"]
expires = 2027-03-01T00:00:00Z
[hosts."*.{HOST}"]
pins = ["{PIN}"]
backup-pins = ["spare"]
mode = "report-only"
report-only-since = 2026-11-01
""")
    assert ["2026-11-01", "2027-01-02", "2027-03-01", "none"] == [
        "none" if term.at is None else f"{term.at:%Y-%m-%d}" for term in policy_terms(policy)
    ]


def test_the_days_of_a_certificate() -> None:
    """Two thirds of its life, its end, and the ends of those above it; what has no dates has no days."""
    terms = certificate_terms([history(sighting(PINNED)), history()])
    assert ["two thirds of the certificate's life are over", "the certificate of CN=api.bank.example ends"] == [
        term.said for term in terms[:2]
    ]
    junk = sighting(PINNED).__class__(first=AT, last=AT, presented=(b"junk",))
    assert [] == certificate_terms([history(junk)])
    assert [] == certificate_spells(history(junk))


def test_a_chain_beside_its_pins() -> None:
    """A line ties each key that is in both; a denied one is a box of its own; junk and an unknown host are drawn too."""
    other = issue(ROOT)
    policy = policy_of(PIN, backups=(Pin.of(issue(ROOT).der),), more=f'denied-keys = ["{Pin.of(other.der)}"]\n')
    drawn = compared(HOST, chain_of(PINNED), policy)
    assert (1, True, ["leaf", "root"]) == (len(drawn.ties), drawn.is_accepted, [link.place for link in drawn.links])
    refused = compared(HOST, (*chain_of(other)[:1], b"junk", *chain_of(other)[1:]), policy)
    assert (1, False) == (len(refused.ties), refused.is_accepted)
    assert {"bad", "", "fair"} == {box.kind for box in refused.boxes}
    assert ((), ()) == (compared("", (b"junk",), policy).listed, compared("x.example", (), policy).boxes)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\\b<&", "a\\b<&"),
        ("\u202egnp", "\\u202egnp"),
        ("\x1b[2J\n", "\\x1b[2J\\x0a"),
        (None, ""),
        (7, "7"),
        ("\xe9\U0001f600", "\\xe9\\U0001f600"),
    ],
)
def test_what_is_not_plain_is_shown_as_its_escape(value: Any, expected: str) -> None:
    """Bidirectional marks, control characters and look-alike letters are seen, and do nothing."""
    assert expected == plain(value)
    assert Markup("<b>") is not plain("<b>")
    assert "<b>" == plain(Markup("<b>"))


@pytest.mark.parametrize(
    ("off", "expected"),
    [(timedelta(), "just now"), (timedelta(seconds=5), "within a minute"), (timedelta(minutes=-1), "1 minute ago"), (timedelta(minutes=90), "in 90 minutes"),
     (timedelta(hours=-47), "47 hours ago"), (timedelta(days=3), "in 3 days")],
)  # fmt: skip
def test_how_far_away_something_is(off: timedelta, expected: str) -> None:
    """In the largest unit of which there are two."""
    assert expected == apart(AT + off, AT)
    assert expected == apart(millis(AT + off), AT)


def test_small_words() -> None:
    """Numbers with their nouns, moments to the minute, and texts that fit."""
    assert ["1 thing", "2 things", "0 people"] == [
        counted(1, "thing"),
        counted(2, "thing"),
        counted(0, "one", "people"),
    ]
    assert ["never", "2026-11-21 12:00 UTC"] == [clock(None), clock("2026-11-21T13:00:00+01:00")]
    assert ["", "abc", "a..."] == [apart(None, AT), short("abc"), short("abcdefgh", 4)]
    assert ["(unreadable key)", "sha256/AAAAAAAAAA..."] == [short_pin(None), short_pin("sha256/" + "A" * 43 + "=")]
