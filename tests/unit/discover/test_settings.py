"""Settings of every common form, read by lines or by fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Read


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".env", "export API_URL='https://a.example/v1'\nDB_HOST=db.example:5432\nDB_PASSWORD=x\n"),
        ("app.ini", "[api]\nurl = https://a.example/v1\nhost: db.example\npassword = x\n"),
        ("app.toml", '[api]\nurl = "https://a.example/v1"\nhost = "db.example"\npassword = "x"\n'),
        ("app.properties", "api.url=https://a.example/v1\ndb.host=db.example\ndb.password=x\n"),
        ("app.json", '{"url": "https://a.example/v1", "db": {"hosts": ["db.example"], "password": "x"}}'),
        ("app.yaml", "url: https://a.example/v1\ndb: {hostname: db.example, password: x}\n"),
        ("app.xml", '<a url="https://a.example/v1">\n<endpoint>https://db.example</endpoint><password/></a>'),
        ("Info.plist", "<key>password</key>\n<string>https://a.example</string><string>https://db.example</string>"),
    ],
)
def test_settings_name_their_hosts(read: Read, name: str, content: str) -> None:
    """Addresses, and values whose names say that they are hosts, with the secrets that are named beside them."""
    found = read(name, content)
    assert ({"a.example": 1, "db.example": 1}, None) == (found.hosts, found.error)
    assert {"password"} == found.beside("a.example") == found.beside("db.example")


def test_what_only_looks_like_a_host_is_none(read: Read) -> None:
    """File names, secrets, comments and plain words are no hosts."""
    content = "host = settings.json\nserver_password = a.example\n# host = b.example\nserver = web\nport = c.example\n"
    assert {} == read("app.ini", content).hosts


def test_what_is_passed_over_is_counted(read: Read) -> None:
    """Long lines and long texts are read to a bound, and say so."""
    assert {"the rest of a long line": 1} == read("a.ini", "x=" + "y" * 200_000 + "\nz=1").skipped
    assert {"the rest of a long text": 1} == read("a.json", '["' + "y" * 200_000 + '"]').skipped


def test_addresses_and_names_are_bounded(read: Read) -> None:
    """A file of nothing but addresses, or names, ends."""
    found = read("a.ini", "u=https://a.example\n" * 20_001 + "password=1\n" * 20_001)
    assert {
        "more addresses in one file than are looked at": 1,
        "more names in one file than are looked at": 1,
    } == found.skipped


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.json", '{"url": "https://a.example",\n', "a.json:2: damaged: expected a name in quotes"),
        ("a.yaml", "url: https://a.example\nx: [", "a.yaml:2: damaged: not YAML"),
        ("a.ini", "\0", "a.ini:1: expected text, found binary content"),
    ],
)
def test_damage_is_told_with_its_line(read: Read, name: str, content: str, expected: str) -> None:
    """What cannot be read on says where."""
    assert expected == str(read(name, content).error)
