"""What clients send, read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.diagnosis import diagnose
from pinscher.lab.authority import Authority
from pinscher.monitor.errors import UnreadableReportError
from pinscher.monitor.wire import certificate_of, read_heartbeat, read_report, told_at
from pinscher.reports.heartbeat import Heartbeat, HostCount
from pinscher.reports.violation import report_of
from pinscher.reports.wire import write_heartbeat, write_report
from pinscher.verdict import refusal
from tests.unit.monitor.scene import AT, HOST, policy_of

PIN = "sha256/" + "A" * 43 + "="
HELD = Authority.root().issue(HOST)


def _body(**fields: Any) -> bytes:
    return json.dumps({"hostname": HOST, **fields}).encode()


def test_the_plain_shape_of_hpkp_is_read() -> None:
    """A report as RFC 7469 section 3 shows it, with its names and PEM."""
    report = read_report(
        _body(**{
            "date-time": "2026-11-21T12:00:00Z", "port": 443, "effective-expiration-date": "2027-01-01T00:00:00Z",
            "include-subdomains": False, "noted-hostname": HOST, "served-certificate-chain": [HELD.pem.decode()],
            "validated-certificate-chain": [HELD.pem.decode()], "known-pins": ['pin-sha256="x"'],
        })
    )  # fmt: skip
    assert (HOST, 443, AT) == (report.hostname, report.port, told_at(report))
    assert HELD.der == certificate_of(report.validated_certificate_chain[0])
    assert ("", "", None) == (report.mode, report.policy, report.version)


def test_the_shape_of_trustkit_is_read() -> None:
    """TrustKit's fields say the mode and the library; what tells one device from another is not kept."""
    report = read_report(
        _body(**{
            "app-bundle-id": "com.bank", "app-version": "7.1", "app-vendor-id": "DEVICE", "app-platform": "IOS",
            "trustkit-version": "3.0.4", "enforce-pinning": True, "validation-result": 1, "date-time": "2026-11-21T12:00:00",
        })
    )  # fmt: skip
    assert ("enforce", "TrustKit 3.0.4, app 7.1", AT) == (report.mode, report.library, told_at(report))
    assert "DEVICE" not in str(report)
    assert "report-only" == read_report(_body(**{"enforce-pinning": False})).mode


def test_what_our_own_clients_write_is_read() -> None:
    """A report that pinscher.reports writes is read field by field."""
    verdict = refusal(policy_of(PIN), host=HOST, at=AT, detail="self-signed certificate", port=443)
    written = write_report(report_of(verdict, diagnose(verdict), library="pinscher 1.0", times=3))
    report = read_report(written, key="k-1")
    assert ("bank-app", 1, "enforce", "pinscher 1.0", 3, "k-1") == (
        report.policy,
        report.version,
        report.mode,
        report.library,
        report.times,
        report.id,
    )
    assert diagnose(verdict).cause.value == report.cause
    assert (HOST, 443, AT) == (report.hostname, report.port, told_at(report))


def test_what_our_own_clients_count_is_read() -> None:
    """A heartbeat that pinscher.reports writes is read, with patterns of hosts and without any."""
    counts = [
        HostCount(host=host, outcome=outcome, action="allow", matched=matched, policy="bank-app", version=1, times=2)
        for host, outcome, matched in (
            ("*.bank.example", "match", PIN),
            ("*.bank.example", "match", PIN),
            (None, "not-pinned", None),
        )
    ]
    beat = Heartbeat(
        install="0" * 32,
        begins=AT,
        ends=AT,
        policy="bank-app",
        version=1,
        library="x",
        log_head="head",
        counts=tuple(counts),
    )
    read = read_heartbeat(write_heartbeat(beat))
    assert [("*.bank.example", "match", PIN, 4), ("", "not-pinned", "", 2)] == [
        (one.host, one.outcome, one.matched, one.times) for one in read.counts
    ]
    assert ("0" * 32, "bank-app", 1, "head") == (read.install, read.policy, read.version, read.log_head)
    assert read.id.startswith("body-")


def test_a_key_of_the_header_comes_first_and_the_body_last() -> None:
    """The header's key, the field, the digest of the body; what is no plain text is replaced by its digest."""
    assert "h" == read_report(_body(id="f"), key="h").id
    assert "f" == read_report(_body(id="f")).id
    assert read_report(_body()).id == read_report(_body()).id != read_report(_body(port=1)).id
    assert read_report(_body(id="\x00")).id.startswith("id-")
    assert 67 == len(read_report(_body(), key="k" * 129).id)


def test_a_connection_without_a_name_has_none() -> None:
    """An empty host is one that was not named."""
    assert "" == read_report(b'{"hostname": ""}').hostname


def test_text_of_strangers_is_escaped_and_causes_are_known_ones() -> None:
    """Control characters and markup's neighbours come back as printable ASCII; an unknown cause or mode is none."""
    report = read_report(_body(policy="a\x1b[31m\u202e", cause="<script>", mode="off", library="\\x"))
    assert ("a\\x1b[31m\\u202e", "", "", "\\\\x") == (report.policy, report.cause, report.mode, report.library)


def test_a_time_beyond_utc_is_none() -> None:
    """A time that has no place in UTC is passed over, and so is none."""
    assert None is told_at(read_report(_body(**{"date-time": "0001-01-01T00:00:00+10:00"})))
    assert None is told_at(read_report(_body()))
    assert datetime(2026, 1, 1, tzinfo=UTC) == told_at(read_report(_body(**{"date-time": "2026-01-01T01:00:00+01:00"})))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"hostname": 1}', b'{"hostname": "a b"}', b'{"hostname": "' + b"a" * 300 + b'"}',
        b'{"hostname": "a.example", "port": 70000}', b'{"hostname": "a.example", "version": -1}',
        b'{"hostname": "a.example", "served-certificate-chain": [1]}', b'{"hostname": "a.example", "version": 1e400}',
        json.dumps({"hostname": HOST, "served-certificate-chain": ["x"] * 17}).encode(),
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused(body: bytes) -> None:
    """Whatever the bytes are, the error is one of this room, in printable ASCII."""
    with pytest.raises(UnreadableReportError) as caught:
        read_report(body)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "fields",
    [{"install": ""}, {"install": "x" * 65}, {"counts": [{"host": "a b", "outcome": "match"}]}, {"counts": [{"host": HOST, "outcome": "great"}]},
     {"counts": [{"host": HOST, "outcome": "match", "matched": "sha1/x"}]}, {"counts": [{"host": HOST, "outcome": "match", "times": -1}]}],
)  # fmt: skip
def test_what_is_no_heartbeat_is_refused(fields: dict[str, Any]) -> None:
    """Unknown outcomes, pins that are none and hosts that are none are refused."""
    with pytest.raises(UnreadableReportError):
        read_heartbeat(json.dumps({"install": "abc", **fields}).encode())


def test_a_certificate_is_pem_or_base64() -> None:
    """Both forms give the same bytes."""
    pem = HELD.pem.decode()
    assert HELD.der == certificate_of(pem) == certificate_of("".join(pem.splitlines()[1:-1]))


@pytest.mark.parametrize(
    "text",
    ["", "x", "AAAA", "\u00e9", HELD.pem.decode() * 2, HELD.pem.decode()[:-30], "<script>"],
    ids=["nothing", "a letter", "zeros", "an accent", "two certificates", "a cut certificate", "markup"],
)
def test_what_is_no_certificate_is_refused(text: str) -> None:
    """Bytes without a key that can be read are no certificate, and neither are two."""
    with pytest.raises(UnreadableReportError):
        certificate_of(text)


@given(
    st.binary(max_size=200)
    | st.builds(
        lambda text: json.dumps(
            {"hostname": HOST, "id": text, "policy": text, "served-certificate-chain": [text]}
        ).encode(),
        st.text(),
    )
)
def test_any_bytes_give_a_report_or_the_error(body: bytes) -> None:
    """No body, and no certificate in one, raises anything else."""
    for read in (read_report, read_heartbeat):
        try:
            found: Any = read(body)
        except UnreadableReportError:
            continue
        assert found.id.isascii()
        assert len(found.id) <= 128
        for pem in getattr(found, "served_certificate_chain", ()):
            with pytest.raises(UnreadableReportError):
                certificate_of(pem)
