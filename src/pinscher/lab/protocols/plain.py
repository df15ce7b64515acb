"""Servers that speak no protocol in particular: they echo, listen, hang up or do not even shake hands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


def echo(conversation: Conversation) -> None:
    """Shake hands, then send back whatever comes."""
    conversation.secure()
    while received := conversation.receive():
        conversation.send(received)


def silent(conversation: Conversation) -> None:
    """Shake hands, then listen for ever and say nothing."""
    conversation.secure()
    conversation.drain()


def hang_up(conversation: Conversation) -> None:
    """Shake hands, then end the connection."""
    conversation.secure()


def unresponsive(conversation: Conversation) -> None:
    """Take the connection and never answer the ClientHello."""
    conversation.drain()
