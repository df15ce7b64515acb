"""``pinscher serve`` beside a bank and an interceptor of the lab, looked at in Chromium."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from pinscher.lab.authority import Authority
from pinscher.lab.protocols.http import read_request, response
from pinscher.lab.server import TlsServer
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.reports import Channel, MemoryVault, Reporter, Spool
from pinscher.tls import PinMismatchError, PinnedContext
from tests.certificates import NOBODY_KNOWS, attribute, certificate, key_info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

    from pinscher.lab.conversation import Conversation

PASSWORD = "correct horse battery"
EVIL = "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script>&'\"\x1b]0;x\x07\u202e"
HOST, COLLECTOR = "localhost", "127.0.0.1"


def chromium() -> str | None:
    """Return where Chromium is, if it is installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Bank:
    """A monitor that watches a bank on this machine, the bank itself, and whoever stands in between."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        now = datetime.now(UTC)
        lasting = {"not_before": now - timedelta(days=200), "not_after": now + timedelta(days=2000)}
        self.root = Authority.root("Bank Root", **lasting)
        served = {"not_before": now - timedelta(days=50), "not_after": now + timedelta(days=40)}
        self.held = self.root.intermediate("Bank Issuing", **lasting).issue(HOST, **served)
        self.rogue = Authority.root("Proxy of some company", **lasting).issue(HOST)
        self.channel = Authority.root("Collector").issue(COLLECTOR)
        self.backup = self.root.issue(HOST)
        self.token = self.operator = self.link = ""
        self.port = 0
        self.more: tuple[str, ...] = ()
        """More options of the monitor."""

    @contextlib.contextmanager
    def open(self, interval: float = 2, before: Callable[[Self], None] = lambda _: None) -> Iterator[Self]:
        """Run everything; *before* may leave something in the database first."""
        with TlsServer(self.held) as self.server, TlsServer(self.channel, protocol=self._pass_on) as self.proxy:
            self._write()
            before(self)
            command = [
                sys.executable, "-m", "pinscher.cli", "serve", "--policy", "pins.toml", "--data", "data", "--listen", "127.0.0.1:0",
                "--endpoint", f"{HOST}:{self.server.port}", "--ca-file", "root.pem", "--interval", str(interval), "--json", *self.more,
            ]  # fmt: skip
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, text=True)
            try:
                self._read()
                yield self
            finally:
                self.process.send_signal(signal.SIGTERM)
                self.stopped, _ = self.process.communicate(timeout=30)

    def _write(self) -> None:
        soon = datetime.now(UTC) + timedelta(days=20)
        document = f"""
format = 1
name = "bank-app"
version = 14
[keys.spare]
pin = "{Pin.of(self.backup.der)}"
[hosts."{HOST}"]
pins = ["{Pin.of(self.held.der)}"]
backup-pins = ["spare"]
expires = {soon:%Y-%m-%dT%H:%M:%SZ}
report-to = ["main"]
[hosts."*.partner.example"]
pins = ["{Pin.of(self.held.der)}"]
backup-pins = ["spare"]
mode = "report-only"
report-only-since = {datetime.now(UTC) - timedelta(days=12):%Y-%m-%d}
[reporting.main]
url = "https://{COLLECTOR}:{self.proxy.port}/v1"
pins = ["{Pin.of(self.channel.der)}"]
allow-private = true
"""
        self.policy = Policy.loads(document)
        (self.folder / "pins.toml").write_text(document)
        (self.folder / "root.pem").write_bytes(self.root.pem)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told = json.loads(line)
            self.operator = told["token"] or self.operator
            self.link = told["url"] if told["event"] == "link" else self.link
            if told["event"] == "listening":
                self.url = told["url"]
                self.port = urlsplit(self.url).port or 0
                break
        self.token = self.post("/api/applications", {"name": "bank-app"}, self.operator)["token"]

    def post(self, path: str, body: Any, token: str) -> dict[str, Any]:
        """Send something to the monitor, and return its answer."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return json.loads(self._passed(path, content, {"Authorization": f"Bearer {token}"})[1])

    def _passed(self, path: str, content: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("POST", path, content, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def _pass_on(self, conversation: Conversation) -> None:
        """Be the proxy that speaks TLS in front of the collector, and knows the application's token."""
        conversation.secure()
        while request := read_request(conversation):
            headers = {"Authorization": f"Bearer {self.token}"}
            headers["Idempotency-Key"] = request.fields.get("idempotency-key", "")
            status, body = self._passed(request.target, request.body, headers)
            conversation.send(response(status, body))

    def intercept(self) -> None:
        """Refuse an interceptor whose authority this device trusts, and report it as an application does."""
        trust = self.root.pem + self.rogue.authority.pem
        named = self.policy.reporting["main"]
        own = Policy.loads(
            f'format = 1\nname = "channel"\nversion = 1\n[hosts."{COLLECTOR}"]\npins = ["{named.pins[0]}"]\n'
        )
        channel = Channel.of(self.policy, "main", PinnedContext(own, trust=self.channel.authority.pem))
        with Reporter(Spool(MemoryVault()), lambda _: channel, lambda: self.policy, library="1.0") as reporter:
            context = PinnedContext(self.policy, trust=trust, on_verdict=reporter.on_verdict)
            with TlsServer(self.rogue) as intercepting, contextlib.suppress(PinMismatchError):
                with socket.create_connection(intercepting.address) as tcp:
                    context.wrap_socket(tcp, server_hostname=HOST)
                raise AssertionError("the interceptor was let through")

    def attack(self) -> None:
        """Report a certificate with markup and escapes in every field, and say the same beside it."""
        names = attribute(EVIL.encode()) + attribute(EVIL.encode(), kind="2.5.4.10")
        der = certificate(key_info(NOBODY_KNOWS, b"k"), subject=names, issuer=names, serial=b"<script>")
        words = {"policy": EVIL, "library": EVIL[:120], "cause": EVIL, "mode": EVIL, "version": 13}
        told = {"hostname": HOST, "validated-certificate-chain": [base64.b64encode(der).decode()], "id": EVIL}
        self.post("/v1/reports", told | words, self.token)
        self.post("/v1/heartbeats", {"install": EVIL[:60], "policy": EVIL, "log-head": EVIL}, self.token)

    def beat(self, installs: int, version: int, outcome: str = "match") -> None:
        """Send heartbeats of so many installs that have one version of the policy."""
        for number in range(installs):
            count = {"host": HOST, "outcome": outcome, "matched": "", "times": 3}
            beat = {"install": f"v{version}-{number}", "policy": "bank-app", "version": version, "counts": [count]}
            self.post("/v1/heartbeats", beat, self.token)


class Eyes:
    """A context of Chromium that notes what it must not: errors, dialogs, and requests to anybody else."""

    def __init__(self, browser: Browser, bank: Bank, **how: Any) -> None:
        self.context: BrowserContext = browser.new_context(viewport={"width": 1280, "height": 900}, **how)
        # A busy machine takes its time.
        self.context.set_default_timeout(90_000)
        self.bank = bank
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.context.on("console", lambda told: self.errors.append(told.text) if told.type == "error" else None)
        self.context.on("weberror", lambda told: self.errors.append(str(told.error)))
        self.context.on("dialog", lambda told: self.errors.append(f"dialog {told.message}"))
        self.context.on("request", self._asked)
        self.page: Page = self.context.new_page()

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(f"{self.bank.url}/"):
            self.outside.append(request.url)

    def see(self, path: str) -> Page:
        """Load a page."""
        answer = self.page.goto(path if path.startswith("http") else self.bank.url + path)
        assert answer is not None
        assert 200 == answer.status, path
        return self.page

    def become(self, name: str, link: str = "") -> None:
        """Make an account by a one-time link, or log in where there is none."""
        page = self.see(link or "/login")
        if page.locator("#name").count():
            page.fill("#name", name)
        page.fill("#password", PASSWORD)
        if link:
            page.fill("#again", PASSWORD)
        page.click("button.main")
        page.wait_for_url(f"{self.bank.url}/")

    def close(self) -> None:
        """Close, and hold what was noted against what must be: nothing."""
        self.context.close()
        assert [] == self.errors, self.errors
        assert [] == self.outside, self.outside


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """Run Chromium without a screen."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=chromium(), args=[*arguments, "--no-proxy-server"])
        yield browser
        browser.close()
