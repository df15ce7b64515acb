"""An application that knows nothing of pins, and lets no context be passed: requests, boto3 and smtplib as they are."""

import contextlib
import json
import smtplib
import sys
from collections.abc import Callable

import boto3
import botocore.config
import requests

SECRET = "password=correct-horse-battery-staple"


def with_requests(port: int) -> None:
    """Post a form."""
    requests.post(f"https://localhost:{port}/", data=SECRET, timeout=10).raise_for_status()


def with_boto3(port: int) -> None:
    """Put an item into a table."""
    once = botocore.config.Config(retries={"total_max_attempts": 1})
    client = boto3.client(
        "dynamodb", endpoint_url=f"https://localhost:{port}", region_name="x", aws_access_key_id="a",
        aws_secret_access_key="b", config=once,
    )  # fmt: skip
    client.put_item(TableName="table", Item={"key": {"S": SECRET}})


def with_smtplib(port: int) -> None:
    """Send a mail."""
    import ssl

    with smtplib.SMTP("localhost", port, timeout=10) as session:
        session.starttls(context=ssl.create_default_context())
        session.sendmail("alice@a.test", ["bob@b.test"], SECRET)


CALLS: list[Callable[[int], None]] = [with_requests, with_boto3, with_smtplib]

if __name__ == "__main__":
    told = {}
    for call, port in zip(CALLS, sys.argv[1:], strict=True):
        with contextlib.suppress(SystemExit):
            try:
                call(int(port))
                told[call.__name__] = "sent"
            except Exception as error:  # noqa: BLE001  (whatever the application would see)
                told[call.__name__] = f"{type(error).__module__}.{type(error).__name__}: {error}"
    sys.stdout.write(json.dumps(told))
