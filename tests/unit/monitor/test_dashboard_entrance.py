"""Who gets into the dashboard, for how long, and who does not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pinscher.monitor.accounts import LINK_LIFETIME
from pinscher.monitor.audit import KEPT
from pinscher.monitor.database import Database
from pinscher.monitor.errors import MonitorError, UnknownRecordError
from pinscher.monitor.passwords import Cost, Passwords, check
from pinscher.monitor.sessions import IDLE, LONGEST, form_token
from pinscher.monitor.web.pages.site import InvalidAddressError, Site
from tests.unit.monitor.dashboard_scene import AT, PASSWORD, URL, Browser, Dashboard, Forms, said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio
SECURE = "https://monitor.example"
PAGES = (
    "/",
    "/news",
    "/audit",
    "/accounts",
    "/endpoints",
    "/findings",
    "/incidents",
    "/clients",
    "/timeline",
    "/reports",
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Return an empty SQLite database; PostgreSQL gets the same statements from the tests of the pages."""
    opened = await Database.in_folder(tmp_path / "data")
    yield opened
    await opened.close()


@pytest.fixture
async def dashboard(database: Database) -> Dashboard:
    """Return a dashboard on its first day."""
    return await Dashboard.of(database)


async def test_the_first_link_makes_the_operator_and_is_good_once(dashboard: Dashboard) -> None:
    """Whoever follows it chooses a name and a password and is logged in; the second time there is nothing."""
    assert not await dashboard.desk.accounts.has_operator()
    path, browser = await dashboard.link(), Browser(dashboard)
    answer = await browser.send(path, path, name="ada", password=PASSWORD, again=PASSWORD)
    assert ("/", "Is pinning on?") == (answer.url.path, "Is pinning on?" if "Is pinning on?" in answer.text else "")
    assert await dashboard.desk.accounts.has_operator()
    again = await Browser(dashboard).get(path)
    assert (404, True) == (again.status_code, "this link was used" in again.text)
    assert [
        ("pinscher serve", "invited", "the first operator"), ("ada", "account made", "ada"),
    ] == await dashboard.deeds()  # fmt: skip


async def test_a_link_that_is_looked_at_is_not_used_up(dashboard: Dashboard) -> None:
    """A program that loads every link before a person does costs nobody anything."""
    path = await dashboard.link()
    assert [200] * 3 == [(await Browser(dashboard).get(path)).status_code for _ in range(3)]


async def test_a_link_is_good_for_an_hour(dashboard: Dashboard) -> None:
    """After it the page is gone, and so is its form."""
    path, browser = await dashboard.link(), Browser(dashboard)
    form = Forms((await browser.get(path)).text).forms[path] | {"name": "ada", "password": PASSWORD, "again": PASSWORD}
    dashboard.clock.at += LINK_LIFETIME
    assert 404 == (await browser.get(path)).status_code
    assert 404 == (await browser.post(path, form)).status_code
    assert not await dashboard.desk.accounts.has_operator()


async def test_one_link_makes_one_account_however_many_follow_it(dashboard: Dashboard) -> None:
    """Two who send its form at the same time: one account, and one refusal."""
    secret = (await dashboard.link()).rpartition("/")[2]
    accounts = dashboard.desk.accounts
    invitation = await accounts.invitation(secret, address="", at=AT)
    results = await asyncio.gather(
        *(accounts.accept(invitation, name=name, password=PASSWORD, address="", at=AT) for name in ("ada", "eve")),
        return_exceptions=True,
    )
    assert [UnknownRecordError] == [type(one) for one in results if isinstance(one, Exception)]
    assert 1 == len(await accounts.all())


async def test_links_cannot_be_guessed(dashboard: Dashboard) -> None:
    """After twenty that were none an address waits."""
    browser = Browser(dashboard)
    answers = [(await browser.get(f"/welcome/{number}")).status_code for number in range(21)]
    assert [404] * 20 + [429] == answers


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "ada", "password": "short", "again": "short"}, "12 to 256 characters, found 5"),
        ({"name": "ada", "password": PASSWORD, "again": PASSWORD[:-1]}, "the two passwords differ"),
        ({"name": "a b", "password": PASSWORD, "again": PASSWORD}, "the name of an account"),
        ({"name": "adaadaada", "password": "adaadaadaADAADAADA", "again": "adaadaadaADAADAADA"}, "neither the account"),
        ({"name": "ada", "password": "x" * 257, "again": "x" * 257}, "found 257"),
        ({"name": "bob", "password": PASSWORD, "again": PASSWORD}, "there is an account &#39;bob&#39; already"),
    ],
)
async def test_a_refused_choice_leaves_the_link_good(dashboard: Dashboard, fields: dict[str, str], said: str) -> None:
    """The form says what is wrong, and can be sent again."""
    await dashboard.account("bob")
    path, browser = await dashboard.link(), Browser(dashboard)
    answer = await browser.send(path, path, **fields)
    assert (400, True) == (answer.status_code, said in answer.text)
    assert "/" == (await browser.send(path, path, name="eve", password=PASSWORD, again=PASSWORD)).url.path


@pytest.mark.parametrize("path", PAGES)
async def test_without_a_session_there_is_only_the_login(dashboard: Dashboard, path: str) -> None:
    """Every page leads there, and a change is not read."""
    browser = Browser(dashboard)
    answer = await browser.get(path)
    assert ("/login", 200) == (answer.url.path, answer.status_code)
    assert "Policy bank-app" not in answer.text
    assert "/login" == (await browser.post("/logout", {})).url.path


async def test_a_login_leads_back_to_the_page_that_was_asked_for(dashboard: Dashboard) -> None:
    """And never to another site, whatever the address says."""
    await dashboard.account("ada")
    browser = Browser(dashboard)
    assert "/" == (await browser.log_in("ada")).url.path
    for asked, then in (
        ("/accounts/1", "/accounts/1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a?b=//c", "/"),
    ):
        browser = Browser(dashboard)
        answer = await browser.send(f"/login?next={asked}", "/login", name="ada", password=PASSWORD)
        assert ("127.0.0.1", then) == (answer.url.host, answer.url.path)


async def test_a_wrong_password_and_an_unknown_name_are_told_alike(dashboard: Dashboard) -> None:
    """The same words, the same status, and as many hashes."""
    await dashboard.account("ada")
    known = await Browser(dashboard).log_in("ada", "wrong horse battery")
    unknown = await Browser(dashboard).log_in("nobody", "wrong horse battery")
    names = [await Browser(dashboard).log_in(name) for name in ("", "\x00", "ada ", "x" * 4000, "\u0430da")]
    assert [401] * 7 == [answer.status_code for answer in (known, unknown, *names)]
    assert said(known.text) == said(unknown.text)
    assert ("nobody", "login refused", "") == (await dashboard.deeds())[3]


async def test_looking_for_nobody_takes_the_time_of_looking_for_somebody() -> None:
    """A hash of the same cost is compared when there is no account, so a stopwatch tells no names."""
    passwords = Passwords(Cost(iterations=3, memory=2048, lanes=1))
    stored = await passwords.hashed(PASSWORD, name="ada")
    assert [True, False, False, False] == [
        await passwords.is_right(*pair)
        for pair in ((PASSWORD, stored), ("x" * 12, stored), (PASSWORD, None), ("x" * 300, stored))
    ]
    assert stored.startswith("$argon2id$v=19$m=2048,t=3,p=1$")
    assert passwords._nobodys is not None
    assert stored[:30] == passwords._nobodys[:30]


async def test_the_hash_costs_what_the_rfc_recommends() -> None:
    """64 MiB, three passes, four lanes: the second recommended setting of RFC 9106 section 4."""
    assert (64 * 1024, 3, 4) == (Cost().memory, Cost().iterations, Cost().lanes)
    check(PASSWORD, "ada")
    with pytest.raises(MonitorError, match="a few characters"):
        check("abababababab", "ada")


async def test_whoever_guesses_passwords_is_slowed_down(dashboard: Dashboard) -> None:
    """After ten for one account the address waits that named it; after twenty it does, whomever it names."""
    await dashboard.account("ada")
    answers = [await Browser(dashboard).log_in("ada", "wrong") for _ in range(11)]
    assert [401] * 10 + [429] == [answer.status_code for answer in answers]
    assert "30" == answers[-1].headers["retry-after"]
    assert 429 == (await Browser(dashboard).log_in("ada")).status_code
    assert "/" == (await (await dashboard.logged_in("bob")).get("/")).url.path
    dashboard.seconds[0] += 30
    assert 200 == (await Browser(dashboard).log_in("ada")).status_code
    many = [(await Browser(dashboard, "203.0.113.7").log_in(f"n{number}")).status_code for number in range(21)]
    assert [401] * 20 + [429] == many


async def test_a_session_is_a_cookie_that_no_script_and_no_other_site_has(dashboard: Dashboard) -> None:
    """HttpOnly, SameSite=Strict, 256 random bits, and in the database only their digest."""
    await dashboard.account("ada")
    browser = Browser(dashboard)
    shown = await browser.get("/login")
    form = Forms(shown.text).forms["/login"] | {"name": "ada", "password": PASSWORD}
    answer = await browser.client.post("/login", data=form, headers={"Origin": URL}, follow_redirects=False)
    cookies = answer.headers.get_list("set-cookie")
    session = next(cookie for cookie in cookies if cookie.startswith("pinscher-session="))
    assert {"HttpOnly", "Path=/", "SameSite=strict"} == {part.strip() for part in session.split(";")[1:]}
    assert 43 == len(session.split(";")[0].partition("=")[2])


async def test_behind_tls_the_cookie_is_bound_to_its_host(database: Database) -> None:
    """Secure, with the prefix that no other host can set, and HSTS beside it."""
    dashboard = await Dashboard.of(database, url=f"{SECURE}/")
    path, browser = await dashboard.link(), Browser(dashboard, url=SECURE)
    shown = await browser.get(path)
    assert shown.headers["set-cookie"].startswith("__Host-pinscher-visitor=")
    assert "Secure" in shown.headers["set-cookie"]
    assert shown.headers["strict-transport-security"].startswith("max-age=31536000")
    answer = await browser.send(path, path, name="ada", password=PASSWORD, again=PASSWORD)
    assert (200, "/") == (answer.status_code, answer.url.path)


async def test_a_session_ends_when_nobody_uses_it(dashboard: Dashboard) -> None:
    """An hour after the last page; a page that renews itself is no use of it."""
    browser = await dashboard.logged_in("ada")
    for _ in range(3):
        dashboard.clock.at += IDLE / 2
        assert "/" == (await browser.get("/")).url.path
    dashboard.clock.at += IDLE / 2
    assert "/" == (await browser.get("/", **{"X-Pinscher-Live": "1"})).url.path
    dashboard.clock.at += IDLE / 2
    assert "/login" == (await browser.get("/")).url.path


async def test_a_session_ends_after_half_a_day(dashboard: Dashboard) -> None:
    """However busy it was."""
    browser = await dashboard.logged_in("ada")
    while dashboard.clock() < AT + LONGEST - timedelta(minutes=50):
        dashboard.clock.at += timedelta(minutes=50)
        last = await browser.get("/")
        assert "/" == last.url.path
    dashboard.clock.at += timedelta(minutes=50)
    assert "/login" == (await browser.get("/")).url.path
    await browser.log_in("ada")


async def test_a_login_begins_a_session_of_its_own(dashboard: Dashboard) -> None:
    """A cookie from before the login, an attacker's too, is good for nothing afterwards."""
    browser = await dashboard.logged_in("ada")
    before = browser.client.cookies["pinscher-session"]
    page = await browser.get("/login")
    form = Forms(page.text).forms["/login"] | {"name": "ada", "password": PASSWORD}
    assert "/" == (await browser.post("/login", form)).url.path
    after = browser.client.cookies["pinscher-session"]
    assert before != after
    assert await dashboard.desk.sessions.of(before, at=AT) is None
    assert await dashboard.desk.sessions.of("", at=AT) is None


async def test_who_logs_out_is_out(dashboard: Dashboard) -> None:
    """The row is gone, so a copy of the cookie is good for nothing."""
    browser = await dashboard.logged_in("ada")
    cookie = browser.client.cookies["pinscher-session"]
    assert "/login" == (await browser.send("/", "/logout")).url.path
    assert await dashboard.desk.sessions.of(cookie, at=AT) is None
    assert ("ada", "logged out", "") == (await dashboard.deeds())[-1]


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:9999"}, {"Origin": ""}],
)
async def test_another_site_changes_nothing(dashboard: Dashboard, headers: dict[str, str]) -> None:
    """Cross-site request forgery: even with the cookie and the form's token the origin says who asked."""
    browser = await dashboard.logged_in("ada")
    form = Forms((await browser.get("/")).text).forms["/logout"]
    assert 403 == (await browser.post("/logout", form, **headers)).status_code
    assert "/" == (await browser.get("/")).url.path


@pytest.mark.parametrize("token", ["", "x", "\u00e4", form_token("another session")])
async def test_a_form_without_its_token_changes_nothing(dashboard: Dashboard, token: str) -> None:
    """A token is of one session; a form of another, or of none, is refused."""
    browser = await dashboard.logged_in("ada")
    assert 403 == (await browser.post("/logout", {"token": token})).status_code
    fresh = Browser(dashboard)
    assert 403 == (await fresh.post("/login", {"token": token, "name": "ada", "password": PASSWORD})).status_code


async def test_a_body_that_is_no_form_is_refused(dashboard: Dashboard) -> None:
    """JSON, which another site could send as text; a long one; one of many fields; and octets."""
    browser = await dashboard.logged_in("ada")
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    async def sent(content: bytes, **headers: str) -> int:
        """Send a body, and return the status of the answer."""
        answer = await browser.client.post("/logout", content=content, headers={"Origin": URL} | headers)
        return answer.status_code

    assert 403 == await sent(b"{}", **{"Content-Type": "text/plain"})
    assert 413 == await sent(b"x" * 20_000, **form)
    assert [400, 400] == [await sent(content, **form) for content in (b"a=&" * 100, b"\xff")]


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[evil]"])
async def test_a_name_that_was_pointed_here_gets_nothing(dashboard: Dashboard, host: str) -> None:
    """DNS rebinding: a page of another name talks to this machine, and is told that it is at the wrong place."""
    browser = await dashboard.logged_in("ada")
    for path in ("/", "/login"):
        answer = await browser.get(path, Host=host)
        assert (421, False) == (answer.status_code, "Is pinning on?" in answer.text)


@pytest.mark.parametrize("url", [URL, "http://localhost:8080", "http://[::1]:8080", "http://192.0.2.7"])
async def test_an_address_names_this_machine(dashboard: Dashboard, url: str) -> None:
    """No name that could be pointed elsewhere stands in it."""
    assert 200 == (await Browser(dashboard, url=url).get("/login")).status_code


@pytest.mark.parametrize(
    "url",
    [
        "http://monitor.example",
        "monitor.example",
        "https://",
        "https://m.example/x",
        "https://u@m.example",
        "https://m.example:x",
        "https://m\u00fc.example",
    ],
)
def test_an_address_that_browsers_cannot_be_at_is_refused(url: str) -> None:
    """It is https and a name, as browsers write it."""
    with pytest.raises(InvalidAddressError, match="expected https://"):
        Site(url)


def test_an_address_is_kept_as_browsers_write_it() -> None:
    """Without the port that https has anyway, and in lower case."""
    assert [SECURE, f"{SECURE}:8443", "https://[::1]"] == [
        Site(url).url for url in ("HTTPS://Monitor.example:443/", f"{SECURE}:8443", "https://[::1]")
    ]


async def test_pages_tell_a_browser_what_it_may_do(dashboard: Dashboard) -> None:
    """One stylesheet and one script of its own, no frame, no other site, nothing kept."""
    browser = await dashboard.logged_in("ada")
    for path in ("/", "/nowhere/else", "/welcome/x"):
        headers = (await browser.get(path)).headers
        policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
        assert ("'none'", "'none'") == (policy["default-src"], policy["frame-ancestors"])
        assert "unsafe" not in headers["content-security-policy"]
        assert ("nosniff", "no-store") == (headers["x-content-type-options"], headers["cache-control"])
    policy = (await browser.get("/")).headers["content-security-policy"]
    assert {"script-src 'self'", "style-src 'self'", "form-action 'self'", "base-uri 'none'"} <= set(policy.split("; "))


async def test_the_files_of_pages_may_be_kept(dashboard: Dashboard) -> None:
    """Each under an address that changes with it; another address of it is not kept, and other names are none."""
    browser = Browser(dashboard)
    page = (await browser.get("/login")).text
    url = page.partition('href="/static/')[2].partition('"')[0]
    kept = await browser.get(f"/static/{url}")
    assert ("text/css; charset=utf-8", True) == (
        kept.headers["content-type"],
        "immutable" in kept.headers["cache-control"],
    )
    assert "no-store" == (await browser.get("/static/0/live.js")).headers["cache-control"]
    assert [404, 404] == [(await browser.get(f"/static/0/{name}")).status_code for name in ("x", "..%2Fdesk.py")]


async def test_the_log_keeps_a_year(dashboard: Dashboard) -> None:
    """What is older goes when something new is written."""
    await dashboard.account("ada")
    dashboard.clock.at += KEPT + timedelta(days=1)
    await Browser(dashboard).log_in("ada")
    assert [("ada", "logged in", "")] == await dashboard.deeds()
