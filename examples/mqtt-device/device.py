"""``python device.py HOST PORT READING``: publish a reading to a pinned broker, and exit 1 if it is not the broker."""

from __future__ import annotations

import os
import sys

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

import pinscher


def main(host: str, port: str, reading: str) -> int:
    """Publish once, acknowledged; a device has no one who could click a warning away."""
    device = Client(CallbackAPIVersion.VERSION2, client_id="meter-17")
    device.username_pw_set("meter-17", os.environ["DEVICE_PASSWORD"])
    device.tls_set_context(pinscher.PinnedContext(pinscher.Policy.load(os.environ["PINS"])))
    try:
        device.connect(host, int(port))
    except OSError as error:
        verdict = pinscher.verdict_of(error)
        print("not sent:", error if verdict is None else verdict.outcome.name, file=sys.stderr)
        return 1
    device.loop_start()
    try:
        device.publish("meters/17", reading, qos=1).wait_for_publish(timeout=10)
    finally:
        device.disconnect()
        device.loop_stop()
    print("sent")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
