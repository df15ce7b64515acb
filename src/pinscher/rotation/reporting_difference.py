"""What changes about the channels that reports go to: whatever makes an attack less noticed is a weakening."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.rotation.change import Change, Effect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.entry import ReportChannel
    from pinscher.policy import Policy


def channel_changes(old: Policy, new: Policy) -> Iterator[Change]:
    """Yield what changes about the report channels of two policies."""
    before, after = old.reporting, new.reporting
    for name, channel in before.items():
        if name not in after:
            yield Change("reporting", Effect.WEAKENING, "the report channel {} is gone", (name,))
        else:
            yield from _channel(channel, after[name])
    for name, channel in after.items():
        if name not in before:
            values = (name, channel.url)
            yield Change("reporting", Effect.STRENGTHENING, "the report channel {} is new and goes to {}", values)


def _channel(old: ReportChannel, new: ReportChannel) -> Iterator[Change]:
    name = new.name
    if old.url != new.url:
        values = (name, new.url, old.url)
        yield Change("reporting", Effect.WEAKENING, "the reports of {} go to {} instead of {}", values)
    if old.heartbeats != new.heartbeats:
        effect = Effect.STRENGTHENING if new.heartbeats else Effect.WEAKENING
        word = "tells of silence" if new.heartbeats else "does not tell of silence any more"
        yield Change("reporting", effect, f"the report channel {{}} {word}: heartbeats changed", (name,))
    if old.allow_private != new.allow_private:
        effect = Effect.WEAKENING if new.allow_private else Effect.STRENGTHENING
        word = "may" if new.allow_private else "must not"
        yield Change("reporting", effect, f"the reports of {{}} {word} go into a private network", (name,))
    yield from _pins(old, new)


def _pins(old: ReportChannel, new: ReportChannel) -> Iterator[Change]:
    if old.pins and not new.pins:
        yield Change("reporting", Effect.WEAKENING, "the report channel {} is not pinned any more", (new.name,))
        return
    if new.pins and not old.pins:
        yield Change("reporting", Effect.STRENGTHENING, "the report channel {} is pinned", (new.name,), breaks=True)
        return
    for pin in new.pins:
        if pin not in old.pins:
            values = (new.name, str(pin))
            yield Change("reporting", Effect.WEAKENING, "the report channel {} accepts {} as well", values)
    for pin in old.pins:
        if pin not in new.pins:
            values = (new.name, str(pin))
            yield Change(
                "reporting", Effect.STRENGTHENING, "the report channel {} does not accept {} any more", values,
                breaks=True,
            )  # fmt: skip
