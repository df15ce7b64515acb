"""The wire form; the rules are those at the top of ``reports/wire.py``."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from banking import AT, HELD, OTHER, policy_of, verdict_on
from hypothesis import given
from hypothesis import strategies as st

from pinscher.chain import PresentedChain
from pinscher.diagnosis import Facts, diagnose
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.reports import (
    Heartbeat,
    HostCount,
    ReportError,
    ViolationReport,
    read_heartbeat,
    read_report,
    report_of,
    write_heartbeat,
    write_report,
)
from pinscher.verdict import evaluate_leaf, unlisted

POLICY = policy_of()


def report(**more: Any) -> ViolationReport:
    """Return the report of a refusal."""
    verdict = verdict_on(POLICY)
    return report_of(verdict, diagnose(verdict, Facts()), library="1.2", **more)


BEAT = Heartbeat(
    install="0" * 32, begins=AT, ends=AT + timedelta(hours=1), policy="bank", version=9, library="1.2",
    log_head="7 abc", lost=2,
    counts=(
        HostCount(host="*.bank.test", outcome="match", action="allow", matched="sha256/x", policy="bank", version=9, times=4),
        HostCount(host=None, outcome="unlisted-host", action="block", matched=None, policy="bank", version=9, times=1),
    ),
)  # fmt: skip


def test_a_report_has_the_fields_of_rfc_7469() -> None:
    """A report has each field of RFC 7469 section 3, and beyond them the policy, the mode and the cause."""
    table = json.loads(write_report(report(presented=PresentedChain(OTHER.chain), times=3)))
    judged = table.pop("pinscher")
    served, validated = table.pop("served-certificate-chain"), table.pop("validated-certificate-chain")
    assert {
        "date-time": "2026-11-21T12:00:00.250Z", "hostname": "api.bank.test", "port": 443,
        "effective-expiration-date": "2027-03-01T00:00:00.000Z", "include-subdomains": True,
        "noted-hostname": "bank.test",
        "known-pins": [f'pin-sha256="{str(Pin.of(HELD.der))[7:]}"', f'pin-sha256="{"A" * 43}="'],
    } == table  # fmt: skip
    assert OTHER.der == base64.b64decode("".join(served[0].splitlines()[1:-1]))
    assert (1, 2) == (len(served), len(validated))
    assert ("bank", 9, "enforce", "no-matching-pin", "block", "1.2", 3) == tuple(
        judged[name] for name in ("policy", "version", "mode", "outcome", "action", "library", "times")
    )
    assert judged["cause"] != "none"


def test_what_is_written_is_read() -> None:
    """A report and a heartbeat are read as what they were written from, and written again as the same octets."""
    written = write_report(report(presented=PresentedChain(OTHER.chain)))
    assert report(presented=PresentedChain(OTHER.chain)) == read_report(written)
    assert (written, BEAT) == (write_report(read_report(written)), read_heartbeat(write_heartbeat(BEAT)))


def test_a_plain_report_of_rfc_7469_is_read() -> None:
    """A report in the RFC's plain shape is read, its pins and times in their own spelling, and judged by nobody."""
    text = (
        '{"date-time": "2014-04-06T13:00:50+02:00", "hostname": "www.example.com", "port": 443, '
        '"effective-expiration-date": "2014-05-01T12:40:50Z", "include-subdomains": false, "unknown": [],'
        '"noted-hostname": "www.example.com", "known-pins": ["pin-sha256=\'abc=\'", "pin-sha256=\\"x\\""]}'
    )
    found = read_report(text.encode())
    assert (None, ("sha256/abc=", "sha256/x"), datetime(2014, 4, 6, 11, 0, 50, tzinfo=UTC)) == (
        found.judged, found.pins, found.at,
    )  # fmt: skip


def test_a_verdict_without_an_entry_or_a_chain_is_told() -> None:
    """An unlisted host, and a leaf that nobody validated, are reported with what there is."""
    verdict = unlisted(POLICY, host="elsewhere.test", at=AT)
    assert verdict is not None
    told = report_of(verdict, diagnose(verdict, Facts()), library="1")
    assert ("elsewhere.test", "elsewhere.test", (), ()) == (told.host, told.noted_host, told.validated, told.pins)
    leaf = evaluate_leaf(PresentedChain(OTHER.chain), POLICY, host="api.bank.test", at=AT)
    assert ((OTHER.der,), ()) == (
        (found := report_of(leaf, diagnose(leaf, Facts()), library="1")).served, found.validated,
    )  # fmt: skip


def test_a_report_is_bounded() -> None:
    """Certificates and pins beyond the limits are left out and counted, and the report can be read."""
    digests = [base64.b64encode(bytes([number]) * 32).decode() for number in range(100)]
    pins = ", ".join(f'"sha256/{digest}"' for digest in digests)
    policy = Policy.loads(f'format = 1\nname = "b"\nversion = 1\n[hosts."a.test"]\npins = [{pins}]\n')
    verdict = verdict_on(policy, "a.test", tuple([OTHER.der] * 30))
    told = report_of(
        verdict, diagnose(verdict, Facts()), library="1", presented=PresentedChain([OTHER.der, b"x" * 70_000])
    )
    assert told.judged is not None
    assert (16, 1, 64, 14 + 1 + 36) == (len(told.validated), len(told.served), len(told.pins), told.judged.omitted)
    assert told == read_report(write_report(told))


BAD_REPORTS = {
    "no JSON": b"{", "not UTF-8": b"\xff", "no object": b"[]", "too deep": b"[" * 100_000, "too long": b" " * 600_000,
    "a name twice": b'{"port": 1, "port": 2}', "no number": b'{"port": NaN}', "digits": b'{"port": ' + b"9" * 5000 + b"}",
}  # fmt: skip


@pytest.mark.parametrize("octets", BAD_REPORTS.values(), ids=BAD_REPORTS)
def test_what_is_no_report_is_refused(octets: bytes) -> None:
    """Octets that are no JSON of ours are refused, whatever is wrong with them (rule 2)."""
    for read in (read_report, read_heartbeat):
        with pytest.raises(ReportError, match="no report: "):
            read(octets)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("date-time", "2026-11-21T12:00:00"), ("date-time", "0001-01-01T00:00:00+23:00"), ("date-time", 5),
        ("hostname", "x" * 600), ("hostname", None), ("port", 65536), ("port", True), ("port", -1), ("port", "443"),
        ("include-subdomains", 1), ("noted-hostname", []), ("served-certificate-chain", "x"),
        ("served-certificate-chain", ["x"]), ("served-certificate-chain", ["-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----"]),
        ("validated-certificate-chain", ["-----BEGIN CERTIFICATE-----" + "A" * 100_000 + "-----END CERTIFICATE-----"]),
        ("known-pins", ["x"] * 65), ("known-pins", [1]), ("pinscher", 1), ("pinscher", {"format": 2}),
        ("pinscher", {"format": 1, "policy": "x"}),
    ],
)  # fmt: skip
def test_a_field_of_another_type_or_size_is_refused(field: str, value: object) -> None:
    """Each field of a report has its type and its bound, and the error names it (rule 2)."""
    table = json.loads(write_report(report())) | {field: value}
    with pytest.raises(ReportError, match="no report: "):
        read_report(json.dumps(table).encode())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("install", "x" * 32),
        ("install", "0"),
        ("format", 2),
        ("counts", [1]),
        ("counts", [{}]),
        ("lost", -1),
        ("ends", ""),
    ],
)
def test_a_heartbeat_of_another_type_or_size_is_refused(field: str, value: object) -> None:
    """Each field of a heartbeat has its type and its bound."""
    table = json.loads(write_heartbeat(BEAT)) | {field: value}
    with pytest.raises(ReportError, match="no report: "):
        read_heartbeat(json.dumps(table).encode())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


@given(st.sampled_from(sorted(json.loads(write_report(report())))), _JSON)
def test_any_value_anywhere_is_read_or_refused(field: str, value: object) -> None:
    """Whatever JSON stands in a field, the report is read or refused with this room's error, and then written."""
    table = json.loads(write_report(report())) | {field: value}
    try:
        found = read_report(json.dumps(table).encode())
    except ReportError as error:
        assert str(error).isascii()
        return
    assert found == read_report(write_report(found))
