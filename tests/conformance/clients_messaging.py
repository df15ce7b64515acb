"""Message brokers' clients that take a context; what an impostor would get is a password."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from pinscher.lab.protocols.kafka import Kafka

from .clients import HOST, SECRET, TIMEOUT, client

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable


@client("paho-mqtt", "paho-mqtt", "`tls_set_context(context)`", protocol="mqtt")
def paho(context: ssl.SSLContext, port: int) -> None:
    """Log in."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    greeted: list[object] = []
    session = Client(CallbackAPIVersion.VERSION2)
    session.on_connect = lambda *told: greeted.append(told)
    session.tls_set_context(context)
    session.username_pw_set("ada", SECRET)
    session.connect(HOST, port)
    while not greeted:
        assert 0 == session.loop(TIMEOUT)
    session.disconnect()


@client("nats-py", "nats-py", "`connect(url, tls=context)`", protocol="nats")
async def nats_connection(context: ssl.SSLContext, port: int) -> None:
    """Log in."""
    import nats

    async def heard(error: Exception) -> None:
        """Take note of nothing: the error is raised as well."""

    session = await nats.connect(
        f"tls://{HOST}:{port}", tls=context, user="ada", password=SECRET, allow_reconnect=False,
        connect_timeout=TIMEOUT, error_cb=heard,
    )  # fmt: skip
    await session.close()


@client("pika", "pika", "`SSLOptions(context, host)`", protocol="amqp")
def pika_blocking(context: ssl.SSLContext, port: int) -> None:
    """Log in."""
    import pika

    parameters = pika.ConnectionParameters(
        HOST, port, credentials=pika.PlainCredentials("ada", SECRET), ssl_options=pika.SSLOptions(context, HOST)
    )
    pika.BlockingConnection(parameters).close()


@client("aio-pika", "aio-pika", "`connect(url, ssl_context=context)`", protocol="amqp")
async def aio_pika_connection(context: ssl.SSLContext, port: int) -> None:
    """Log in."""
    import aio_pika

    session = await aio_pika.connect(
        host=HOST, port=port, login="ada", password=SECRET, ssl=True, ssl_context=context, timeout=TIMEOUT
    )
    await session.close()


@client("aiokafka", "aiokafka", "`AIOKafkaProducer(ssl_context=context)`", protocol=Kafka(), loses_errors=True)
async def aiokafka_producer(context: ssl.SSLContext, port: int) -> None:
    """Log in."""
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(
        bootstrap_servers=f"{HOST}:{port}", security_protocol="SASL_SSL", ssl_context=context, sasl_mechanism="PLAIN",
        sasl_plain_username="ada", sasl_plain_password=SECRET, request_timeout_ms=2000,
    )  # fmt: skip
    try:
        await producer.start()
    finally:
        await producer.stop()


@client("kafka-python", "kafka-python", "`KafkaProducer(ssl_context=context)`", protocol=Kafka(), loses_errors=True)
def kafka_python_producer(context: ssl.SSLContext, port: int) -> None:
    """Log in."""
    made: list[Any] = []

    def remembered(**options: Any) -> Any:
        from kafka.net.compat import KafkaNetClient

        made.append(KafkaNetClient(**options))
        return made[-1]

    with warnings.catch_warnings():
        # It reads its message definitions by a way that Python 3.11 had deprecated and 3.13 no longer does.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            _log_in_with_kafka_python(context, port, remembered)
        except Exception:
            # A producer that cannot be made leaves its client open.
            for one in made:
                one.close()
            raise


def _log_in_with_kafka_python(context: ssl.SSLContext, port: int, make_client: Callable[..., Any]) -> None:
    from kafka import KafkaProducer

    producer = KafkaProducer(
        bootstrap_servers=f"{HOST}:{port}", security_protocol="SASL_SSL", ssl_context=context,
        sasl_mechanism="PLAIN", sasl_plain_username="ada", sasl_plain_password=SECRET,
        # A second attempt that the end of the time meets would leave its connection open.
        bootstrap_timeout_ms=2000, max_block_ms=2000, reconnect_backoff_ms=10_000, kafka_client=make_client,
    )  # fmt: skip
    producer.close(timeout=0)
