"""HAR files: every entry a sighting, and a damaged end loses nothing before it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import Read

URL = "https://api.bank.example/v1/transfers?api_key=x"


def entry(method: str = "POST", url: str = URL, **more: Any) -> dict[str, Any]:
    """Return an entry of a HAR."""
    return {"request": {"method": method, "url": url, **more}, "response": {}}


def har(*entries: dict[str, Any]) -> str:
    """Return a HAR, one entry on a line."""
    lines = ",\n".join(map(json.dumps, entries))
    return f'{{"log": {{"version": "1.2", "entries": [\n{lines}\n]}}}}'


def test_an_entry_is_a_sighting(read: Read) -> None:
    """The host, its line, and what the headers, cookies, query, path and body carry."""
    headers = [{"name": "Authorization", "value": "Bearer x"}, {"value": "sid=1", "name": "Cookie"}]
    body = {"mimeType": "application/json", "text": '{"iban": "x"}', "params": [{"name": "iban"}]}
    found = read(
        "a.har",
        har(entry("GET", "https://cdn.example/x"), entry(headers=headers, postData=body, cookies=[{"name": "sid"}])),
    )
    assert found.error is None
    assert {"cdn.example": ["a.har:2"], "api.bank.example": ["a.har:3"]} == found.places
    expected = {"authorization bearer": 1, "session cookie": 1, "iban": 1, "api key": 1, "transfer": 1}
    assert expected == found.crossed("api.bank.example")


def test_a_request_that_changes_nothing_moves_no_money(read: Read) -> None:
    """The verbs of a path count with POST, PUT, PATCH and DELETE."""
    assert {"api key": 1} == read("a.har", har(entry("GET"))).crossed("api.bank.example")


def test_cookies_and_parameters_taken_apart_count_where_nothing_else_does(read: Read) -> None:
    """A recorder that writes cookies and parameters apart from header and body is understood too."""
    one = entry(cookies=[{"name": "lang"}], postData={"params": [{"name": "password"}]})
    assert {"api key", "transfer", "cookie", "password"} == set(read("a.har", har(one)).crossed("api.bank.example"))


def test_a_certificate_issuer_counts_where_it_is_written_down(read: Read) -> None:
    """The issuer that a browser wrote down is kept in the data file's spelling, and only when it is known."""
    one = {**entry(), "_securityDetails": {"issuer": "CN=R13, O=LET'S ENCRYPT"}}
    other = entry(url="https://b.example/")
    other["response"]["_securityDetails"] = {"issuer": "x\x1b[31m"}
    found = read("a.har", har(one, other)).inventory.endpoints
    assert [{"Let's Encrypt"}, set()] == [one.issuers for one in found.values()]


def test_a_damaged_end_is_told_with_its_line(read: Read) -> None:
    """What stood before the damage is kept, and the damage has its line."""
    found = read("a.har", har(entry(), entry(url="https://b.example/"))[:-20])
    assert {"api.bank.example": 1, "b.example": 1} == found.hosts
    assert "a.har:3: damaged: expected a name in quotes" == str(found.error)
    assert {"damaged: expected a name in quotes": 1} == found.skipped


def test_another_document_is_refused(read: Read) -> None:
    """A document without log.entries is no HAR."""
    assert "a.har:1: expected a HAR with log.entries, found another document" == str(read("a.har", "{}").error)
    assert read("a.har", "[").error is not None


def test_what_is_passed_over_is_counted(read: Read) -> None:
    """Long texts, surplus fields and entries without an address have their reasons."""
    many = [{"name": f"x{number}", "value": "y"} for number in range(2100)]
    body = {"text": "x" * 20_000}
    found = read(
        "a.har", har(entry(headers=many, cookies=many, postData=body), entry(url="/relative"), {"request": {}})
    )
    assert {
        "the rest of a long text": 1,
        "more fields in one request than are looked at": 52 * 2 + 52,
        "a request without an absolute address": 2,
    } == found.skipped
