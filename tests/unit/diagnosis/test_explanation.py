"""The text of a refusal; rules are cited by the numbers at the head of ``pinscher.diagnosis.explanation``."""

from __future__ import annotations

import dataclasses
import re

import pytest

from pinscher.chain import PresentedChain, ValidatedChain
from pinscher.diagnosis import Cause, Facts, diagnose, explain
from pinscher.verdict import Outcome, Verdict, evaluate_leaf

from .scene import AT, HOST, Authority, Holder, Scene

Genuine = tuple[Holder, Holder, Holder]
_PRINTABLE = re.compile(r"[ -~\n]*")
_LARGEST = 8000


def _text(verdict: Verdict, facts: Facts | None = None) -> str:
    return explain(verdict, diagnose(verdict, facts))


def test_both_sides_stand_in_the_text_and_can_be_copied(genuine: Genuine, authority: Authority) -> None:
    """The text shows the validated chain, what was pinned by which policy, the cause and the next step."""
    backup, denied = authority.root("backup").pin, authority.root("denied").pin
    scene = Scene(
        [genuine[0].pin],
        entry=f'backup-pins = ["api-backup"]\ndenied-keys = ["{denied}"]',
        keys=f'[keys.api-backup]\npin = "{backup}"\nstored = "offline"\nrehearsed = 2026-10-01',
    )
    root = authority.root("mitmproxy", O="mitmproxy")
    leaf = authority.issue(root, HOST)
    verdict = scene.judged(leaf.der, root.der)
    lines = _text(verdict).splitlines()
    assert lines[:8] == [
        "no pinned key in the validated chain of api.example.com",
        "  chain:",
        f"    {leaf.pin}  CN=api.example.com",
        f"    {root.pin}  CN=mitmproxy, O=mitmproxy",
        "  pinned (policy bank-app 14, enforce):",
        f"    {genuine[0].pin}",
        f"    {backup}  backup  api-backup",
        f"    {denied}  denied",
    ]
    assert lines[8].startswith("  cause: intercepted by mitmproxy (a debugging proxy)")
    assert lines[8].endswith(" (likely)")
    assert [line.split(":")[0].strip() for line in lines[-2:]] == ["next", "verdict"]
    assert lines[-1] == f"  verdict: {verdict.id}"


def test_the_style_guides_example_has_this_shape(scene: Scene, authority: Authority) -> None:
    """The first line stands alone as a lower-case sentence without a period, whatever follows it."""
    first = _text(scene.judged(authority.root("x").der)).splitlines()[0]
    assert first == "no pinned key in the validated chain of api.example.com"


def _every_outcome(genuine: Genuine, authority: Authority) -> dict[Outcome, Verdict]:
    rogue = authority.issue(genuine[1], HOST)
    scene = Scene([genuine[0].pin], entry=f'denied-keys = ["{rogue.pin}"]')
    expired = Scene([genuine[0].pin], entry='expires = 2026-11-01T00:00:00Z\non-expiry = "fail"')
    lenient = Scene([genuine[0].pin], head='[defaults]\nunlisted-hosts = "allow"')
    verdicts = [
        scene.refused(),
        scene.judged(genuine[0].der, host="elsewhere.example"),
        lenient.judged(genuine[0].der, host="elsewhere.example"),
        scene.judged(rogue.der),
        expired.judged(genuine[0].der),
        scene.judged(genuine[0].der),
        scene.judged(genuine[2].der),
    ]
    return {verdict.outcome: verdict for verdict in verdicts}


def test_every_outcome_has_its_headline(genuine: Genuine, authority: Authority) -> None:
    """Each outcome begins with its own line, which names the host."""
    told = {outcome: _text(verdict).splitlines()[0] for outcome, verdict in _every_outcome(genuine, authority).items()}
    assert told == {
        Outcome.CHAIN_NOT_VALIDATED: "no validated chain for api.example.com: certificate verify failed",
        Outcome.UNLISTED_HOST: "no entry in the policy for elsewhere.example",
        Outcome.NOT_PINNED: "no pins in the policy for elsewhere.example",
        Outcome.DENIED_KEY: "a denied key in the validated chain of api.example.com",
        Outcome.POLICY_EXPIRED: "expired pins for api.example.com",
        Outcome.MATCH: "a pinned key in the validated chain of api.example.com",
        Outcome.NO_MATCHING_PIN: "no pinned key in the validated chain of api.example.com",
    }
    assert set(told) == set(Outcome)


def test_a_connection_without_a_host_is_told_as_such(scene: Scene, genuine: Genuine) -> None:
    """A connection without a usable name is described, and the unusable name is not repeated."""
    text = _text(scene.judged(genuine[0].der, host="\x1b]0;owned\x07"))
    assert text.splitlines()[0] == "no entry in the policy for a connection without a usable host name"
    assert "owned" not in text


def test_a_refusal_that_is_only_reported_says_so(genuine: Genuine) -> None:
    """In report-only mode the text says that the connection was allowed."""
    scene = Scene([genuine[0].pin], entry='mode = "report-only"\nreport-only-since = 2026-11-01')
    text = _text(scene.judged(genuine[2].der))
    assert "  pinned (policy bank-app 14, report-only):" in text.splitlines()
    assert "  allowed all the same, and reported" in text.splitlines()


def test_what_was_tried_before_a_refusal_stands_in_its_text(scene: Scene, authority: Authority) -> None:
    """The steps of the host's ladder are told in order, escaped and bounded."""
    steps = "refresh: nothing newer\x1b[2J", *("override: none",) * 8, "abort"
    text = _text(dataclasses.replace(scene.judged(authority.root("rogue").der), steps=steps))
    assert "  tried:\n    refresh: nothing newer\\x1b[2J\n    override: none\n" in text
    assert "\n    and 4 more\n  cause: " in text


def test_an_entry_without_pins_tells_its_reason(genuine: Genuine) -> None:
    """An entry that pins nothing shows the reason that the policy gives."""
    scene = Scene([genuine[0].pin], entry='[hosts."status.example.com"]\nunpinned = "public CDN"')
    assert "    nothing: public CDN" in _text(scene.judged(genuine[0].der, host="status.example.com")).splitlines()


def test_a_leaf_judged_alone_is_not_called_validated(scene: Scene, genuine: Genuine) -> None:
    """Where no chain was validated the text never claims one."""
    text = _text(evaluate_leaf(PresentedChain([genuine[2].der]), scene.policy, host=HOST, at=AT))
    assert text.splitlines()[:2] == ["no pinned key in the leaf of api.example.com", "  presented (not validated):"]


HOSTILE = {
    "terminal escape": "\x1b[2J\x1b]0;owned\x07",
    "line break": "x\r\nverdict: 0000\n  next: add sha256/AAAA",
    "nul": "bank\x00.example",
    "bidirectional": "\u202egro.knab\u2066",
    "line separator": "a\u2028b\u2029c\x85d",
    "look-alike": "\uff42ank.\u0435\u0445\u0430mple",
    "zero width": "ba\u200bnk\ufeff",
    "eight-bit control": "\x9b31m",
    "log lookup": "${jndi:ldap://x} %s %n {0.__class__}",
    "markup": "<script>alert(1)</script>",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_name_reaches_nobody_raw(scene: Scene, authority: Authority, name: str) -> None:
    """A certificate's names come out as printable ASCII and cannot add a line (rule 1)."""
    root = authority.root(name, O=name)
    leaf = authority.issue(root, name, OU=name)
    plain = authority.issue(authority.root("p", O="p"), "p", OU="p")
    verdict = scene.judged(leaf.der, root.der)
    text = _text(verdict)
    assert _PRINTABLE.fullmatch(text) is not None
    assert len(text.splitlines()) == len(_text(scene.judged(plain.der, root.der)).splitlines())


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_name_is_escaped_without_a_chain_too(scene: Scene, authority: Authority, name: str) -> None:
    """What the server presented and what OpenSSL or a socket said are escaped alike (rule 1)."""
    presented = PresentedChain([authority.root(name, O=name).der])
    for code in (9, 10, 18, 20, 62):
        facts = Facts(verify_code=code, openssl_error=name, presented=presented)
        verdict = scene.refused(name)
        diagnosis = diagnose(verdict, facts)
        told = [diagnosis.sentence, diagnosis.next_action, *diagnosis.facts]
        assert [line for line in told if re.fullmatch(r"[ -~]*", line) is None] == []
        assert _PRINTABLE.fullmatch(explain(verdict, diagnosis)) is not None


def test_undecodable_names_are_shown_as_escapes(scene: Scene, authority: Authority) -> None:
    """Octets that are no UTF-8, among them encoded surrogates, are shown as escapes (rule 3)."""
    root = authority.root("undecodable")
    broken = root.der.replace(b"undecodable", b"\xed\xa0\x80\xff\xfe\x1b\x9b\x00\xc0\xaf!")
    text = _text(scene.judged(broken))
    assert _PRINTABLE.fullmatch(text) is not None
    assert "CN=\\\\xed" in text


def test_a_giant_chain_is_bounded(scene: Scene, authority: Authority) -> None:
    """Of a chain of ninety-five certificates the first eight are shown, and how many more there were (rule 2)."""
    junk = authority.root("J" * 60, O="O" * 60, OU="U" * 60).der
    text = _text(scene.judged(*[junk] * 95))
    assert "    and 87 more" in text.splitlines()
    assert [line for line in text.splitlines()[2:10] if len(line) > 180] == []
    assert len(text) < _LARGEST


def test_a_long_list_of_pins_is_bounded_and_shows_the_one_that_decided(authority: Authority, genuine: Genuine) -> None:
    """Of many pins twelve are shown, the one that decided among them (rule 2)."""
    pins = [authority.root("k").pin for _ in range(30)]
    scene = Scene(pins, entry=f'denied-keys = ["{genuine[0].pin}"]')
    lines = _text(scene.judged(genuine[0].der)).splitlines()
    assert f"    {genuine[0].pin}  denied" in lines
    assert "    and 19 more" in lines
    assert len([line for line in lines if line.startswith("    sha256/")]) == 12 + 1


@pytest.mark.parametrize("junk", [b"", b"\x30", b"\x30\x80\x00\x00", b"not a certificate", bytes(range(256)) * 40])
def test_bytes_that_are_no_certificate_are_shown_by_their_digest(genuine: Genuine, junk: bytes) -> None:
    """A certificate that cannot be read is shown by its digest, and nothing raises (rule 3)."""
    scene = Scene([genuine[0].pin])
    verdict = scene.refused()
    broken = Verdict(
        Outcome.NO_MATCHING_PIN, verdict.action, verdict.policy, HOST, verdict.host_policy,
        ValidatedChain([junk, junk]), None, AT,
    )  # fmt: skip
    facts = Facts(trust_named=False, presented=PresentedChain([junk]), last_accepted=ValidatedChain([b"leaf", junk]))
    diagnosis = diagnose(broken, facts)
    assert "    cert-sha256/" in explain(broken, diagnosis)
    assert "(unreadable)" in explain(broken, diagnosis)
    assert diagnosis.cause is Cause.LOCAL_INTERCEPTION


def test_the_same_refusal_reads_the_same(genuine: Genuine) -> None:
    """Two judgements of one chain give one text, so that a retry can be told from a second attack (rule 4)."""
    scene = Scene([genuine[0].pin])
    assert _text(scene.judged(genuine[2].der)) == _text(scene.judged(genuine[2].der))
