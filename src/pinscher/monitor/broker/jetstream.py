"""
A stream of NATS JetStream as a broker of Taskiq.

Rules of this file:

1. What was handed in is in the stream's file once :meth:`JetStream.kick` returns: the server has acknowledged it.
2. What a worker took and did not acknowledge within the patience of the stream is given to another.
3. A task acknowledges its message itself, when what it did is stored: Taskiq's other moments acknowledge a task that
   failed, too.
4. A broker that is away ends nothing: handing in is refused for as long, and taking out goes on when it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from taskiq import AckableMessage, BrokerMessage, TaskiqMessage
from taskiq.abc.formatter import TaskiqFormatter
from taskiq.acks import AcknowledgeType
from taskiq.receiver import Receiver
from taskiq_nats import PullBasedJetStreamBroker

from pinscher.errors import escaped
from pinscher.monitor.errors import BrokerUnusableError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import timedelta

    from taskiq import AsyncBroker

_WORKERS = "workers"
_ANSWER_SECONDS = 5.0
_CONNECT_SECONDS = 10.0
_STOP_SECONDS = 10.0
_AGAIN_SECONDS = 1.0
_AT_ONCE = 8
"""Messages that a worker asks for at once."""
_log = logging.getLogger("pinscher.monitor")


class JetStream(PullBasedJetStreamBroker):
    """One stream, which any number of processes fill and empty."""

    def __init__(self, url: str, name: str, *, patience: timedelta, most: int, kept: timedelta | None = None) -> None:
        """
        Name a stream; nothing is asked of the server yet.

        Args:
            url: Where the server is; it may hold a password.
            name: The name of the stream, whose subject has dots in place of hyphens.
            patience: When a message that was not acknowledged is given to somebody else (rule 2).
            most: Messages that may wait; beyond them nothing more is taken, and nothing more acknowledged.
            kept: When a message that nobody took is dropped; None is never.
        """
        subject = name.replace("-", ".", 2)
        super().__init__(
            url,
            subject=subject,
            stream_name=name,
            durable=_WORKERS,
            stream_config=StreamConfig(
                name=name,
                subjects=[subject],
                retention=RetentionPolicy.WORK_QUEUE,
                storage=StorageType.FILE,
                discard=DiscardPolicy.NEW,
                # A bound of octets would do, but servers up to 2.9 at least count them without what a message costs in
                # their file, and drop the oldest in place of the newest where the two differ.
                max_msgs=most,
                max_age=None if kept is None else kept.total_seconds(),
            ),
            consumer_config=ConsumerConfig(
                durable_name=_WORKERS, ack_policy=AckPolicy.EXPLICIT, ack_wait=patience.total_seconds()
            ),
            pull_consume_batch=_AT_ONCE,
            pull_consume_timeout=_ANSWER_SECONDS,
            connect_timeout=_ANSWER_SECONDS,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_AGAIN_SECONDS / 4,
            error_cb=self._told,
        )
        self.formatter = Packed()
        self.patience = patience
        self._failed = asyncio.Event()

    async def startup(self) -> None:
        """Connect, and make the stream where it is missing; a stream that an operator made is used as it is."""
        connecting = asyncio.ensure_future(super().startup())
        # The client tries for ever, and its errors come here: while it connects for the first time, one is enough.
        failing = asyncio.ensure_future(self._failed.wait())
        await asyncio.wait({connecting, failing}, timeout=_CONNECT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        failing.cancel()
        try:
            if not connecting.done():
                connecting.cancel()
                raise self.client.last_error or NatsTimeoutError
            await connecting
        except (NatsError, OSError) as error:
            # What the client says to whoever leaves before it was there; older ones close what they never opened.
            with contextlib.suppress(AssertionError, AttributeError):
                await self.client.close()
            raise BrokerUnusableError(f"the broker cannot be used: {_reason(error)}") from None

    async def kick(self, message: BrokerMessage) -> None:
        """Put a message into the stream, and return when the server has said that it is there (rule 1)."""
        if not self.client.is_connected:
            raise BrokerUnusableError("the broker took nothing: it is away")
        try:
            await self.js.publish(self.subject, message.message, timeout=_ANSWER_SECONDS)
        except MaxPayloadError:
            found, most = len(message.message), self.client.max_payload
            raise TooLargeError(f"the broker takes {most} octets at once, found {found}") from None
        except (NatsError, OSError) as error:
            raise BrokerUnusableError(f"the broker took nothing: {_reason(error)}") from None

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Give messages as they come, for ever (rule 4)."""
        while True:
            try:
                messages = await self.consumer.fetch(self.pull_consume_batch, self.pull_consume_timeout)
            except NatsTimeoutError:
                continue
            except (NatsError, OSError) as error:
                _log.warning("the broker gives nothing, and is asked again: %s", _reason(error))
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            for message in messages:
                yield AckableMessage(data=message.data, ack=message.ack)

    async def under_way(self) -> int:
        """Return how many messages wait, or were taken and not acknowledged yet."""
        try:
            found = await self.js.consumer_info(self.stream_name, _WORKERS, timeout=_ANSWER_SECONDS)
        except (NatsError, OSError) as error:
            raise BrokerUnusableError(f"the broker does not answer: {_reason(error)}") from None
        return (found.num_pending or 0) + (found.num_ack_pending or 0)

    async def _told(self, error: Exception) -> None:
        self._failed.set()
        _log.warning("the broker: %s", _reason(error))


async def work_off(broker: AsyncBroker, *, workers: int) -> NoReturn:
    """Run a broker's tasks, so many at once; when this is cancelled, what has begun is brought to its end."""
    receiver = Receiver(
        broker,
        validate_params=False,
        max_async_tasks=workers,
        run_startup=False,
        ack_type=AcknowledgeType.MANUAL,
        wait_tasks_timeout=_STOP_SECONDS,
    )
    is_over = asyncio.Event()
    listening = asyncio.create_task(receiver.listen(is_over))
    try:
        await asyncio.shield(listening)
    except asyncio.CancelledError:
        is_over.set()
        await asyncio.wait({listening}, timeout=2 * _STOP_SECONDS)
        listening.cancel()
        raise
    raise AssertionError("a broker's messages do not end")


class Packed(TaskiqFormatter):
    """Writes a task as MessagePack, which holds certificates as they are."""

    def dumps(self, message: TaskiqMessage) -> BrokerMessage:
        """Write a task."""
        body = {"task_id": message.task_id, "task_name": message.task_name, "labels": message.labels}
        return BrokerMessage(
            task_id=message.task_id,
            task_name=message.task_name,
            message=msgspec.msgpack.encode(body | {"args": message.args, "kwargs": message.kwargs}),
            labels=message.labels,
        )

    def loads(self, message: bytes) -> TaskiqMessage:
        """Read a task."""
        body: dict[str, Any] = msgspec.msgpack.decode(message)
        return TaskiqMessage(**body)


def _reason(error: BaseException) -> str:
    """Return what an error of the client says; none of them has the address in it."""
    said = str(getattr(error, "description", None) or getattr(error, "strerror", None) or error)
    said = said.lower().removeprefix("nats: ")
    return escaped(said or "no answer in time")
