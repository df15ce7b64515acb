"""A name server on the loopback that answers from a table, made with dnspython."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self


class NameServer:
    """Answers TLSA questions from *records*; a name that is not there does not exist, None stays unanswered."""

    def __init__(
        self, records: Mapping[str, Sequence[str] | None], *, is_authenticated: bool = False, fails: bool = False
    ) -> None:
        self._records = records
        self._is_authenticated = is_authenticated
        self._fails = fails
        self.asked: list[str] = []

    def __enter__(self) -> Self:
        """Listen."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            octets, client = self._socket.recvfrom(4096)
            if not octets:
                return
            question = dns.message.from_wire(octets)
            answer = self._answer(question)
            if answer is not None:
                self._socket.sendto(answer.to_wire(), client)

    def _answer(self, question: dns.message.Message) -> dns.message.Message | None:
        name = question.question[0].name.to_text()
        self.asked.append(name)
        answer = dns.message.make_response(question)
        if self._is_authenticated:
            answer.flags |= dns.flags.AD
        known = self._records.get(name, ())
        if known is None:
            return None
        if self._fails:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif name not in self._records:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif known:
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TLSA", *known))
        return answer
