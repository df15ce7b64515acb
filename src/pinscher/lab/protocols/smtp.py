"""SMTP: STARTTLS (RFC 3207) or TLS from the start (RFC 8314), authentication, and mail that goes nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.lab.protocols.lines import Command, LineProtocol, by_layer, saying

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


def smtp(*, secured: bool = False, offers_upgrade: bool = True) -> LineProtocol:
    """Return a mail server; without *offers_upgrade* it is one whose STARTTLS an attacker has stripped."""
    upgradable = offers_upgrade and not secured
    capabilities = "250-mail.test\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN" if upgradable else _AFTER
    replies = {
        "EHLO": by_layer(in_clear=capabilities, secured=_AFTER),
        "HELO": saying("250 mail.test"),
        "AUTH": _authenticate,
        "MAIL": saying("250 ok"),
        "RCPT": saying("250 ok"),
        "DATA": _take_message,
        "NOOP": saying("250 ok"),
        "RSET": saying("250 ok"),
        "QUIT": saying("221 bye"),
    }
    if upgradable:
        replies["STARTTLS"] = by_layer(in_clear="220 go ahead", secured="503 already in TLS")
    greeting = "220 mail.test ESMTP"
    return LineProtocol(greeting, replies, saying("500 unknown command"), "STARTTLS", "QUIT", secured=secured)


_AFTER = "250-mail.test\r\n250 AUTH PLAIN LOGIN"


def _authenticate(conversation: Conversation, command: Command) -> str:
    mechanism, _, initial = command.argument.partition(" ")
    questions = [b"334 \r\n"] if mechanism.upper() == "PLAIN" else [b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"]
    for question in questions[1 if initial else 0 :]:
        conversation.send(question)
        conversation.receive_line()
    return "235 authenticated"


def _take_message(conversation: Conversation, _: Command) -> str:
    conversation.send(b"354 end with a dot\r\n")
    while conversation.receive_line() != b".":
        pass
    return "250 taken"
