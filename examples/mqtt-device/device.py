"""``python device.py HOST PORT READING``: publish a reading to a pinned broker, and exit 1 unless it took it."""

from __future__ import annotations

import os
import queue
import sys
from typing import TYPE_CHECKING

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

import pinscher

if TYPE_CHECKING:
    from paho.mqtt.reasoncodes import ReasonCode

PATIENCE = float(os.environ.get("BROKER_TIMEOUT", "10"))
"""Seconds that the broker has for each of its answers."""


class NotSentError(Exception):
    """The broker did not take the reading."""


def publish(device: Client, answers: queue.SimpleQueue[ReasonCode], reading: str) -> None:
    """Publish once the broker has let the device in, and wait until it has acknowledged the reading."""
    try:
        answer = answers.get(timeout=PATIENCE)
    except queue.Empty:
        raise NotSentError("the broker does not answer") from None
    if answer.is_failure:
        raise NotSentError(f"the broker says: {answer}")
    message = device.publish("meters/17", reading, qos=1)
    # Waiting ends without a word when the time is over.
    message.wait_for_publish(timeout=PATIENCE)
    if not message.is_published():
        raise NotSentError("the broker acknowledged nothing")


def main(host: str, port: str, reading: str) -> int:
    """Publish once, acknowledged; a device has no one who could click a warning away."""
    answers: queue.SimpleQueue[ReasonCode] = queue.SimpleQueue()
    device = Client(CallbackAPIVersion.VERSION2, client_id="meter-17")
    device.username_pw_set("meter-17", os.environ["DEVICE_PASSWORD"])
    device.tls_set_context(pinscher.PinnedContext(pinscher.Policy.load(os.environ["PINS"])))
    device.on_connect = lambda _client, _data, _flags, reason, _properties: answers.put(reason)
    try:
        device.connect(host, int(port))
        device.loop_start()
        publish(device, answers, reading)
    except (OSError, NotSentError, RuntimeError) as error:
        verdict = pinscher.verdict_of(error)
        print("not sent:", error if verdict is None else verdict.outcome.name, file=sys.stderr)
        return 1
    finally:
        device.disconnect()
        device.loop_stop()
    print("sent")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
