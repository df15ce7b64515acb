"""Descriptions of interfaces, in JSON and YAML, version 2 and 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Read

OPENAPI = """openapi: 3.1.0
servers:
- url: https://{env}.bank.example/v1
  variables: {env: {default: api}}
- url: /relative
- url: https://{region}.bank.example
paths:
  /payments:
    post:
      parameters: [{name: X-Api-Key, in: header}]
    get: {}
  /refunds: {get: {}}
components:
  securitySchemes:
    a: {type: oauth2, flows: {clientCredentials: {tokenUrl: "https://login.bank.example/token"}}}
    b: {type: http, scheme: bearer}
  schemas: {Order: {type: object, properties: {iban: {type: string}, size: {type: integer}}}}
"""
SWAGGER = """{
 "swagger": "2.0", "host": "api.bank.example:8443", "schemes": ["https", "wss", "odd"],
 "securityDefinitions": {"k": {"type": "apiKey"}}
}"""


def test_the_servers_have_what_the_operations_take(read: Read) -> None:
    """Each server's host counts with what the whole description takes; variables have their defaults."""
    found = read("api.yaml", OPENAPI)
    assert {"api.bank.example": ["api.yaml:3"], "login.bank.example": ["api.yaml:15"]} == found.places
    expected = {"payment", "api key", "iban", "access token", "authorization bearer"}
    assert expected == set(found.crossed("api.bank.example"))
    assert {"client secret": 1} == found.crossed("login.bank.example")
    assert {"a server without a host": 1, "a host that is put together at run time": 1} == found.skipped


def test_the_second_version_has_a_host(read: Read) -> None:
    """Swagger 2 names a host and its schemes; https where it names none."""
    found = read("api.json", SWAGGER)
    assert {"https", "wss"} == found.inventory.endpoints["api.bank.example"].schemes
    assert {"api key": 2} == found.crossed("api.bank.example")
    bare = read("x.json", '{"swagger": "2.0", "host": "a.example"}')
    assert {"https"} == bare.inventory.endpoints["a.example"].schemes


def test_a_description_without_a_server_says_so(read: Read) -> None:
    """Nothing found has its reason."""
    assert {"a description that names no server": 1} == read("x.yaml", "openapi: 3.0.0\n").skipped


def test_a_damaged_description_keeps_what_was_read(read: Read) -> None:
    """The servers before the damage count."""
    found = read("x.yaml", "openapi: 3.0.0\nservers:\n- url: https://a.example\nx: [")
    assert {"a.example": 1} == found.hosts
    assert found.error is not None
    assert "damaged: not YAML" == found.error.reason


def test_servers_are_bounded(read: Read) -> None:
    """More servers than are looked at are counted."""
    urls = ", ".join('{"url": "https://a.example"}' for _ in range(20_002))
    found = read("x.json", f'{{"openapi": "3.0.0", "servers": [{urls}]}}')
    assert {"more servers in one description than are looked at": 2} == found.skipped
