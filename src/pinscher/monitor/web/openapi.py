"""
The document of the interface in OpenAPI 3.1, made from the same table as its routes and from the types of its bodies.

It is answered to operators alone, as everything under ``/api`` is: a rule without an exception needs no list of them,
and a stranger need not learn which release answers.
"""

from __future__ import annotations

import functools
import re
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.routing import Route

from pinscher.monitor.web import api, collecting, health
from pinscher.monitor.web.guards import answer, require_operator
from pinscher.monitor.web.operations import Caller, Operation
from pinscher.monitor.web.shapes import ErrorShown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request
    from starlette.responses import Response

Json = dict[str, Any]

PATH = "/api/openapi.json"
_WORDS = {
    400: "it makes no sense",
    401: "no token that is known",
    404: "there is no such record",
    408: "the body did not arrive in time",
    413: "the body is too large",
    429: "too many at once; Retry-After says when to try again",
    503: "nothing can be stored or read for now; what was sent was not acknowledged",
}
_SCHEMES = {
    Caller.OPERATOR.value: {"type": "http", "scheme": "bearer", "description": "the operator's token"},
    Caller.APPLICATION.value: {"type": "http", "scheme": "bearer", "description": "an application's token"},
}


@functools.cache
def document() -> Json:
    """Return the document."""
    operations = (*health.OPERATIONS, *collecting.OPERATIONS, *api.OPERATIONS, _ITSELF)
    schemas, components = _schemas(operations)
    paths: dict[str, Json] = {}
    for one in operations:
        paths.setdefault(_path(one), {})[one.method.lower()] = _described(one, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "pinscher", "version": _version(), "description": "The monitor of certificate pins."},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SCHEMES},
    }


_ITSELF = Operation(path=PATH, name="describe", said="This document.", answer=dict[str, Any])


def _version() -> str:
    try:
        return version("pinscher")
    except PackageNotFoundError:
        return "0"


def _schemas(operations: Iterable[Operation]) -> tuple[dict[Any, Json], dict[str, Json]]:
    """Return the schema of each type, and those that they refer to by name."""
    types = list(dict.fromkeys([ErrorShown, *(one.answer for one in operations), *(one.body for one in operations)]))
    types = [one for one in types if one is not None and one is not str]
    found, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    for name, schema in components.items():
        if name.endswith("Shown"):
            # What is answered has no other fields; what is sent may have, as each type says.
            schema["additionalProperties"] = False
    return dict(zip(types, found, strict=True)), components


def _path(operation: Operation) -> str:
    return re.sub(r":number}", "}", operation.path)


def _described(operation: Operation, schemas: dict[Any, Json]) -> Json:
    schema = {"type": "string"} if operation.answer is str else schemas[operation.answer]
    good = {"description": "it is so", "content": {operation.media_type: {"schema": schema}}}
    described: Json = {
        "operationId": operation.name,
        "summary": operation.said,
        "parameters": _parameters(operation),
        "responses": {str(operation.status): good, **_refusals(operation, schemas)},
        "security": _security(operation),
    }
    if operation.body is not None:
        content = {"application/json": {"schema": schemas[operation.body]}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _security(operation: Operation) -> list[Json]:
    if operation.caller in (Caller.EVERYBODY, Caller.APPLICATION_IN_PATH):
        return []
    if operation.caller is Caller.THIS_MACHINE:
        # Either needs nothing, or an operator's token.
        return [{}, {Caller.OPERATOR.value: []}]
    return [{operation.caller.value: []}]


def _parameters(operation: Operation) -> list[Json]:
    kinds = {"number": {"type": "integer", "minimum": 0}, "": {"type": "string", "minLength": 1}}
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": kinds[kind]}
        for name, kind in re.findall(r"{(\w+):?(\w*)}", operation.path)
    ]
    return in_path + [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in (operation.query or {}).items()
    ]


def _refusals(operation: Operation, schemas: dict[Any, Json]) -> Json:
    statuses = {*operation.refusals, 503}
    if operation.caller is not Caller.EVERYBODY:
        statuses |= {401, 429}
    if operation.body is not None:
        statuses |= {400, 408, 413}
    if operation.query:
        statuses.add(400)
    if "{" in operation.path:
        statuses.add(404)
    content = {"application/json": {"schema": schemas[ErrorShown]}}
    return {str(status): {"description": _WORDS[status], "content": content} for status in sorted(statuses)}


async def _document(request: Request) -> Response:
    require_operator(request)
    return answer(document())


ROUTES = (Route(PATH, _document),)
"""The routes of this file."""
