"""
HTTP/1.1 with connections kept alive: every request is answered with a JSON account of itself.

``/redirect?to=URL`` is answered with a redirect to that URL, and ``/status/404`` with that status.
"""

from __future__ import annotations

import http
import json
import urllib.parse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Http:
    """A web server; without *secured* it speaks in clear, and *in_octets* it sends each octet by itself."""

    secured: bool = True
    in_octets: bool = False

    def __call__(self, conversation: Conversation) -> None:
        """Answer requests until the client hangs up or asks for the connection to end."""
        if self.in_octets:
            conversation.slow_down()
        if self.secured:
            conversation.secure()
        while request := read_request(conversation):
            conversation.send(_answer(request))
            if not request.keeps_alive:
                return


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it was received."""

    method: str
    target: str
    version: str
    fields: dict[str, str] = field(default_factory=dict)
    """The header, names in lower case."""
    body: bytes = b""

    @property
    def keeps_alive(self) -> bool:
        """Whether the client may send another request on this connection."""
        wish = self.fields.get("connection", "").lower()
        return wish != "close" and (self.version != "HTTP/1.0" or wish == "keep-alive")


def read_request(conversation: Conversation) -> Request | None:
    """Read the next request with its body; None when the client has no other."""
    line = first_line(conversation)
    if line is None:
        return None
    method, _, rest = line.decode("latin-1").partition(" ")
    target, _, version = rest.rpartition(" ")
    fields = read_fields(conversation)
    if fields.get("expect", "").lower() == "100-continue":
        conversation.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    return Request(method, target, version, fields, _read_body(conversation, fields))


def first_line(conversation: Conversation) -> bytes | None:
    """Read a request's first line; None when the client ended the connection instead."""
    first = conversation.receive(1)
    return first + conversation.receive_line() if first else None


def read_fields(conversation: Conversation) -> dict[str, str]:
    """Read a header up to its empty line, its names in lower case."""
    fields = {}
    while line := conversation.receive_line():
        name, _, value = line.decode("latin-1").partition(":")
        fields[name.strip().lower()] = value.strip()
    return fields


def response(status: int, body: bytes, **fields: str) -> bytes:
    """Put a response together; a field's underscores stand for hyphens."""
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _read_body(conversation: Conversation, fields: dict[str, str]) -> bytes:
    if fields.get("transfer-encoding", "").lower() != "chunked":
        length = fields.get("content-length", "")
        return conversation.receive_exactly(int(length)) if length.isdecimal() else b""
    body = b""
    while size := _chunk_size(conversation):
        body += conversation.receive_exactly(size)
        conversation.receive_line()
    read_fields(conversation)
    return body


def _chunk_size(conversation: Conversation) -> int:
    stated = conversation.receive_line().partition(b";")[0].strip()
    return int(stated, 16) if stated.isalnum() and not stated.strip(b"0123456789abcdefABCDEF") else 0


def _answer(request: Request) -> bytes:
    target = urllib.parse.urlsplit(request.target)
    if target.path == "/redirect":
        to = urllib.parse.parse_qs(target.query).get("to", ["/"])[0].encode("ascii", "ignore").decode()
        return response(307, b"", location=to.replace("\r", "").replace("\n", ""))
    status = target.path.removeprefix("/status/")
    account = {
        "method": request.method,
        "path": request.target,
        "host": request.fields.get("host"),
        "body": request.body.decode("utf-8", "replace"),
    }
    body = b"" if request.method == "HEAD" else json.dumps(account).encode()
    known = int(status) if status in _STATUSES else http.HTTPStatus.OK
    return response(known, body, content_type="application/json")


_STATUSES = frozenset(str(status.value) for status in http.HTTPStatus if status >= http.HTTPStatus.OK)
