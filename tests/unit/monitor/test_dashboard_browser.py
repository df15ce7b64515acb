"""The dashboard in Chromium: a person's first day, an attack that appears by itself, and what must not happen."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.monitor.dashboard_process import PASSWORD, Bank, Eyes, chromium, running_browser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

PAGES = (
    "/", "/endpoints", "/endpoints/1", "/timeline", "/incidents", "/incidents/1", "/findings", "/findings/1",
    "/clients?application=bank-app", "/reports", "/accounts", "/audit",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run Chromium."""
    if chromium() is None:
        if "CI" in os.environ:
            pytest.fail("install Chromium: Debian's package is chromium")
        pytest.skip("Chromium is not installed")
    with running_browser() as running:
        yield running


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Bank]:
    """Run a monitor whose first account was made, and that was told of an attack and of hostile names."""
    folder: Path = tmp_path_factory.mktemp("dashboard")
    with Bank(folder).open() as running:
        first = Eyes(browser, running)
        first.become("ada", running.link)
        assert "Is pinning on?" == first.page.inner_text("h2#on")
        first.see("/endpoints").wait_for_selector("td .mark.good")
        first.see("/incidents")
        first.page.evaluate("window.isTheSamePage = true")
        running.intercept()
        # It appears without anybody loading the page again.
        first.page.wait_for_selector("text=Incident 1")
        assert first.page.evaluate("window.isTheSamePage")
        running.attack()
        first.page.wait_for_selector("text=Incident 2")
        assert first.page.evaluate("window.isTheSamePage")
        first.close()
        yield running
    shutil.rmtree(folder)
    assert '"stopped"' in running.stopped


@pytest.fixture
def eyes(browser: Browser, bank: Bank, request: pytest.FixtureRequest) -> Iterator[Eyes]:
    """Return somebody who is logged in, and hold what Chromium noted against what must be."""
    looking = Eyes(browser, bank, **getattr(request, "param", {}))
    looking.become("ada")
    yield looking
    looking.close()


def test_an_interception_is_explained_and_acknowledged(eyes: Eyes) -> None:
    """The incident that appeared tells its cause, draws the chain beside the pins, and takes a person's word."""
    page = eyes.see("/")
    page.click("text=Incident 1")
    page.wait_for_selector("text=local-interception")
    assert "no key is in both" in str(page.get_attribute("svg.drawing", "aria-label"))
    assert "CN=Proxy of some company" in str(page.text_content("svg.drawing"))
    page.fill("#reason", "ours: the proxy of the head office")
    page.click("button.main")
    page.wait_for_selector(".state.acknowledged")
    assert "head office" in page.inner_text("main")
    told = eyes.see("/audit").inner_text("tbody tr:first-child")
    assert ["ada", "127.0.0.1", "incident acknowledged", "incident 1"] == told.split("\t")[1:5]


def test_a_page_that_somebody_writes_on_is_left_alone(eyes: Eyes, bank: Bank) -> None:
    """What changed elsewhere does not take the words away; the page says that it changed."""
    page = eyes.see("/incidents/2")
    page.fill("#reason", "half a senten")
    bank.post("/v1/reports", {"hostname": "localhost", "id": os.urandom(8).hex()}, bank.token)
    bank.attack()
    other = Eyes(eyes.context.browser, bank)  # type: ignore[arg-type]
    other.become("ada")
    other.see("/incidents/2").fill("#reason", "I take it")
    other.page.click("button.main")
    page.wait_for_selector("#news:has-text('Something changed')")
    assert "half a senten" == page.input_value("#reason")
    other.close()


def test_the_timeline_draws_keys_and_certificates(eyes: Eyes) -> None:
    """Bars for them, marks for policies and terms, and the same words in tables beside the drawing."""
    page = eyes.see("/timeline")
    drawn = page.inner_html("svg.drawing")
    for part in ('class="box good"', 'class="box new"', 'class="policy"', 'class="term"', 'class="now"'):
        assert part in drawn
    words = page.inner_text("main")
    for part in ("the pins expire", "two thirds of the certificate's life are over", "key, accepted", "version"):
        assert part in words
    page.select_option("#days", "365")
    page.click("text=Show")
    assert "365" == page.input_value("#days")


@pytest.mark.parametrize("eyes", [{}, {"java_script_enabled": False}], indirect=True)
def test_hostile_names_are_text(eyes: Eyes) -> None:
    """Markup, scripts and escapes in every field of a certificate and a report: shown, and nothing of it happens."""
    for path in ("/", "/incidents", "/incidents/2", "/reports", "/clients?application=bank-app", "/audit"):
        page = eyes.see(path)
        assert "pwned" not in page.title()
        assert 0 == page.locator("main img, main script").count()
        words = page.inner_text("body")
        assert set() == {
            letter for letter in words if not letter.isascii() or (ord(letter) < 32 and letter not in "\n\t")
        }
    assert "<img src=x onerror=" in eyes.see("/incidents/2").inner_text("main")
    assert "\\u202e" in eyes.page.inner_text("main")


def test_everybody_can_read_it(eyes: Eyes, browser: Browser, bank: Bank) -> None:
    """axe-core finds nothing serious on any page, in neither colours, and on a narrow screen."""
    for path in PAGES:
        assert [] == _barriers(eyes.see(path)), path
    # On a telephone tables are wider than the screen, and move.
    eyes.page.set_viewport_size({"width": 400, "height": 800})
    assert [] == _barriers(eyes.see("/incidents/1"))
    stranger = Eyes(browser, bank)
    assert [] == _barriers(stranger.see("/login"))
    # What it would find, it finds: a field that nobody said the name of, and words that are too dark in the dark.
    stranger.page.evaluate("document.querySelector('main').append(document.createElement('input'))")
    stranger.page.evaluate("document.querySelector('main p.quiet').style.color = '#444'")
    assert {"label", "color-contrast"} == {barrier[0] for barrier in _barriers(stranger.page)}
    stranger.close()


def _barriers(page: Page) -> list[Any]:
    """Return what axe-core finds serious in the light, and in the dark of what colours have a part in."""
    # The driver runs it from outside of the page, whose own rules let no such script in.
    page.evaluate(_axe())
    page.emulate_media(color_scheme="light")
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    page.emulate_media(color_scheme="dark")
    found += page.evaluate("axe.run({runOnly: ['color-contrast', 'link-in-text-block'], resultTypes: ['violations']})")[
        "violations"
    ]
    return [
        (one["id"], node["html"][:200], node["failureSummary"])
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def _axe() -> str:
    from importlib import resources

    return resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8") + "\n;0"


@pytest.mark.parametrize("eyes", [{"java_script_enabled": False}], indirect=True)
def test_nothing_needs_a_script(eyes: Eyes) -> None:
    """With scripts switched off every page is there, and what a person says is taken."""
    for path in PAGES:
        page = eyes.see(path)
        assert 1 == page.locator("h1").count()
    page = eyes.see("/findings?state=open")
    page.click("tbody a")
    page.fill("#why", "known, and planned")
    page.select_option("#hours", "4")
    page.click("text=Silence >> nth=-1")
    page.wait_for_selector(".state.silenced")
    page.fill("#reason", "back at it")
    page.click("button.main")
    page.wait_for_selector(".state.acknowledged")


def test_a_viewer_is_shown_no_form_and_an_operator_makes_one(eyes: Eyes, browser: Browser, bank: Bank) -> None:
    """An operator's link makes a viewer, who reads everything and changes nothing."""
    page = eyes.see("/accounts")
    page.fill("#name", "vera")
    page.click("button.main >> nth=0")
    link = page.inner_text(".secret")
    viewer = Eyes(browser, bank)
    viewer.become("vera", link)
    assert 0 == viewer.see("/incidents/1").locator("main form").count()
    assert 0 == viewer.page.locator("nav >> text=Audit").count()
    viewer.close()


def test_what_nobody_sees_cannot_be_framed_or_run(eyes: Eyes, bank: Bank) -> None:
    """A page of another origin gets an empty frame, and a script that got into a page would not be run."""
    page = eyes.context.new_page()
    page.goto(f"{bank.url.replace('127.0.0.1', 'localhost')}/login")
    eyes.outside.clear()
    page.evaluate(
        """address => { const frame = document.createElement('iframe'); frame.src = address; document.body.append(frame); }""",
        f"{bank.url}/",
    )
    page.evaluate(
        "() => { const s = document.createElement('script'); document.body.append(s); try { s.text = 'window.ran = 1'; } catch (e) { window.refused = e.name; } }"
    )
    assert "TypeError" == page.evaluate("window.refused")
    assert not page.evaluate("window.ran === 1")
    page.wait_for_timeout(0)
    assert PASSWORD not in page.content()
    # Chromium says aloud what it refused.
    assert eyes.errors
    eyes.errors.clear()
    eyes.outside.clear()
