"""FTP: AUTH TLS (RFC 4217) on the control connection and a login. There are no data connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.lab.protocols.lines import Command, LineProtocol, saying

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


def ftp(*, offers_upgrade: bool = True) -> LineProtocol:
    """Return a file server; without *offers_upgrade* it is one whose AUTH TLS an attacker has stripped."""
    replies = {
        "USER": saying("331 password please"),
        "PASS": saying("230 logged in"),
        "PBSZ": saying("200 ok"),
        "PROT": saying("200 ok"),
        "PWD": saying('257 "/" is the directory'),
        "TYPE": saying("200 ok"),
        "NOOP": saying("200 ok"),
        "QUIT": saying("221 bye"),
    }
    if offers_upgrade:
        replies["AUTH"] = _begin_tls
    return LineProtocol("220 files.test ready", replies, saying("502 unknown command"), "AUTH", "QUIT")


def _begin_tls(conversation: Conversation, _: Command) -> str:
    return "503 already in TLS" if conversation.is_secured else "234 begin TLS"
