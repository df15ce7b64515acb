"""Why clients report a violation, without a database."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pinscher.lab.authority import Authority
from pinscher.monitor.client_alarms import ALARMS, alarm_cause
from pinscher.monitor.findings.history import key_of
from pinscher.monitor.judging import Claim, IncidentCause, judge
from pinscher.monitor.wire import read_report
from pinscher.pin import Pin
from pinscher.updates.events import EventKind
from tests.certificates import named
from tests.unit.monitor.scene import AT, DAY, HOST, HOUR, chain_of, issue, policy_of, root

ROOT = root()
PINNED, OTHER = issue(ROOT), issue(ROOT)
POLICY = policy_of(Pin.of(PINNED.der))


def _cause(chain: tuple[bytes, ...] = (), seen: frozenset[bytes] = frozenset(), **changed: Any) -> IncidentCause:
    claim = {"host": HOST, "cause": "", "at": AT, "received": AT, "chain": chain} | changed
    return judge(Claim(**claim), POLICY, seen).cause


@pytest.mark.parametrize("changed", [{"at": AT + 2 * HOUR}, {"cause": "clock-skew"}])
def test_a_client_ahead_of_time_has_a_wrong_clock(changed: dict[str, Any]) -> None:
    """A report from the future, or one that says so itself."""
    assert IncidentCause.WRONG_CLOCK is _cause(chain_of(OTHER), **changed)


def test_a_report_that_waited_in_a_spool_has_no_wrong_clock() -> None:
    """A report may come days after it was written."""
    assert IncidentCause.WRONG_CLOCK is not _cause(chain_of(OTHER), at=AT - 5 * DAY)


def test_clients_that_refuse_what_the_policy_accepts_are_stale() -> None:
    """The policy in force accepts the chain, so that the client has another one."""
    assert IncidentCause.STALE_CLIENTS is _cause(chain_of(PINNED))


def test_a_denied_key_is_not_accepted() -> None:
    """A pinned key beside a denied one makes no stale client."""
    policy = policy_of(Pin.of(PINNED.der), more=f'denied-keys = ["{Pin.of(ROOT.certificate)}"]\n')
    claim = Claim(host=HOST, cause="", at=None, received=AT, chain=chain_of(PINNED))
    assert IncidentCause.LOCAL_INTERCEPTION is judge(claim, policy, frozenset()).cause


def test_a_key_that_the_monitor_sees_too_is_a_rotation() -> None:
    """What everybody sees at the endpoint was not put there between it and one client."""
    assert IncidentCause.UNANNOUNCED_ROTATION is _cause(chain_of(OTHER), frozenset({key_of(OTHER.der) or b""}))


def test_a_root_of_its_own_is_a_local_interception() -> None:
    """A chain up to a root that Mozilla does not know, with a key that the monitor does not see."""
    assert IncidentCause.LOCAL_INTERCEPTION is _cause(chain_of(OTHER))


def test_an_interception_product_is_named() -> None:
    """A product that writes its name into its certificates is told by name."""
    chain = chain_of(Authority.root("mitmproxy").issue(HOST))[:1]
    found = judge(Claim(host=HOST, cause="", at=None, received=AT, chain=chain), POLICY, frozenset())
    assert IncidentCause.LOCAL_INTERCEPTION is found.cause
    assert "mitmproxy" in found.said


def test_a_public_chain_with_another_key_is_misissue_or_attack(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of Mozilla's programme above a key that the monitor does not see."""
    import dataclasses

    import pinscher.monitor.judging as module
    from pinscher.diagnosis.roots import mozilla

    programme = dataclasses.replace(mozilla(), keys=frozenset({key_of(ROOT.certificate) or b""}))
    monkeypatch.setattr(module, "mozilla", lambda: programme)
    assert IncidentCause.MISISSUE_OR_ATTACK is _cause(chain_of(OTHER))


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_of_clients_is_told_as_one(name: str) -> None:
    """A report that raises an alarm is about the clients' updates, whatever chain and time somebody put beside it."""
    changed = {"cause": alarm_cause(name), "at": AT + 2 * HOUR}
    assert IncidentCause.CLIENT_ALARM is _cause(chain_of(PINNED), **changed)
    claim = Claim(host=HOST, cause=alarm_cause(name), at=AT, received=AT, chain=())
    assert ALARMS[name].said == judge(claim, POLICY, frozenset()).said


def test_every_alarm_of_a_keeper_is_known() -> None:
    """Whatever a keeper raises has a sentence and a next action."""
    assert {kind.value for kind in EventKind if kind.is_alarm} == set(ALARMS)
    assert max(len(alarm_cause(name)) for name in ALARMS) <= 32


def test_an_alarm_that_nobody_knows_is_none() -> None:
    """A name that somebody made up is no cause, in either place of a report."""
    for body in (
        {"hostname": HOST, "pinscher": {"alarm": "<b>"}},
        {"hostname": HOST, "cause": "alarm-<b>"},
        {"hostname": HOST, "cause": "alarm-"},
    ):
        assert "" == read_report(json.dumps(body).encode()).cause
    told = {"hostname": "", "pinscher": {"alarm": "forked", "cause": "local-interception"}}
    assert "alarm-forked" == read_report(json.dumps(told).encode()).cause


def test_what_cannot_be_told_is_unknown() -> None:
    """Without a chain, with half of one, without a host, and of a certificate that cannot be read nothing is claimed."""
    assert IncidentCause.UNKNOWN is _cause()
    assert IncidentCause.UNKNOWN is _cause((named("leaf"),))
    assert IncidentCause.UNKNOWN is _cause((b"junk",))
    assert IncidentCause.UNKNOWN is _cause((named("leaf"),), host="", cause="different-path")
