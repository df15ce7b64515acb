"""What SMTP, IMAP, POP3 and FTP have in common: a greeting, commands line by line, and one that begins TLS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Command:
    """A command as the client sent it."""

    verb: str
    """In upper case."""
    argument: str
    tag: str = ""
    """What an IMAP client names its command with; empty in the other protocols."""


Reply: TypeAlias = Callable[["Conversation", Command], str]
"""Returns the answer to a command, line breaks included but for the last."""


@dataclass(frozen=True, slots=True)
class LineProtocol:
    """A protocol of commands and replies; *secured* begins TLS before the greeting."""

    greeting: str
    replies: Mapping[str, Reply]
    unknown: Reply
    upgrade: str
    """The verb that begins TLS."""
    farewell: str
    """The verb after which the server hangs up."""
    secured: bool = False
    tagged: bool = False

    def __call__(self, conversation: Conversation) -> None:
        """Greet, then answer commands until the client says goodbye."""
        if self.secured:
            conversation.secure()
        _say(conversation, self.greeting)
        verb = ""
        while verb != self.farewell:
            command = _parsed(conversation.receive_line().decode("latin-1"), tagged=self.tagged)
            verb = command.verb
            _say(conversation, self.replies.get(verb, self.unknown)(conversation, command))
            if verb == self.upgrade and verb in self.replies and not conversation.is_secured:
                conversation.secure()


def saying(text: str) -> Reply:
    """Return a reply that is always the same; ``{tag}`` in it stands for the command's tag."""
    return lambda _, command: text.replace("{tag}", command.tag)


def by_layer(*, in_clear: str, secured: str) -> Reply:
    """Return a reply that depends on whether TLS has begun."""
    return lambda conversation, command: saying(secured if conversation.is_secured else in_clear)(conversation, command)


def _say(conversation: Conversation, text: str) -> None:
    conversation.send(text.encode("latin-1") + b"\r\n")


def _parsed(line: str, *, tagged: bool) -> Command:
    tag, _, rest = line.partition(" ") if tagged else ("", "", line)
    verb, _, argument = rest.partition(" ")
    return Command(verb.upper(), argument, tag)
