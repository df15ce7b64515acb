"""Who stays an operator, and whose wrong passwords keep whom waiting."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from pinscher.monitor import passwords
from pinscher.monitor.account_tables import accounts
from pinscher.monitor.errors import MonitorError
from pinscher.monitor.limits import network_of
from pinscher.store.argon import one_derivation
from tests.unit.monitor.dashboard_scene import AT, PASSWORD, Browser, Dashboard, Standing

if TYPE_CHECKING:
    from pinscher.monitor.database import Database

pytestmark = pytest.mark.anyio
WRONG = "wrong horse battery"


@pytest.fixture
async def dashboard(database: Database) -> Dashboard:
    """Return a dashboard on its first day, over each kind of database."""
    return await Dashboard.of(database)


async def _roles(dashboard: Dashboard) -> dict[str, str]:
    return {row["name"]: row["role"] for row in await dashboard.desk.accounts.all()}


async def test_the_last_operator_does_not_become_a_viewer(dashboard: Dashboard) -> None:
    """A viewer's link for the only operator is refused with the reason, and stays good until there is another one."""
    ada = await dashboard.logged_in("ada")
    await ada.send("/accounts", "/accounts/invite", name="ada", role="viewer")
    path, browser = await dashboard.link("ada", Standing.VIEWER), Browser(dashboard)
    refused = await browser.send(path, path, password=PASSWORD, again=PASSWORD)
    assert (400, True) == (refused.status_code, "the last operator stays one: make another one first" in refused.text)
    assert {"ada": "operator"} == await _roles(dashboard)
    assert "/accounts" == (await ada.get("/accounts")).url.path
    await dashboard.account("bob")
    assert "/" == (await browser.send(path, path, password=PASSWORD, again=PASSWORD)).url.path
    assert {"ada": "viewer", "bob": "operator"} == await _roles(dashboard)


async def test_the_last_operator_sets_a_password_anew(dashboard: Dashboard) -> None:
    """A link that leaves the role as it is takes nobody's."""
    await dashboard.account("ada")
    await dashboard.account("ada")
    assert {"ada": "operator"} == await _roles(dashboard)


async def test_two_operators_who_step_down_at_once_leave_one(dashboard: Dashboard) -> None:
    """Each of two links was good when there were two operators; whoever comes second is refused."""
    book = dashboard.desk.accounts
    for name in ("ada", "bob"):
        await dashboard.account(name)
    paths = [await dashboard.link(name, Standing.VIEWER) for name in ("ada", "bob")]
    links = [await book.invitation(path.rpartition("/")[2], address="", at=AT) for path in paths]
    results = await asyncio.gather(
        *(book.accept(link, name="", password=PASSWORD, address="", at=AT) for link in links),
        return_exceptions=True,
    )
    assert [MonitorError] == [type(one) for one in results if isinstance(one, Exception)]
    assert ["operator", "viewer"] == sorted((await _roles(dashboard)).values())


async def test_an_operator_who_goes_while_another_one_steps_down_is_the_last(dashboard: Dashboard) -> None:
    """What somebody else is about to commit is waited for: two changes that each leave an operator leave none together."""
    for name in ("ada", "bob"):
        await dashboard.account(name)
    numbers = {row["name"]: row["id"] for row in await dashboard.desk.accounts.all()}
    async with dashboard.monitor.database.writing() as connection:
        await connection.execute(update(accounts).where(accounts.c.name == "ada").values(role="viewer"))
        removing = asyncio.create_task(dashboard.desk.accounts.remove(numbers["bob"], by="ada", address="", at=AT))
        await asyncio.wait([removing], timeout=1)
    with pytest.raises(MonitorError, match="the last operator stays: make another one first"):
        await removing
    assert {"ada": "viewer", "bob": "operator"} == await _roles(dashboard)


async def _invited(operator: Browser, name: str) -> str:
    """Have an operator make a link for another one, and return its path."""
    page = await operator.send("/accounts", "/accounts/invite", name=name, role="operator")
    (path,) = re.findall(r"/welcome/[\w-]+", page.text)
    return str(path)


async def _good(dashboard: Dashboard, *paths: str) -> list[bool]:
    """Tell which links still ask for a password."""
    return [(await Browser(dashboard).get(path)).status_code == 200 for path in paths]


async def test_a_removed_operator_comes_back_by_no_link(dashboard: Dashboard) -> None:
    """With an account go the links for its name and those that it made for others; everybody else's stay good."""
    ada, eve = await dashboard.logged_in("ada"), await dashboard.logged_in("eve")
    paths = [await _invited(ada, "bob"), await _invited(eve, "eve"), await _invited(eve, "helper")]
    assert [True, True, True] == await _good(dashboard, *paths)
    (number,) = [row["id"] for row in await dashboard.desk.accounts.all() if row["name"] == "eve"]
    await ada.send("/accounts", f"/accounts/{number}/remove")
    assert [True, False, False] == await _good(dashboard, *paths)


async def test_an_operator_who_became_a_viewer_comes_back_by_no_link(dashboard: Dashboard) -> None:
    """The links that somebody made as an operator are no longer good once they are a viewer."""
    ada, eve = await dashboard.logged_in("ada"), await dashboard.logged_in("eve")
    paths = [await _invited(ada, "bob"), await _invited(eve, "helper")]
    path = await dashboard.link("eve", Standing.VIEWER)
    await Browser(dashboard).send(path, path, password=PASSWORD, again=PASSWORD)
    assert {"ada": "operator", "eve": "viewer"} == await _roles(dashboard)
    assert [True, False] == await _good(dashboard, *paths)


async def test_somebody_elses_wrong_passwords_lock_nobody_out(dashboard: Dashboard) -> None:
    """Whoever guesses at an account waits, and its owner logs in from another address meanwhile."""
    await dashboard.account("ada")
    guesses = [(await Browser(dashboard, "203.0.113.9").log_in("ada", WRONG)).status_code for _ in range(11)]
    assert [401] * 10 + [429] == guesses
    answer = await Browser(dashboard, "198.51.100.7").log_in("ada")
    assert (200, "/") == (answer.status_code, answer.url.path)


async def test_guesses_from_everywhere_are_bounded_together(dashboard: Dashboard) -> None:
    """A hundred at once for one account, from as many addresses; then one a second."""
    await dashboard.account("ada")
    answers = [(await Browser(dashboard, f"203.0.113.{n}").log_in("ada", WRONG)).status_code for n in range(101)]
    assert [401] * 100 + [429] == answers
    dashboard.seconds[0] += 1
    assert 200 == (await Browser(dashboard, "198.51.100.7").log_in("ada")).status_code


async def test_what_one_address_is_refused_counts_against_nobody_else(dashboard: Dashboard) -> None:
    """Attempts beyond the strict bound take nothing from the bound that everybody shares."""
    await dashboard.account("ada")
    for _ in range(15):
        for address in ("203.0.113.8", "203.0.113.9"):
            await Browser(dashboard, address).log_in("ada", WRONG)
    answers = [(await Browser(dashboard, f"198.51.100.{n}").log_in("ada", WRONG)).status_code for n in range(81)]
    assert [401] * 80 + [429] == answers


async def test_the_addresses_of_one_ipv6_network_count_as_one(dashboard: Dashboard) -> None:
    """Whoever has one address of a network of 64 bits has all of them."""
    await dashboard.account("ada")
    answers = [(await Browser(dashboard, f"2001:db8::{n:x}").log_in("ada", WRONG)).status_code for n in range(11)]
    assert [401] * 10 + [429] == answers
    assert 200 == (await Browser(dashboard, "2001:db8:0:1::1").log_in("ada")).status_code


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_an_address_counts_as_its_network(address: str, counted: str) -> None:
    """An IPv4 address stands for itself, one of IPv6 for its 64 bits of network, and what is no address for itself."""
    assert counted == network_of(address)


async def test_a_login_that_cannot_be_looked_at_is_told_so(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While no password can be compared, a login and a link say 503 and lose nothing; afterwards both work."""
    await dashboard.account("ada")
    path, browser = await dashboard.link(), Browser(dashboard)
    monkeypatch.setattr(passwords, "LONGEST_WAIT", 0.05)
    with one_derivation():
        refused = await Browser(dashboard).log_in("ada")
        link = await browser.send(path, path, name="eve", password=PASSWORD, again=PASSWORD)
    assert [(503, True)] * 2 == [(one.status_code, "try again in a minute" in one.text) for one in (refused, link)]
    monkeypatch.undo()
    assert 200 == (await Browser(dashboard).log_in("ada")).status_code
    assert "/" == (await browser.send(path, path, name="eve", password=PASSWORD, again=PASSWORD)).url.path
