"""
A labelled set: what discover finds, misses and ranks wrongly, held against the page that lists it.

The application is google-auth, as it is installed beside the tests, with labels made by reading its source. The session
is recorded here, by a real client against servers of the lab.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
from pathlib import Path
from typing import Any

import google.auth
import pytest

from pinscher.discover import Inventory, Owners, files_below, read_file, score
from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "discover.md").read_text(encoding="utf-8")
GOOGLE = Path(google.auth.__file__).parents[1]


def labelled(title: str) -> dict[str, str]:
    """Return the table under a heading of the page: hosts with their labels."""
    section = PAGE.partition(f"### {title}\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\| `([a-z0-9.-]+)` \| ([a-z- ]+) \|", section, re.MULTILINE)
    assert rows, title
    return dict(rows)


def judged(inventory: Inventory, *own: str) -> dict[str, tuple[int, bool]]:
    """Return the points of every host, and whether it deserves pins."""
    owners = Owners(lambda host: ".".join(host.split(".")[-2:]), own=frozenset(own))
    scores = {host: score(one, owners.of(host, schemes=one.schemes)) for host, one in inventory.endpoints.items()}
    return {host: (one.points, one.deserves) for host, one in scores.items()}


@pytest.fixture(scope="module")
def application() -> dict[str, tuple[int, bool]]:
    """The hosts that are found in the sources of google-auth, for whoever owns googleapis.com and google.com."""
    inventory = Inventory()
    for folder in ("auth", "oauth2"):
        for file, _ in list(files_below(str(GOOGLE / folder), inventory)):
            read_file(file, inventory)
    return judged(inventory, "googleapis.com", "google.com")


APPLICATION = labelled("An application's sources")
SESSION = labelled("A recorded session")


@pytest.mark.parametrize(("host", "label"), list(APPLICATION.items()))
def test_the_table_of_the_application_is_true(application: dict[str, tuple[int, bool]], host: str, label: str) -> None:
    """Each labelled host of the application is found, missed, or found though nothing connects to it, as listed."""
    assert label in ("found", "missed", "no endpoint")
    assert (label != "missed") == (host in application)


def test_no_host_of_the_application_is_unlabelled(application: dict[str, tuple[int, bool]]) -> None:
    """Every host that is found has a label on the page."""
    assert set() == set(application) - set(APPLICATION)


def test_endpoints_rank_above_the_rest(application: dict[str, tuple[int, bool]]) -> None:
    """The first host that is an endpoint has more points than the last that is none."""
    endpoints = [application[host][0] for host, label in APPLICATION.items() if label == "found"]
    others = [application[host][0] for host, label in APPLICATION.items() if label == "no endpoint"]
    assert max(endpoints) > min(others)


def test_sources_alone_rank_poorly(application: dict[str, tuple[int, bool]]) -> None:
    """As the page says, names of scopes rank above the host where tokens are exchanged, and a document's host high."""
    assert (True, False) == (application["www.googleapis.com"][1], application["oauth2.googleapis.com"][1])
    assert application["cloud.google.com"][0] >= application["reauth.googleapis.com"][0]


REQUESTS: list[tuple[str, str, str, dict[str, str], str]] = [
    (
        "login.bank.example",
        "POST",
        "/session",
        {"Content-Type": "application/json"},
        '{"username": "u", "password": "p"}',
    ),
    ("api.bank.example", "GET", "/accounts", {"Authorization": "Bearer t", "Cookie": "sid=1"}, ""),
    ("api.bank.example", "POST", "/transfers", {"Authorization": "Bearer t"}, '{"iban": "x", "amount": 5}'),
    ("www.bank.example", "GET", "/", {}, ""),
    ("static.bank.example", "GET", "/logo.svg", {}, ""),
    ("d111.cloudfront.net", "GET", "/app.js", {}, ""),
    ("o1.ingest.sentry.io", "POST", "/api/1/store/", {"X-Sentry-Auth": "k"}, '{"email": "e"}'),
    ("beacon.bank.example", "POST", "/v1/deposit-page-view", {"Cookie": "auth_hint=1"}, "u=1"),
    ("vault.bank.example", "POST", "/b", {"Content-Type": "application/octet-stream"}, "\x01opaque"),
]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, bool]]:
    """What a recorded session shows: real requests over TLS to a server of the lab, written down as a HAR."""
    root = Authority.root()
    context = ssl.create_default_context(cadata=root.pem.decode())
    entries: list[dict[str, Any]] = []
    with TlsServer(root.issue(*sorted({host for host, *_ in REQUESTS}))) as server:
        for host, method, path, headers, body in REQUESTS:
            with socket.create_connection(server.address, timeout=10) as plain:
                client = http.client.HTTPConnection(host)
                client.sock = context.wrap_socket(plain, server_hostname=host)
                client.request(method, path, body.encode() or None, headers)
                answer = client.getresponse()
                answer.read()
                entries.append(recorded(f"https://{host}{path}", method, headers, body, answer))
                client.close()
    path = tmp_path_factory.mktemp("session") / "session.har"
    path.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}, indent=1))
    inventory = Inventory()
    assert read_file(str(path), inventory) is None
    assert len(REQUESTS) == sum(one.count for one in inventory.endpoints.values())
    return judged(inventory, "bank.example")


def recorded(
    url: str, method: str, headers: dict[str, str], body: str, answer: http.client.HTTPResponse
) -> dict[str, Any]:
    """Return the entry of one request and its response."""
    pairs = [{"name": name, "value": value} for name, value in headers.items()]
    answered = [{"name": name, "value": value} for name, value in answer.getheaders()]
    request = {"method": method, "url": url, "headers": pairs, "postData": {"text": body}}
    return {"request": request, "response": {"status": answer.status, "headers": answered, "content": {}}}


@pytest.mark.parametrize(("host", "label"), list(SESSION.items()))
def test_the_table_of_the_session_is_true(session: dict[str, tuple[int, bool]], host: str, label: str) -> None:
    """Each host of the session deserves pins or does not, rightly or wrongly, as the page lists it."""
    assert {"right": False, "right to pin": True, "ranked too high": True, "ranked too low": False}[label] == session[
        host
    ][1]


def test_every_host_of_the_session_is_labelled(session: dict[str, tuple[int, bool]]) -> None:
    """The page lists each host that was recorded."""
    assert set(SESSION) == set(session)
