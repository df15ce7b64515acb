"""What an interception proves, from flows as mitmproxy tells them."""

from __future__ import annotations

import pytest

from pinscher.lab.eavesdropping import Conclusion, intercepted_environment, report, secrets_in
from pinscher.lab.interception import Flow


def read(host: str = "bank.test", scheme: str = "https", **others: object) -> Flow:
    """Return a request that was read."""
    return Flow("request", host, scheme=scheme, method="POST", path="/", **others)  # type: ignore[arg-type]


REFUSED = Flow("tls-failed", "bank.test", error="unknown ca")
COMPLETED = Flow("tls-established", "bank.test")
CONTROL = (Flow("tls-established", "shop.test"), read("shop.test"))


def test_something_read_is_the_answer() -> None:
    """Rule 1: what was read of a judged host is the answer, whatever else was refused."""
    told = report([REFUSED, COMPLETED, read()], control=CONTROL)
    assert (Conclusion.READ, "the interceptor read what was meant for bank.test") == (told.conclusion, told.reason)
    assert (1, 1, 1) == (told.hosts[0].requests, told.hosts[0].completed, told.hosts[0].refused)


def test_something_read_in_clear_is_read() -> None:
    """Rule 1: a request without TLS needs no interceptor, and is counted apart."""
    told = report([read(scheme="http")], control=CONTROL)
    assert (Conclusion.READ, 1) == (told.conclusion, told.hosts[0].in_clear)


@pytest.mark.parametrize("flow", [REFUSED, COMPLETED], ids=["refused", "completed without a request"])
def test_nothing_read_beside_a_control(flow: Flow) -> None:
    """Rule 2: nothing read is an answer when something else was read on the same path."""
    told = report([flow], control=CONTROL)
    assert (Conclusion.NOTHING_READ, ("shop.test",)) == (told.conclusion, told.control)


@pytest.mark.parametrize(
    "control", [(), (REFUSED,), (COMPLETED,), (read(scheme="http"),)],
    ids=["none", "refused", "completed", "in clear"],
)  # fmt: skip
def test_nothing_read_without_a_control(control: tuple[Flow, ...]) -> None:
    """Rule 2: without a request read through TLS, the program may refuse the CA rather than the key."""
    assert Conclusion.INCONCLUSIVE is report([REFUSED], control=control).conclusion


def test_another_host_of_the_run_is_a_control() -> None:
    """Rule 2: with the pinned hosts named, what was read of the others shows that the program takes the CA."""
    told = report([REFUSED, *CONTROL], judged=["BANK.test"])
    assert (Conclusion.NOTHING_READ, ("shop.test",)) == (told.conclusion, told.control)
    assert [True, False] == [host.is_judged for host in told.hosts]


@pytest.mark.parametrize("flows", [[], [*CONTROL], [Flow("request", "mitm.it", scheme="http", method="GET", path="/")]])
def test_a_program_that_never_came_by(flows: list[Flow]) -> None:
    """Rule 3: where no connection to a judged host came by, nothing was refused."""
    told = report(flows, control=CONTROL, judged=["bank.test"])
    assert (Conclusion.INCONCLUSIVE, "no connection to a judged host came by the proxy") == (
        told.conclusion,
        told.reason,
    )


SECRETS = [
    (read(fields=(("Cookie", "session=abc; theme=dark"),)), ["cookie session", "cookie theme"]),
    (read(fields=(("Authorization", "Bearer abc"),)), ["header authorization (Bearer)"]),
    (read(fields=(("authorization", "abc"),)), ["header authorization (a value)"]),
    (read(fields=(("X-Api-Key", "abc"), ("Accept", "token"))), ["header x-api-key"]),
    (read(body=b"user=ada&password=abc"), ["field password"]),
    (read(body=b'{"user": {"pin": 1234, "names": [{"iban": "abc"}]}}'), ["field pin", "field iban"]),
    (Flow("request", "bank.test", path="/?token=abc&page=2"), ["query token"]),
    (read(body=b"\xff\x00 not a form"), []),
    (read(body=b"[" * 100_000), []),
]


@pytest.mark.parametrize(("flow", "names"), SECRETS)
def test_secrets_are_named_and_never_shown(flow: Flow, names: list[str]) -> None:
    """Rule 4: a report says what kind of secret was read, and holds the value of none."""
    assert names == list(secrets_in(flow))
    assert "abc" not in repr(report([flow]).hosts)


def test_what_a_program_chose_is_escaped() -> None:
    """The names of hosts, cookies and errors come from programs, and are shown as plain letters."""
    told = report([read("\x1b[2J.test", fields=(("Cookie", "\x1b]0=x"),)), Flow("tls-failed", "a", error="\x07")])
    assert ["\\x1b[2J.test", "a"] == [host.host for host in told.hosts]
    assert ["cookie \\x1b]0"] == list(told.hosts[0].secrets)
    assert ["\\x07"] == list(told.hosts[1].refusals)


def test_a_program_is_led_to_the_proxy_and_its_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual variables name the proxy and the CA, and no exception that the user had stays."""
    monkeypatch.setenv("NO_PROXY", "*")
    environment = intercepted_environment("http://127.0.0.1:1", "/ca.pem")
    assert "NO_PROXY" not in environment
    assert "http://127.0.0.1:1" == environment["HTTPS_PROXY"] == environment["http_proxy"] == environment["ALL_PROXY"]
    assert "/ca.pem" == environment["SSL_CERT_FILE"] == environment["REQUESTS_CA_BUNDLE"] == environment["PIP_CERT"]
